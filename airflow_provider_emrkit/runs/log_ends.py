"""Reads the ends of a run's logs, whatever AWS answers: what could be read counts."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_emrkit.hooks.errors import error_code, explain, is_aws_error, is_transient
from airflow_provider_emrkit.logs.causes import LogText
from airflow_provider_emrkit.logs.sources import Read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_emrkit.logs.sources import LogSource, LogSources

_T = TypeVar("_T")

log = logging.getLogger(__name__)

# Lines at the end of each log that a failure's cause is looked for in.
TAIL_LINES = 2_000
# Logs that are read for one failure at most, and the calls that are made for them with it.
MAX_LOGS = 40


@dataclass
class LogEnds:
    """The ends of logs, each read once.

    :param region: AWS region.
    :param in_console: Whether the AWS console shows these logs.

    >>> LogEnds("us-east-1").of(sources)  # doctest: +SKIP
    """

    region: str
    in_console: bool = True
    left: int = MAX_LOGS
    _told: set[str] = field(default_factory=set)

    def of(self, sources: LogSources) -> Sequence[LogText]:
        """Read all logs of a run, the driver's first.

        What spark-submit wrote is read first all the same: it names the YARN application, and so the
        driver's logs.
        """
        texts: dict[str, LogText] = {}
        for _ in range(2):
            for source in self.without_trouble(sources.current) or ():
                if source.name not in texts:
                    texts[source.name], read = self._read(source)
                    sources.observe(read.lines)
        return [text for text in reversed(texts.values()) if text.lines]

    def read(self, source: LogSource) -> LogText:
        """Read the end of one log; it has no lines where there is none."""
        return self._read(source)[0]

    def _read(self, source: LogSource) -> tuple[LogText, Read]:
        read = Read()
        if self.left > 0:
            self.left -= 1
            read = self.without_trouble(lambda: source.from_end(TAIL_LINES)) or read
        return (
            LogText(
                f"{source.label} in {source.name}",
                [line.text for line in read.lines],
                None if read.skipped else 0,
                source.link(self.region) if self.in_console else "",
            ),
            read,
        )

    def without_trouble(self, work: Callable[[], _T]) -> _T | None:
        """Do something that AWS may refuse; that is told once, and gives None."""
        try:
            return work()
        except Exception as error:
            if not is_aws_error(error) and not is_transient(error):
                raise
            what = error_code(error) or type(error).__name__
            if what not in self._told:
                self._told.add(what)
                log.warning("Not all logs could be searched: %s", explain(error, self.region))
            return None
