"""``python -m benchmarks``, or ``make bench``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich_argparse import RawDescriptionRichHelpFormatter

from benchmarks.logs.figures import LogFigures
from benchmarks.logs.scenarios import LOG_READERS, LOGS_FULL, LOGS_QUICK
from benchmarks.logs.table import logs_in_brief, logs_table
from benchmarks.pools.figures import PlacementFigures
from benchmarks.pools.scenarios import POOLS_FULL, POOLS_QUICK, PlacementScenario
from benchmarks.pools.table import pools_in_brief, pools_table
from benchmarks.running import MeasurementError, in_order, run
from benchmarks.scenarios import EMRKIT, FLOOR, FULL, PEERS, QUICK
from benchmarks.table import by_scenario, figures_table, goals_table, in_brief, verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from benchmarks.running import AnyFigures
    from benchmarks.scenarios import Scenario
    from benchmarks.table import ByContestant

_FULL: Sequence[Scenario] = (*FULL, *LOGS_FULL, *POOLS_FULL)
_QUICK: Sequence[Scenario] = (*QUICK, *LOGS_QUICK, *POOLS_QUICK)
_CONTESTANTS = (EMRKIT, *PEERS, *LOG_READERS, FLOOR)
_ALL: Sequence[Scenario] = (*_FULL, *_QUICK)

# So that the table fits where nobody looks at a terminal.
_WIDTH = 160

_MISSED = 1
_BROKEN = 2


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    loads = "\n".join(f"  {one.name:15} {one.title}" for one in _ALL)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Compare waiting for deferred EMR steps, and reading their logs: emrkit and the amazon "
        f"provider; and measure placing jobs on a pool of clusters.\n\n{loads}",
        epilog="examples:\n"
        "  python -m benchmarks                      all of it, about 29 minutes\n"
        "  python -m benchmarks --quick              small loads, 5 minutes\n"
        "  python -m benchmarks --only steps-1000 --contestant emrkit\n"
        "  python -m benchmarks --only logs-bulk     reading a log, 3 minutes\n"
        "  python -m benchmarks --only pool-1 --only pool-100    placing jobs, 1 minute\n\n"
        "exit codes:\n  0  all goals that could be judged are met\n  1  one is missed\n"
        "  2  something could not be measured",
        formatter_class=RawDescriptionRichHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="the small loads instead")
    parser.add_argument("--only", action="append", metavar="LOAD", help="this load alone (may be repeated)")
    parser.add_argument(
        "--contestant",
        action="append",
        choices=_CONTESTANTS,
        metavar="WHO",
        help=f"this one alone: {', '.join(_CONTESTANTS)}",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    parser.add_argument("--seed", type=int, default=1, help="of the jobs' times (default: 1)")
    arguments = parser.parse_args(argv)
    names = [one.name for one in _ALL]
    unknown = [name for name in arguments.only or () if name not in names]
    if unknown:
        parser.error(f"no load is called {unknown[0]!r}; there are {', '.join(names)}")
    return arguments


def _report(arguments: argparse.Namespace, figures: Sequence[AnyFigures], seconds: float) -> dict[str, Any]:
    return {
        "measured": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "seed": arguments.seed,
        "seconds": round(seconds, 1),
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
        "python": platform.python_version(),
        "figures": [one.to_json() for one in figures],
    }


def _brief(one: AnyFigures) -> str:
    if isinstance(one, PlacementFigures):
        return pools_in_brief(one)
    return logs_in_brief(one) if isinstance(one, LogFigures) else in_brief(one)


def _tables(scenarios: Sequence[Scenario], measured: Mapping[str, ByContestant]) -> list[Table]:
    """Lay out the figures, each kind in a table of its own."""
    placing = [one for one in scenarios if isinstance(one, PlacementScenario)]
    reading = [one for one in scenarios if one.log]
    waiting = [one for one in scenarios if one not in placing and one not in reading]
    kinds = ((waiting, figures_table), (reading, logs_table), (placing, pools_table))
    return [table(chosen, measured) for chosen, table in kinds if chosen]


def _measure(arguments: argparse.Namespace, scenarios: Sequence[Scenario]) -> tuple[list[AnyFigures], bool]:
    """Measure, telling how it goes on; gives what was measured, and whether that is all of it."""
    progress = Console(stderr=True, highlight=False, soft_wrap=True)
    groups = in_order(scenarios, arguments.contestant or (EMRKIT, *PEERS, *LOG_READERS))
    began = time.monotonic()
    figures: list[AnyFigures] = []
    try:
        for one in run(groups, arguments.seed, progress.print):
            figures.append(one)
            progress.print(f"  {one.scenario}, {one.contestant}: {_brief(one)}")
            if arguments.json:
                report = _report(arguments, figures, time.monotonic() - began)
                arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    except MeasurementError as error:
        progress.print(str(error), style="bold red")
        return figures, False
    return figures, True


def main(argv: Sequence[str]) -> int:
    """Measure, print the table, and tell whether the goals are met."""
    arguments = _arguments(argv)
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
    chosen = [one for one in _ALL if one.name in (arguments.only or ())]
    scenarios = chosen or list(_QUICK if arguments.quick else _FULL)
    began = time.monotonic()
    figures, complete = _measure(arguments, scenarios)
    measured = by_scenario(figures)
    judged = verdicts(scenarios, measured)
    console.print(*_tables(scenarios, measured), goals_table(judged))
    if figures:
        loads = [one.load for one in figures]
        console.print(
            f"{(time.monotonic() - began) / 60:.1f} minutes on {os.cpu_count()} cores, of which other "
            f"programs took {min(loads):.0%} to {max(loads):.0%} meanwhile.",
            highlight=False,
        )
    if not complete:
        return _BROKEN
    return _MISSED if any(verdict.met is False for _, verdict in judged) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
