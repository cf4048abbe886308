"""What ``emrkit local prefetch`` shows: a bar on a terminal, lines elsewhere, and what is installed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from airflow_provider_emrkit.localemr.spark.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from rich.console import Console
    from rich.status import Status

    from airflow_provider_emrkit.localemr.spark.inventory import Installed

_LINE_EVERY = 3.0
_MIB = 1024 * 1024
# In lines that say that the same work goes on.
_STILL = " … "


class PrefetchView:
    """Shows news of an installation; use it as a context manager.

    :param console: Where a bar is drawn, if it is a terminal.
    :param say: Prints a line.

    >>> from rich.console import Console
    >>> with PrefetchView(Console(), print) as view:
    ...     view("installing Spark 3.5.6")
    installing Spark 3.5.6
    """

    def __init__(self, console: Console, say: Callable[[str], None]) -> None:
        self._console = console
        self._say = say
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._status: Status | None = None
        self._last_line = -_LINE_EVERY

    def __enter__(self) -> PrefetchView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def __call__(self, line: str) -> None:
        """Show a piece of news."""
        if not isinstance(line, Transfer):
            self._show(line)
        elif self._console.is_terminal:
            self._draw(line)
        elif line.done == line.total or time.monotonic() - self._last_line >= _LINE_EVERY:
            self._last_line = time.monotonic()
            self._say(line)

    def _show(self, line: str) -> None:
        if self._console.is_terminal and _STILL in line:
            if self._status is None:
                self._end()
                self._status = self._console.status(Text(line))
                self._status.start()
            self._status.update(Text(line))
            return
        self._end()
        self._say(line)

    def _draw(self, line: Transfer) -> None:
        total = line.total or None
        if self._bar is None:
            self._end()
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TaskProgressColumn(),
                DownloadColumn(binary_units=True),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._bar.start()
            # What an earlier attempt brought is no part of this one's speed.
            self._task = self._bar.add_task(line.what, total=total, completed=line.done)
        elif self._task is not None:
            self._bar.update(self._task, completed=line.done, total=total)

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self._status is not None:
            self._status.stop()
        self._bar = self._task = self._status = None


def installed_table(found: Iterable[Installed]) -> Table:
    """Make the table of ``--list``."""
    table = Table("installed", "MB", "exact for", box=None, header_style="bold")
    table.columns[1].justify = "right"
    for one in found:
        table.add_row(Text(one.name), str(one.size // _MIB), Text(", ".join(one.labels)))
    return table
