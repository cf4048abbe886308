"""What emrkit is to reach, and whether it did."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.figures import Figures
    from benchmarks.logs.figures import LogFigures
    from benchmarks.pools.figures import PlacementFigures


@dataclass(frozen=True)
class Goal:
    """One goal for one figure.

    :param figure: Name of a property of :class:`~benchmarks.figures.Figures`,
        :class:`~benchmarks.logs.figures.LogFigures` or :class:`~benchmarks.pools.figures.PlacementFigures`.
    :param text: What the table says.
    :param below: The figure is to be smaller.
    :param at_most: The figure is to be no larger.
    :param no_less_than: The figure is to be no smaller.
    :param at_least: The figures of each of ``than`` are to be so many times as large.
    :param than: Contestants.
    """

    figure: str
    text: str
    below: float | None = None
    at_most: float | None = None
    no_less_than: float | None = None
    at_least: float | None = None
    than: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """Whether a goal was reached.

    :param met: None when it could not be judged, because somebody did not take part.
    :param reached: The figure or ratio.
    """

    goal: Goal
    met: bool | None
    reached: str


def ratio(others: float, ours: float) -> float:
    """Tell how many times as large another figure is.

    >>> ratio(30.0, 2.0)
    15.0
    """
    return others / ours if ours > 0 else float("inf")


def judge(goal: Goal, figures: Mapping[str, Figures | LogFigures | PlacementFigures], ours: str) -> Verdict:
    """Judge one goal of a scenario.

    :param figures: Of the scenario, by contestant.
    :param ours: Whose goal it is.
    """
    if ours not in figures:
        return Verdict(goal, None, "not measured")
    own = float(getattr(figures[ours], goal.figure))
    met = _judged_alone(goal, own)
    if met is not None:
        return Verdict(goal, met, f"{own:,.2f}".rstrip("0").rstrip("."))
    others = [float(getattr(figures[name], goal.figure)) for name in goal.than if name in figures]
    ratios = [ratio(other, own) for other in others if not math.isnan(other)]
    if not ratios:
        return Verdict(goal, None, "nobody to compare with")
    reached = min(ratios)
    return Verdict(goal, reached >= (goal.at_least or 0.0), f"{reached:.1f} times")


def _judged_alone(goal: Goal, own: float) -> bool | None:
    """Judge a goal that needs nobody to compare with; a figure that is not a number is no success."""
    if goal.below is not None:
        return own < goal.below
    if goal.at_most is not None:
        return own <= goal.at_most
    return None if goal.no_less_than is None else own >= goal.no_less_than
