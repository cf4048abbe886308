"""The times that log lines begin with. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

# Spark's own layout (24/01/31), log4j's and Python's usual ones (2024-01-31, with T or a blank), perhaps
# behind a level or a bracket, and Spark 4's JSON lines.
_TIME = re.compile(
    r"(?:[A-Z]{4,8}[: ]\s*)?(?:\[|\{\"ts\":\")?"
    r"(\d{4}-\d\d-\d\d|\d\d/\d\d/\d\d)[T ](\d\d):(\d\d):(\d\d)"
    r"(?:[.,](\d{1,9}))?(?: ?(?:Z|([+-]\d\d):?(\d\d)))?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def line_time(line: str) -> int | None:
    """Read the time that a line begins with; EMR's machines have UTC, where the line does not say.

    :return: Milliseconds since 1970; None when it begins with something else.

    >>> line_time("24/01/31 12:00:00 INFO SparkContext: Running"), line_time("  at java.lang.Thread.run")
    (1706702400000, None)
    """
    match = _TIME.match(line)
    if match is None:
        return None
    date, hour, minute, second, fraction, zone_hours, zone_minutes = match.groups()
    year, month, day = map(int, date.replace("/", "-").split("-"))
    try:
        moment = datetime(
            2000 + year if len(date) == 8 else year,
            month,
            day,
            int(hour),
            int(minute),
            int(second),
            tzinfo=timezone.utc,
        )
    except ValueError:
        return None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    if zone_hours:
        ahead = int(zone_hours) * 60 + int(zone_hours[0] + zone_minutes)
        seconds -= ahead * 60
    # Before 1970 nothing was logged that is read here, and years before the first are no times at all.
    return seconds * 1000 + int((fraction or "0").ljust(3, "0")[:3]) if seconds >= 0 else None
