"""What a container runs: a script, as YARN writes one, with the job's environment in it. Pure.

So nothing of a job is among the engine's arguments, where others could read it, or where it could be an
option.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# An engine may be set up to give containers proxies.
_DIRECT = "127.0.0.1,localhost"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# Those of this machine that mean nothing in an image, or hide what the image has.
_OF_THE_MACHINE = frozenset(
    {"PATH", "PYSPARK_PYTHON", "REQUESTS_CA_BUNDLE", "SHELL", "SSL_CERT_DIR", "SSL_CERT_FILE", "VIRTUAL_ENV"}
)


def inside(
    base: Mapping[str, str], exported: Mapping[str, str], asked: Mapping[str, str], python: str = "python3"
) -> dict[str, str]:
    """Give the environment of a job in a container.

    :param base: Its environment on this machine.
    :param exported: What of it the cluster's configuration asks for.
    :param asked: What the job asks for.
    :param python: The Python of jobs that ask for none; empty for the one that the image itself names.
    """
    kept = {key: value for key, value in base.items() if key not in _OF_THE_MACHINE or key in exported}
    default = {"PYSPARK_PYTHON": python} if python else {}
    return {**default, "NO_PROXY": _DIRECT, "no_proxy": _DIRECT, **kept, **asked}


def launch_script(command: Sequence[str], env: Mapping[str, str], launched: Path, home: str = "") -> str:
    """Write the script.

    :param launched: A file that it makes before the command: what fails later is the job's.
    :param home: A directory of the image whose files the command sees in its working directory.
    """
    exports = (f"export {key}={shlex.quote(value)}" for key, value in env.items() if _VARIABLE.fullmatch(key))
    return "\n".join(
        [
            "#!/bin/bash",
            # An image's own settings of AWS must not lead elsewhere.
            "unset ${!AWS_@}",
            *exports,
            f": > {shlex.quote(str(launched))} || exit 1",
            *([_seen_here(home)] if home else []),
            f"exec {shlex.join(command)}",
            "",
        ]
    )


def _seen_here(home: str) -> str:
    """Link to what is in a directory; what the job itself brings under the same name comes first."""
    quoted = shlex.quote(home)
    denied = shlex.quote(
        f"localemr: what the image has in {home} can't be read by this machine's user, and is not seen: "
        f"let everybody read it (RUN chmod -R a+rX {home})."
    )
    return (
        f"if [ -d {quoted} ] && [ ! -r {quoted} ]; then echo {denied} >&2; fi\n"
        f'for file in {quoted}/*; do [ ! -e "$file" ] || [ -e "./${{file##*/}}" ] || ln -s "$file" .; done'
    )
