"""The time as AWS writes it."""

from __future__ import annotations

from datetime import datetime, timezone


def utc_now() -> datetime:
    """Give the time in UTC, to the millisecond."""
    now = datetime.now(timezone.utc)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
