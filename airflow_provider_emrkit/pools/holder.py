"""What a process is called in the lease and the record of a pool."""

from __future__ import annotations

import os
import secrets
import socket

from airflow_provider_emrkit.logs.text import one_line

# Characters of a machine's name that are shown; a name has at most 100 in all.
SHOWN_CHARACTERS = 60


def new_holder() -> str:
    """Give a name that nobody else has, which tells people where to look: machine, process, a number.

    >>> new_holder().count(":")
    2
    """
    machine = one_line(socket.gethostname(), SHOWN_CHARACTERS).replace(":", "-")
    return f"{machine}:{os.getpid()}:{secrets.token_hex(4)}"
