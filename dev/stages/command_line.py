"""``python3 dev/checks.py``."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from environments.build import Builder
from environments.catalog import Layout
from environments.command_line import ROOT, say
from stages.catalog import STAGES
from stages.running import FAILED, Outcome, run_stage

if TYPE_CHECKING:
    from collections.abc import Sequence


def table(outcomes: Sequence[Outcome]) -> str:
    """Lay the outcomes out, one line each."""
    names = max(len(outcome.stage.title) for outcome in outcomes)
    rows = [
        f"{o.stage.title:{names}}  {o.result:7}  {o.seconds:6.1f} s  {o.detail}".rstrip() for o in outcomes
    ]
    return "\n".join(rows)


def main(argv: Sequence[str]) -> int:
    """Run the named stages, or those that are run by default; 0 when none of them failed."""
    titles = "\n".join(f"  {stage.name:10} {stage.title}" for stage in STAGES.values())
    parser = argparse.ArgumentParser(
        prog="checks.py",
        description=f"Run the checks of this repository.\n\n{titles}",
        epilog="example:\n  python3 dev/checks.py lint unit",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="which (default: all but chaos)")
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.stages if name not in STAGES]
    if unknown:
        parser.error(f"no stage is called {unknown[0]!r}; there are {', '.join(STAGES)}")
    layout = Layout(ROOT)
    builder = Builder(layout, os.environ, say)
    names = arguments.stages or [name for name, stage in STAGES.items() if stage.by_default]
    outcomes = [run_stage(STAGES[name], layout, builder, os.environ) for name in names]
    print(f"\n{table(outcomes)}", flush=True)
    return int(any(outcome.result == FAILED for outcome in outcomes))
