"""Make the environments this repository's commands run in, below ``.venv/``, from its lock files.

Needs nothing but a Python of 3.10 to 3.13: no package has to be installed, and none is installed elsewhere.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

SUPPORTED = ((3, 10), (3, 13))
SUPPORTED_NAMES = ("python3.13", "python3.12", "python3.11", "python3.10")


def ensure_supported_python() -> None:
    """Go on under a Python that Airflow supports, or end with a message; runs on any Python 3.7 or newer."""
    if SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        return
    found = next((path for path in map(shutil.which, SUPPORTED_NAMES) if path), None)
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if found:
        print(f"Python {here} is not supported, going on with {found}", file=sys.stderr)
        os.execv(found, [found, *sys.argv])  # noqa: S606
    sys.exit(
        f"error: this needs Python 3.10, 3.11, 3.12 or 3.13, and {sys.executable} is Python {here}.\n"
        f"  tried: {', '.join(SUPPORTED_NAMES)} on PATH\n"
        "  mend:  install one of them, then name it: make PYTHON=/path/to/python3.12 demo"
    )


def end_with(main: Callable[[Sequence[str]], int]) -> NoReturn:
    """Run a program to its end and leave with its exit code; Ctrl-C ends it in one line."""
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        print("\ninterrupted; the next run goes on from here", file=sys.stderr)
        code = 128 + signal.SIGINT
    sys.exit(code)


if __name__ == "__main__":
    ensure_supported_python()
    from environments.command_line import main

    end_with(main)
