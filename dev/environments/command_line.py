"""``python3 dev/bootstrap.py``."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from environments.build import Builder, exclusive
from environments.catalog import ENVIRONMENTS, UV, Layout
from environments.problems import BootstrapError, SkippedError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]

DONE, FAILED, SKIPPED = 0, 1, 3

_EPILOG = """\
examples:
  python3 dev/bootstrap.py localemr                  make one environment; prints .venv/localemr/bin
  python3 dev/bootstrap.py airflow-3.3 localemr      what `make demo` does first
  python3.12 dev/bootstrap.py test                   with this Python; another one replaces the environment
  PIP_INDEX_URL=<mirror> python3 dev/bootstrap.py test   from your own package index
  python3 dev/bootstrap.py --clean                   remove all of them

exit codes:
  0  all are there
  1  one could not be made
  2  wrong arguments
  3  one was skipped: no Python of this machine can run it
"""


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    width = max(map(len, ENVIRONMENTS))
    names = "\n".join(f"  {name:{width}}  {env.purpose}" for name, env in ENVIRONMENTS.items())
    parser = argparse.ArgumentParser(
        prog="bootstrap.py",
        description=f"Make virtual environments below .venv/ from lock files.\n\n{names}",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("environments", nargs="*", metavar="ENV", help="name of an environment (see above)")
    parser.add_argument(
        "--clean", action="store_true", help="remove the environments instead (all, or the named ones)"
    )
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.environments if name not in ENVIRONMENTS]
    if unknown:
        parser.error(f"no environment is called {unknown[0]!r}; there are {', '.join(ENVIRONMENTS)}")
    if not arguments.environments and not arguments.clean:
        parser.error(f"name at least one environment: {', '.join(ENVIRONMENTS)}")
    return arguments


def say(line: str) -> None:
    """Show one line of progress."""
    print(f"[bootstrap] {line}", file=sys.stderr, flush=True)


def _clean(layout: Layout, names: Sequence[str]) -> None:
    with exclusive(layout, say):
        for name in names or (*ENVIRONMENTS, UV):
            shutil.rmtree(layout.directory(name), ignore_errors=True)


def _make(builder: Builder, name: str) -> int:
    try:
        builder.ensure(ENVIRONMENTS[name])
    except SkippedError as reason:
        say(f"{name}: skipped because {reason}")
        return SKIPPED
    except BootstrapError as error:
        print(error, file=sys.stderr)
        return FAILED
    return DONE


def main(argv: Sequence[str]) -> int:
    """Make the named environments and print where their executables are, one folder a line."""
    arguments = _arguments(argv)
    layout = Layout(ROOT)
    if arguments.clean:
        _clean(layout, arguments.environments)
        return DONE
    builder = Builder(layout, os.environ, say)
    codes: dict[str, int] = {}
    for name in dict.fromkeys(arguments.environments):
        codes[name] = _make(builder, name)
        if codes[name] == FAILED:  # most often by the network or the disk, and so would the others
            break
    for name, code in codes.items():
        if code == DONE:
            print(layout.bin(name))
    return FAILED if FAILED in codes.values() else max(codes.values())
