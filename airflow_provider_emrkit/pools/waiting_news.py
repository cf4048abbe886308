"""Puts into lines for people what a job that waits for room waits for."""

from __future__ import annotations

from dataclasses import dataclass

# Seconds between two lines that say different things, and until the same is said again.
CHANGED = 60.0
UNCHANGED = 300.0


@dataclass(slots=True)
class WaitingNews:
    """Tells what is new about a wait, and now and then that there is nothing new.

    :param pool: Name of the pool.

    >>> WaitingNews("medium").news("2 of 2 clusters are full", 0.0)
    'Waiting for room in pool medium: 2 of 2 clusters are full'
    """

    pool: str
    _last: str | None = None
    _told_at: float = 0.0

    def news(self, words: str, now: float) -> str | None:
        """Give a line when it is time for one.

        :param words: What the pool is busy with.
        :param now: Seconds, by any clock that runs on.
        """
        since = CHANGED if words != self._last else UNCHANGED
        if self._last is not None and now - self._told_at < since:
            return None
        self._last, self._told_at = words, now
        return f"Waiting for room in pool {self.pool}: {_short(self.pool, words)}"


def busy_message(pool: str, seconds: float, words: str) -> str:
    """Say that a job found no room in time.

    :param seconds: How long it waited.
    :param words: What the pool is busy with; empty where nobody knows.

    >>> busy_message("medium", 90.0, "2 of 2 clusters are full")
    'no room in pool medium within 90 s (wait_timeout), so the job was not placed: 2 of 2 clusters are full'
    """
    message = f"no room in pool {pool} within {seconds:.0f} s (wait_timeout), so the job was not placed"
    return f"{message}: {_short(pool, words)}" if words else message


def _short(pool: str, words: str) -> str:
    """Name the pool once."""
    for named in (f"pool {pool} has ", "the pool has "):
        if words.startswith(named):
            return f"it has {words.removeprefix(named)}"
    return words
