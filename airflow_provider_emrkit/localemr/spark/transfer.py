"""News of a download: a line of text for everybody, with its figures for those who draw a bar."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]
"""Is called with a line of text per piece of news; what it raises ends the work."""

_MIB = 1024 * 1024


class Transfer(str):
    """A line that says how far a download is.

    :param what: What is downloaded, e.g. ``Spark 3.5.6``.
    :param done: Bytes that are here.
    :param total: Bytes in all; 0 when nobody knows.
    :param speed: Bytes a second, as far as known.

    >>> Transfer("Spark 3.5.6", 50 << 20, 200 << 20, 10 << 20)
    'downloading Spark 3.5.6: 25 %, 50 of 200 MB, 10.0 MB/s'
    """

    __slots__ = ("done", "speed", "total", "what")

    what: str
    done: int
    total: int
    speed: float

    def __new__(cls, what: str, done: int, total: int, speed: float = 0.0) -> Transfer:
        """Make the line from its figures."""
        here = done // _MIB
        share = f"{100 * done // total} %, {here} of {total // _MIB} MB" if total else f"{here} MB"
        rate = f", {speed / _MIB:.1f} MB/s" if speed else ""
        line = super().__new__(cls, f"downloading {what}: {share}{rate}")
        line.what, line.done, line.total, line.speed = what, done, total, speed
        return line

    def __getnewargs__(self) -> tuple[str, int, int, float]:  # type: ignore[override]
        """Give what a copy is made from."""
        return self.what, self.done, self.total, self.speed
