r"""Collect the logs of jobs that fail, for the tests of what finds the cause of a failure.

Starts a local EMR, lets each case of ``dev/failures`` fail on real Spark, in each of its releases and deploy
modes, and writes what EMR says and archives to ``tests/logs/corpus/<name>/``, with the truth about it. A run
takes five to fifteen seconds.

    .venv/test/bin/python dev/collect_failures.py                     # all but docker's
    .venv/test/bin/python dev/collect_failures.py missing-table usage # those whose names begin so
    .venv/test/bin/python dev/collect_failures.py --list              # only tell what there is
    .venv/test/bin/python dev/collect_failures.py --docker            # those of docker images

The engine is the one that ``docker`` finds; it needs no network. One that leaves nothing behind:

    dockerd --data-root /tmp/d/data --exec-root /tmp/d/exec -p /tmp/d/pid -H unix:///tmp/d/socket \
        --iptables=false --ip6tables=false --bridge=none --storage-driver vfs
    DOCKER_HOST=unix:///tmp/d/socket .venv/test/bin/python dev/collect_failures.py --docker
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from failures import bootstrap, composed, docker  # noqa: E402 - the package's place had to be named first
from failures.case import Case, Run, folder_name  # noqa: E402
from failures.cases import CASES  # noqa: E402
from failures.corpus import Entry, write  # noqa: E402
from failures.running import FailureRuns, UnexpectedError  # noqa: E402
from failures.server import Server  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Collection:
    """What is to be collected.

    :param names: Beginnings of the names of failures; none means all.

    >>> Collection(["usage"]).has("usage-3.5-client")
    True
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self.wrong = 0

    def has(self, name: str) -> bool:
        """Tell whether a failure belongs to it."""
        return not self._names or name.startswith(self._names)

    def runs(self, kind: str) -> list[tuple[Case, Run]]:
        """Give the runs with executors of a kind, by release."""
        every = ((case, run) for case in CASES if case.executors == kind for run in case.runs)
        wanted = [(case, run) for case, run in every if self.has(folder_name(case.name, run))]
        return sorted(wanted, key=lambda one: one[1][0])

    def listed(self) -> list[str]:
        """Name all that is made without docker."""
        ran = [
            folder_name(case.name, run) for kind in ("threads", "processes") for case, run in self.runs(kind)
        ]
        made = [*(action.name for action in bootstrap.ACTIONS), *(entry.name for entry in composed.entries())]
        return [*ran, *(name for name in made if self.has(name))]

    def collect(self) -> None:
        """Make all that is made without docker."""
        self.keep(composed.entries())
        for kind in ("threads", "processes"):
            runs = self.runs(kind)
            with_actions = kind == "threads" and any(self.has(action.name) for action in bootstrap.ACTIONS)
            if runs or with_actions:
                with Server(kind) as emr:
                    failures = FailureRuns(emr)
                    failures.prepare()
                    self.keep(self._entries(failures, runs))
                    self.keep(bootstrap.entries(failures) if with_actions else ())

    def _entries(self, failures: FailureRuns, runs: Sequence[tuple[Case, Run]]) -> Iterator[Entry]:
        for case, run in runs:
            try:
                yield failures.run(case, run)
            except (UnexpectedError, TimeoutError) as error:  # noqa: PERF203 - the others go on
                self.wrong += 1
                print(f"PROBLEM {error}", flush=True)

    def keep(self, entries: Iterator[Entry] | Sequence[Entry]) -> None:
        """Write the folders of those that are wanted."""
        for entry in entries:
            if self.has(entry.name):
                folder = write(entry)
                print(folder.name, {name: len(lines) for name, lines in entry.logs.items()}, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and collect; the exit code."""
    parser = argparse.ArgumentParser(prog="dev/collect_failures.py", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="beginnings of the names of failures; all by default")
    parser.add_argument("--list", action="store_true", help="only tell what there is")
    parser.add_argument("--docker", action="store_true", help="make those that need a docker engine")
    options = parser.parse_args(argv)
    collection = Collection(options.names)
    if options.list:
        print("\n".join(collection.listed()))
    elif options.docker:
        collection.keep(docker.entries())
    else:
        collection.collect()
    return 1 if collection.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
