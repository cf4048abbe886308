"""Several sources of one run's logs, taken for one."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_emrkit.hooks.errors import explain, is_aws_error, is_transient
from airflow_provider_emrkit.logs.refusals import Refusals
from airflow_provider_emrkit.logs.sources import LogSources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from airflow_provider_emrkit.logs.sources import LogLine, LogSource

# Seconds without a line after which logs are looked for in the other place, and between two looks there. What
# is sent to CloudWatch is there within seconds, and spark-submit writes as soon as it starts.
PATIENCE = 120.0
LOOK_PAUSE = 30.0
# Seconds between two looks at a set that need not be looked at as often as others that it is joined with.
JOINED_PAUSE = 4.0


@dataclass
class JoinedSources(LogSources):
    """All sources of several sets.

    Where a set can't be looked for, for instance because a permission lacks, that is told, and what is known
    of it stays.

    :param parts: The sets.
    :param region: AWS region, for what is told.
    :param clock: Seconds.

    >>> JoinedSources([step_sources, user_streams], "us-east-1").current()  # doctest: +SKIP
    """

    parts: Sequence[LogSources]
    region: str
    clock: Callable[[], float] = time.monotonic
    _given: dict[int, tuple[float, Sequence[LogSource]]] = field(default_factory=dict)
    _refused: dict[int, str] = field(default_factory=dict)
    _refusals: Refusals = field(init=False)

    def __post_init__(self) -> None:
        self._refusals = Refusals(self.clock)

    @property
    def note(self) -> str | None:
        """Say what each set has to say."""
        return together(*(part.note for part in self.parts), *self._refused.values())

    @property
    def pause(self) -> float | None:
        """The shortest of the sets' pauses."""
        parts = [part for index, part in enumerate(self.parts) if not self._refusals.hold(str(index))]
        return min((part.pause or 0.0 for part in parts), default=0.0) or None

    @property
    def silence(self) -> str | None:
        """What to tell when nothing comes from any."""
        return together(*(part.silence for part in self.parts))

    @property
    def uploaded_within(self) -> float:
        """The longest of the sets' times."""
        return max((part.uploaded_within for part in self.parts), default=0.0)

    def note_end(self) -> None:
        """Note that the run has ended."""
        for part in self.parts:
            part.note_end()

    def current(self) -> Sequence[LogSource]:
        """Name the sources of all sets; the same stream once.

        :raises Exception: what AWS raised where that passes, or where it refuses every set.
        """
        found: dict[str, LogSource] = {}
        for index, part in enumerate(self.parts):
            for source in self._sources(index, part):
                found.setdefault(source.name, source)
        return list(found.values())

    def observe(self, lines: Iterable[LogLine]) -> None:
        """Let all sets learn from what was read."""
        seen = list(lines)
        for part in self.parts:
            part.observe(seen)

    def _sources(self, index: int, part: LogSources) -> Sequence[LogSource]:
        due, sources = self._given.get(index, (0.0, ()))
        now = self.clock()
        if part.pause and index in self._given and now < due:
            return sources
        if self._refusals.hold(str(index)):
            return sources
        try:
            sources = part.current()
        except Exception as error:
            self._note_refusal(index, error)
            return sources
        self._given[index] = (now + JOINED_PAUSE, sources)
        return sources

    def _note_refusal(self, index: int, error: Exception) -> None:
        """Go on with what is known of a set.

        :raises Exception: the error, where it passes, or where every set is refused.
        """
        is_last = len(self._refused.keys() | {index}) == len(self.parts)
        if is_last or not is_aws_error(error) or is_transient(error):
            raise error
        self._refusals.note(str(index), error)
        self._refused[index] = f"Some of the logs can't be shown here: {explain(error, self.region)}."


@dataclass
class FallbackSources(LogSources):
    """The same logs in two places: CloudWatch, and S3 for when nothing comes there.

    The nodes may not be allowed to write to CloudWatch, or their agent may have died. Lines are read in one
    of the places only, so that none is shown twice. Where CloudWatch may not be read, S3 is.

    :param first: Where the lines come at once.
    :param second: Where they come late.
    :param silent: What to tell when nothing comes from the first.
    :param clock: Seconds.

    >>> FallbackSources(cloudwatch, archived, "Nothing came from CloudWatch.")  # doctest: +SKIP
    """

    first: LogSources
    second: LogSources | None
    silent: str
    clock: Callable[[], float] = time.monotonic
    _used: LogSources = field(init=False)
    _spoke: bool = False
    _labels: set[str] = field(default_factory=set)
    _since: float | None = None
    _next_look: float = 0.0
    _is_silent: bool = False
    _has_ended: bool = False
    _refused: str | None = None

    def __post_init__(self) -> None:
        self._used = self.first

    @property
    def note(self) -> str | None:
        """Say what is to be known of the place that is read, and that it is silent."""
        return together(self._refused, self._used.note, self.silence if self._is_silent else None)

    @property
    def pause(self) -> float | None:
        """The pause of the place that is read."""
        return self._used.pause

    @property
    def uploaded_within(self) -> float:
        """The time of the place that is read, or that may be yet."""
        is_open = self._used is self.first and not self._spoke
        used = self.second if is_open else self._used
        return used.uploaded_within if used else 0.0

    @property
    def silence(self) -> str | None:
        """Say why nothing comes."""
        return self.silent

    def note_end(self) -> None:
        """Note that the run has ended, so that what comes late is looked for at once."""
        self._has_ended = True

    def current(self) -> Sequence[LogSource]:
        """Name the sources of the place that has lines."""
        if not self._spoke and self._used is self.first:
            self._listen()
        sources = self._found()
        is_bare = self._used is self.first and not sources
        if self._has_ended and is_bare and self.second and self._has_lines(self.second):
            self._used, self._is_silent = self.second, True
            sources = self.second.current()
        self._labels.update(source.label for source in sources)
        return sources

    def observe(self, lines: Iterable[LogLine]) -> None:
        """Note that lines come, and learn from them."""
        # There may be those of sources that these are joined with.
        seen = [line for line in lines if line.label in self._labels]
        if seen:
            self._spoke, self._is_silent = True, self._used is not self.first
        self._used.observe(seen)

    def _found(self) -> Sequence[LogSource]:
        try:
            return self._used.current()
        except Exception as error:
            passes = not is_aws_error(error) or is_transient(error)
            if passes or self.second is None or self._used is self.second:
                raise
            self._used = self.second
            self._refused = f"The logs in CloudWatch can't be shown here: {explain(error, None)}."
            return self._used.current()

    def _listen(self) -> None:
        """Look in the second place, when the first one has been silent for long."""
        now = self.clock()
        self._since = now if self._since is None else self._since
        if now - self._since < PATIENCE or now < self._next_look:
            return
        self._is_silent = True
        self._next_look = now + LOOK_PAUSE
        if self.second is not None and self._has_lines(self.second):
            self._used = self.second

    def _has_lines(self, second: LogSources) -> bool:
        try:
            return bool(second.current())
        except Exception as error:  # the first one may speak yet
            if not is_aws_error(error):
                raise
            if not is_transient(error):
                self.second = None
            return False


def together(*sentences: str | None) -> str | None:
    """Put sentences one behind the other, those that there are.

    >>> together("One.", None, "Two.")
    'One. Two.'
    """
    return " ".join(filter(None, sentences)) or None
