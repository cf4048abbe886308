"""What the demo shows: lines, a progress line for each long step, a table at the end.

In a terminal the progress line moves; anywhere else (CI, a file) its changes are lines of their own, and
nothing holds a control character. Text from logs is never trusted: it can't move the cursor, colour the
screen or imitate our own lines.
"""

from __future__ import annotations

import sys
import time
import unicodedata
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PLAIN_WIDTH = 200
_QUIET_SECONDS = 5.0
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def harmless(text: str) -> str:
    r"""Make text from a log safe for a terminal: control and invisible characters become visible escapes.

    >>> harmless("plain\x1b[31mred")
    'plain\\x1b[31mred'
    """
    text = text.replace("\t", "    ")
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _UNSAFE
        else character
        for character in text
    )


class Step:
    """One long step on the screen; give it news with :meth:`update`."""

    def __init__(self, screen: Screen, title: str) -> None:
        self._screen = screen
        self.title = title
        self.result = ""
        self.good = True
        self._detail = ""
        self._shown = time.monotonic()

    def update(self, detail: str) -> None:
        """Say what the step is at. In a file, news that come fast are thinned out."""
        detail = harmless(detail)
        now = time.monotonic()
        if detail == self._detail or (not self._screen.moving and now - self._shown < _QUIET_SECONDS):
            return
        self._detail, self._shown = detail, now
        self._screen.show_progress(self.title, detail)

    def done(self, result: str, *, good: bool = True) -> None:
        """Say how the step ended; shown when it is left."""
        self.result = harmless(result)
        self.good = good


class Screen:
    """The demo's terminal.

    :param stream: Where to write; standard output unless a test wants to read it.

    Example::

        screen = Screen()
        with screen.step("local EMR") as step:
            step.update("waiting for port 5005")
            step.done("http://127.0.0.1:5005")
    """

    def __init__(self, stream: IO[str] | None = None) -> None:
        stream = stream or sys.stdout
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=True)
        self.moving = self._console.is_terminal and not self._console.is_dumb_terminal
        self._tick = "✓" if "utf" in self._console.encoding.lower() else "ok"
        self._cross = "✗" if "utf" in self._console.encoding.lower() else "failed"
        if not self.moving:
            self._console = Console(
                file=stream, markup=False, highlight=False, emoji=False, no_color=True, force_terminal=False,
                width=_PLAIN_WIDTH, soft_wrap=True,
            )  # fmt: skip
        self._progress: Progress | None = None

    def say(self, text: str, style: str = "") -> None:
        """Print a line of our own, or several."""
        for line in text.splitlines() or [""]:
            self._console.print(Text(harmless(line), style=style))

    def log(self, stamp: str, source: str, text: str, style: str = "") -> None:
        """Print one entry of a log; each of its lines starts with what is ours: its time and source.

        In a terminal long lines are folded below their own start: no part of them begins where ours do.
        """
        for line in text.splitlines() or [""]:
            head = Text(f"  {stamp} {source:<7} │ ", style="dim")
            body = Text(harmless(line), style=style)
            if not self.moving:
                self._console.print(head + body)
                continue
            row = Table.grid(Column(no_wrap=True), Column(overflow="fold", ratio=1), expand=True)
            row.add_row(head, body)
            self._console.print(row)

    def show_progress(self, title: str, detail: str) -> None:
        """Change the progress line, or print one where lines don't move."""
        if self._progress is None:
            self._console.print(Text(f"… {title}: {detail}"))
        else:
            self._progress.update(self._progress.task_ids[0], description=f"{title}: {detail}")

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a long step from its start to its end, with the seconds it took."""
        step = Step(self, title)
        started = time.monotonic()
        try:
            if self.moving:
                with self._moving_line() as self._progress:
                    self._progress.add_task(title, total=None)
                    yield step
            else:
                self._console.print(Text(f"… {title}"))
                yield step
        except BaseException:
            step.good = False
            raise
        finally:
            self._progress = None
            self._ended(step, time.monotonic() - started)

    def _moving_line(self) -> Progress:
        cut = Column(no_wrap=True, overflow="ellipsis", ratio=1)
        text = TextColumn("{task.description}", markup=False, table_column=cut)
        columns = (SpinnerColumn(table_column=Column(min_width=1)), text)
        elapsed = TimeElapsedColumn(table_column=Column(min_width=7))
        return Progress(*columns, elapsed, console=self._console, transient=True, expand=True)

    def _ended(self, step: Step, seconds: float) -> None:
        mark, style = (self._tick, "green") if step.good else (self._cross, "red")
        line = Text(f"{mark} ", style=style) + Text(step.title, style="bold")
        line.append(f": {step.result}" if step.result else "", style="not bold")
        line.append(f"  ({seconds:.1f} s)", style="dim not bold")
        self._console.print(line)

    def table(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Print the result: one column for each task, so that long paths have room."""
        table = Table(show_header=False, show_edge=True, safe_box=not self.moving)
        table.add_column(style="bold", no_wrap=True)
        for _ in rows:
            table.add_column(overflow="fold")
        for name in rows[0] if rows else ():
            table.add_row(name, *(Text(harmless(row[name])) for row in rows))
        self._console.print(table)
