"""Commands that take long: their lines are told as they come, and they end with who has started them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def run(
    argv: Sequence[str],
    environ: Mapping[str, str],
    say: Callable[[str], None],
    *,
    held: Sequence[int] = (),
) -> tuple[int, str]:
    """Run a command to its end; its exit code and all that it wrote.

    When this is interrupted, the command and what it has started are killed.

    :param say: Told each line.
    :param held: Descriptors the command inherits.
    :raises OSError: when it can't be started.
    """
    lines = []
    with subprocess.Popen(
        argv,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=tuple(held),
        start_new_session=True,
    ) as process:
        try:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                say(lines[-1])
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, "\n".join(lines)
