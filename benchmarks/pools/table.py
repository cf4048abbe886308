"""The figures of placing jobs as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.pools.figures import PlacementFigures
    from benchmarks.scenarios import Scenario

_COLUMNS = (
    "EMR calls\nto decide",
    "to\nplace",
    "S3\ncalls",
    "all calls\na job",
    "CPU ms\na job",
    "all placed\np50 ms",
    "\nmax ms",
    "not\nplaced",
)


def pools_table(
    scenarios: Sequence[Scenario], measured: Mapping[str, Mapping[str, PlacementFigures]]
) -> Table:
    """Lay out all figures."""
    table = Table(title="Placing jobs on a pool of clusters", title_justify="left")
    table.add_column("", no_wrap=True)
    for title in _COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    for scenario in scenarios:
        for one in measured.get(scenario.name, {}).values():
            table.add_row(scenario.title, *_cells(one))
    return table


def _cells(one: PlacementFigures) -> list[str]:
    return [
        f"{one.looks:,}",
        f"{one.acts:,}",
        f"{one.s3_calls:,}",
        f"{one.calls_per_placement:.2f}",
        f"{one.cpu_ms:.1f}",
        f"{one.wall_ms:,.0f}",
        f"{one.latency_max * 1_000:,.0f}",
        f"{one.unplaced:,}",
    ]


def pools_in_brief(one: PlacementFigures) -> str:
    """Give what matters most in one line."""
    return (
        f"{one.looks} calls to EMR to decide, {one.acts} to place, {one.s3_calls} to S3, "
        f"{one.cpu_ms:.1f} ms of CPU a job, all placed in {one.wall_ms:,.0f} ms, {one.unplaced} not placed"
    )
