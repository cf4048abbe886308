"""Collect the logs of jobs that fail, for the tests of what finds the cause of a failure.

Starts a local EMR, lets each case of ``dev/failures`` fail on real Spark, in each of its releases and deploy
modes, and writes what EMR says and archives to ``tests/logs/corpus/<name>/``, with the truth about it. A run
takes about ten seconds.

    .venv/test/bin/python dev/collect_failures.py                     # all
    .venv/test/bin/python dev/collect_failures.py missing-table usage # those whose names begin so
    .venv/test/bin/python dev/collect_failures.py --list              # only tell what there is
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from failures.case import Case, Run, folder_name  # noqa: E402 - the package's place had to be named first
from failures.cases import CASES  # noqa: E402
from failures.corpus import write  # noqa: E402
from failures.running import FailureRuns, UnexpectedError  # noqa: E402
from failures.server import Server  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence


def wanted(names: Sequence[str]) -> list[tuple[Case, Run]]:
    """Give the runs whose names begin with one of some texts; all without any."""
    every = ((case, run) for case in CASES for run in case.runs)
    return [one for one in every if not names or folder_name(one[0].name, one[1]).startswith(tuple(names))]


def collect(runs: Sequence[tuple[Case, Run]]) -> int:
    """Run cases and write their folders; the number of those that did not fail as they should."""
    wrong = 0
    for kind in ("threads", "processes"):
        ours = [(case, run) for case, run in runs if case.executors == kind]
        if ours:
            with Server(kind) as emr:
                wrong += _collect(FailureRuns(emr), ours)
    return wrong


def _collect(failures: FailureRuns, runs: Sequence[tuple[Case, Run]]) -> int:
    wrong = 0
    failures.prepare()
    for case, run in sorted(runs, key=lambda one: one[1][0]):
        try:
            entry = failures.run(case, run)
        except (UnexpectedError, TimeoutError) as error:
            wrong += 1
            print(f"PROBLEM {error}", flush=True)
            continue
        folder = write(entry)
        print(folder.name, {name: len(lines) for name, lines in entry.logs.items()}, flush=True)
    return wrong


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and collect; the exit code."""
    parser = argparse.ArgumentParser(prog="dev/collect_failures.py", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="beginnings of the names of cases; all by default")
    parser.add_argument("--list", action="store_true", help="only tell what there is")
    options = parser.parse_args(argv)
    runs = wanted(options.names)
    if options.list:
        print("\n".join(folder_name(case.name, run) for case, run in runs))
        return 0
    return 1 if collect(runs) else 0


if __name__ == "__main__":
    sys.exit(main())
