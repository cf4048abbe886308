"""What ``flights_summary.py`` must give, computed by pandas."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS = ["origin", "carrier", "airline", "month"]
DELAYED_AFTER_MINUTES = 15


def half_up(number: float, digits: int) -> float:
    """Round as Spark does: by the decimal digits that are shown, and a half goes away from zero."""
    if pd.isna(number):
        return float("nan")
    return float(Decimal(repr(float(number))).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def _enriched(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    airlines = tables["airlines"].rename(columns={"name": "airline"})
    planes = tables["planes"][["tailnum", "seats"]]
    weather = tables["weather"][["origin", "time_hour", "precip"]]
    flights = tables["flights"].merge(airlines, on="carrier", how="left")
    return flights.merge(planes, on="tailnum", how="left").merge(
        weather, on=["origin", "time_hour"], how="left"
    )


def expected_summary(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per airport, airline and month, in that order.

    :param tables: The csv files by name.
    """
    flights = _enriched(tables)
    departed = flights["dep_time"].notna()
    flights["cancelled"] = ~departed
    flights["delayed"] = flights["dep_delay"] > DELAYED_AFTER_MINUTES
    flights["in_rain"] = flights["precip"] > 0
    flights["miles"] = flights["distance"].where(departed)
    flights["seats_used"] = flights["seats"].where(departed)
    groups = flights.groupby(KEYS)
    summary = pd.DataFrame(
        {
            "flights": groups.size(),
            "cancelled": groups["cancelled"].sum(),
            "mean_dep_delay": groups["dep_delay"].mean().map(lambda value: half_up(value, 2)),
            "p95_dep_delay": groups["dep_delay"].quantile(0.95).map(lambda value: half_up(value, 2)),
            "mean_arr_delay": groups["arr_delay"].mean().map(lambda value: half_up(value, 2)),
            "p95_arr_delay": groups["arr_delay"].quantile(0.95).map(lambda value: half_up(value, 2)),
        }
    )
    share = groups["delayed"].sum() / (summary["flights"] - summary["cancelled"])
    summary["share_delayed"] = share.map(lambda value: half_up(value, 4))
    summary["flights_in_rain"] = groups["in_rain"].sum()
    summary["miles_flown"] = groups["miles"].sum(min_count=1)
    summary["seats_flown"] = groups["seats_used"].sum(min_count=1)
    return summary.reset_index().sort_values(KEYS).reset_index(drop=True)
