"""The figures of reading logs as a table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.logs.figures import LogFigures
    from benchmarks.scenarios import Scenario

_COLUMNS = (
    "lines/s",
    "calls for\n10,000",
    "calls\nin all",
    "missing",
    "doubled",
    "CPU s",
    "loop\nlag s",
    "idle\nlag s",
    "latency\np50 s",
    "\np95 s",
    "\nmax s",
)


def logs_table(scenarios: Sequence[Scenario], measured: Mapping[str, Mapping[str, LogFigures]]) -> Table:
    """Lay out all figures."""
    table = Table(title="Reading a job's log from CloudWatch Logs", title_justify="left")
    table.add_column("", no_wrap=True)
    for title in _COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    for scenario in scenarios:
        here = measured.get(scenario.name, {})
        if not here:
            continue
        table.add_section()
        table.add_row(Text(scenario.title, style="bold"))
        for name in scenario.contestants:
            if name in here:
                table.add_row(f"  {name}", *_cells(here[name]))
    return table


def _cells(one: LogFigures) -> list[str]:
    return [
        f"{one.rate:,.0f}",
        _number(one.calls_per_10_000, 1),
        f"{one.all_calls:,}",
        f"{one.missing:,}",
        f"{one.doubled:,}",
        f"{one.cpu:.1f}",
        _number(one.lag_max, 2),
        f"{one.idle_lag_max:.2f}",
        *(_number(value, 2) for value in (one.latency_p50, one.latency_p95, one.latency_max)),
    ]


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}" if math.isfinite(value) else "-"


def logs_in_brief(one: LogFigures) -> str:
    """Give what matters most in one line."""
    return (
        f"{one.rate:,.0f} lines/s, {_number(one.calls_per_10_000, 1)} calls for 10,000, "
        f"{one.missing:,} missing, {one.doubled:,} doubled, loop lag {_number(one.lag_max, 2)} s, "
        f"median latency {_number(one.latency_p50, 2)} s"
    )
