"""The figures as a table, with ratios and goals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from benchmarks.goals import Verdict, judge, ratio
from benchmarks.scenarios import EMRKIT, FLOOR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.figures import Figures
    from benchmarks.logs.figures import LogFigures
    from benchmarks.pools.figures import PlacementFigures
    from benchmarks.scenarios import Scenario

ByContestant = dict[str, Any]

_COLUMNS = (
    "API\ncalls",
    "throttled",
    "CPU s",
    "of a\ncore",
    "KiB a\ntrigger",
    "loop\nlag s",
    "idle\nlag s",
    "sockets",
    "latency\np50 s",
    "\np95 s",
    "\nmax s",
    "unde-\ntected",
)


def by_scenario(figures: Sequence[Figures | LogFigures | PlacementFigures]) -> dict[str, ByContestant]:
    """Sort figures by scenario and contestant."""
    found: dict[str, ByContestant] = {}
    for one in figures:
        found.setdefault(one.scenario, {})[one.contestant] = one
    return found


def figures_table(scenarios: Sequence[Scenario], measured: Mapping[str, ByContestant]) -> Table:
    """Lay out all figures, and how many times emrkit's the others are."""
    table = Table(title="Waiting for deferred EMR steps in Airflow's TriggerRunner", title_justify="left")
    table.add_column("", no_wrap=True)
    for title in _COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    for scenario in scenarios:
        here = measured.get(scenario.name, {})
        if not here:
            continue
        table.add_section()
        table.add_row(Text(scenario.title, style="bold"))
        for name in (FLOOR, *scenario.contestants):
            if name in here:
                table.add_row(f"  {name}", *_cells(here[name]))
        for name in scenario.contestants:
            if name in here and name != EMRKIT and EMRKIT in here:
                table.add_row(f"  {name} / emrkit", *_ratios(here[name], here[EMRKIT]), style="cyan")
    return table


def _cells(one: Figures) -> list[str]:
    return [
        f"{one.calls:,}",
        f"{sum(one.throttled.values()):,}",
        f"{one.cpu:.1f}",
        f"{one.cpu_share:.0%}",
        _kib(one),
        f"{one.lag_max:.2f}",
        f"{one.idle_lag_max:.2f}",
        f"{one.connections:,}",
        *(_seconds(value) for value in (one.latency_p50, one.latency_p95, one.latency_max)),
        f"{one.unfinished:,}" + (f" ({one.failed} failed)" if one.failed else ""),
    ]


def _ratios(other: Figures, ours: Figures) -> list[str]:
    names = ("calls", "", "cpu", "cpu_share", "kib", "lag_max", "", "connections")
    return [_times(getattr(other, name), getattr(ours, name)) if name else "" for name in names]


def _times(other: float, ours: float) -> str:
    found = ratio(other, ours)
    return f"{found:.1f} x" if math.isfinite(found) else ""


def _kib(one: Figures) -> str:
    return "-" if math.isnan(one.kib) else f"{one.kib:,.1f}"


def _seconds(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def in_brief(one: Figures) -> str:
    """Give what matters most in one line."""
    return (
        f"{one.calls:,} calls, {one.cpu:.1f} s of CPU, {_kib(one)} KiB a trigger, "
        f"median latency {_seconds(one.latency_p50)} s, {one.unfinished} undetected"
    )


def verdicts(
    scenarios: Sequence[Scenario], measured: Mapping[str, ByContestant]
) -> list[tuple[Scenario, Verdict]]:
    """Judge all goals of what was measured."""
    return [
        (scenario, judge(goal, measured[scenario.name], EMRKIT))
        for scenario in scenarios
        if scenario.name in measured
        for goal in scenario.goals
    ]


def goals_table(judged: Sequence[tuple[Scenario, Verdict]]) -> Table:
    """Tell of each goal whether it was met."""
    table = Table(title="Goals", title_justify="left")
    for title in ("load", "goal", "reached", ""):
        table.add_column(title)
    for scenario, verdict in judged:
        table.add_row(scenario.name, verdict.goal.text, verdict.reached, _MARKS[verdict.met])
    return table


_MARKS = {
    True: Text("met", style="green"),
    False: Text("MISSED", style="bold red"),
    None: Text("not judged", style="yellow"),
}
