"""Renew the lock files: ``make lock``."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from environments.build import exclusive
from environments.catalog import Layout
from environments.command_line import ROOT, say
from environments.problems import BootstrapError
from environments.tool import UvTool

if TYPE_CHECKING:
    from collections.abc import Sequence

# In this order: a later one may be constrained by an earlier one.
LOCKS = (
    *("uv", "build", "airflow-3.3", "localemr", "test", "airflow-2.11", "bench", "awscli", "demo-data"),
    *("example-image", "kedro"),
)
_WITHOUT_DEPENDENCIES = ("demo-data", "example-image")

# One file for all supported Pythons and platforms, and nothing in it about where it was made.
_OPTIONS = (
    *(
        "--universal",
        "--python-version",
        "3.10",
        "--no-emit-index-url",
        "--no-emit-find-links",
        "--no-annotate",
    ),
    *("--custom-compile-command", "make lock", "--quiet"),
)


def relock(layout: Layout, names: Sequence[str], *, upgrade: bool) -> None:
    """Compile ``requirements/<name>.in`` into ``<name>.txt`` for each name.

    :param upgrade: Take the newest versions; otherwise a pin that still fits its ``.in`` stays.
    :raises BootstrapError: when uv cannot find versions that fit.
    """
    uv = UvTool(layout, os.environ, say)
    uv.ensure()
    for name in names:
        say(f"locking requirements/{name}.in")
        more = [
            *(["--upgrade"] if upgrade else []),
            *(["--no-deps"] if name in _WITHOUT_DEPENDENCIES else []),
        ]
        files = ("--output-file", layout.lock(name), layout.lock_input(name))
        uv.run("pip", "compile", *_OPTIONS, *more, *files, step=f"locking {name}")


def main(argv: Sequence[str]) -> int:
    """Renew all lock files, or the named ones."""
    parser = argparse.ArgumentParser(prog="relock.py", description="Renew the lock files in requirements/.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which (default: all): {', '.join(LOCKS)}")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    arguments = parser.parse_args(argv)
    unknown = sorted(set(arguments.names) - set(LOCKS))
    if unknown:
        parser.error(f"no lock file is called {unknown[0]!r}; there are {', '.join(LOCKS)}")
    layout = Layout(ROOT)
    try:
        with exclusive(layout, say):
            relock(
                layout,
                [name for name in LOCKS if name in (arguments.names or LOCKS)],
                upgrade=arguments.upgrade,
            )
    except BootstrapError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
