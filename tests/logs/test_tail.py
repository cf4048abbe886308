from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from airflow_provider_emrkit.logs.refusals import REFUSAL_PAUSE
from airflow_provider_emrkit.logs.sources import LogLine, LogSources, Read
from airflow_provider_emrkit.logs.tail import LogTail


@dataclass
class Source:
    name: str
    written: list[tuple[int, str]] = field(default_factory=list)
    label: str = "stdout"
    error: Exception | None = None

    def read(self, cursor: str | None) -> Read:
        if self.error:
            raise self.error
        done = int(cursor or 0)
        lines = [LogLine(when, text, self.label) for when, text in self.written[done:]]
        return Read(lines, str(len(self.written)))

    def from_end(self, limit: int) -> Read:
        if self.error:
            raise self.error
        lines = [LogLine(when, text, self.label) for when, text in self.written[-limit:]]
        return Read(
            lines, str(len(self.written)) if self.written else None, skipped=len(self.written) > limit
        )

    def link(self, region: str) -> str:
        return f"https://{region}/{self.name}"


@dataclass
class Sources(LogSources):
    sources: list[Source]
    seen: list[LogLine] = field(default_factory=list)

    def current(self) -> Any:
        return self.sources

    def observe(self, lines: Any) -> None:
        self.seen += lines


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeLogStreams")  # type: ignore[typeddict-item]


def texts(tail: LogTail) -> list[str]:
    return [line.text for line in tail.read().lines]


def test_lines_of_all_sources_are_ordered_by_time():
    out, err = Source("out", [(1, "a"), (5, "c")]), Source("err", [(3, "b"), (5, "d")])
    assert texts(LogTail(Sources([out, err]))) == ["a", "b", "c", "d"]


def test_each_line_comes_once():
    source = Source("out", [(1, "a")])
    tail = LogTail(Sources([source]))
    assert texts(tail) == ["a"]
    source.written.append((2, "b"))
    assert texts(tail) == ["b"]
    assert texts(tail) == []


def test_a_source_that_appears_late_is_read_from_its_start():
    sources = Sources([Source("out", [(5, "b")])])
    tail = LogTail(sources)
    assert texts(tail) == ["b"]
    sources.sources.append(Source("driver", [(1, "a"), (2, "aa")]))
    assert texts(tail) == ["a", "aa"]


def test_one_failing_source_costs_no_line_of_the_others():
    broken = Source("err", [(1, "x")], error=ConnectionError("gone"))
    sources = Sources([Source("out", [(1, "a")]), broken])
    tail = LogTail(sources)
    new = tail.read()
    assert [line.text for line in new.lines] == ["a"]
    assert [str(error) for error in new.errors] == ["gone"]
    broken.error = None
    assert texts(tail) == ["x"]


def test_sources_learn_from_lines_that_are_not_shown():
    source = Source("err", [(number, str(number)) for number in range(100)])
    sources = Sources([source])
    LogTail(sources, max_lines=2).read()
    assert len(sources.seen) == 100


def test_a_look_says_how_many_lines_it_leaves_out():
    assert LogTail(Sources([Source("out", [(1, "a")] * 10)]), max_lines=4).read().left_out == 6


def test_it_can_begin_before_the_end_and_goes_on_from_there():
    source = Source("out", [(number, str(number)) for number in range(100)])
    tail = LogTail(Sources([source]), max_lines=2, from_end=10)
    new = tail.read()
    assert [line.text for line in new.lines] == [str(number) for number in range(90, 100)]
    assert new.skipped
    source.written.append((100, "100"))
    assert texts(tail) == ["100"]


def test_a_log_that_is_shorter_than_the_end_is_read_whole():
    new = LogTail(Sources([Source("out", [(1, "a"), (2, "b")])]), from_end=10).read()
    assert [line.text for line in new.lines] == ["a", "b"]
    assert not new.skipped


def test_the_end_is_that_of_all_sources_together():
    first = Source("out", [(number, f"out {number}") for number in range(0, 20, 2)])
    second = Source("err", [(number, f"err {number}") for number in range(1, 21, 2)])
    new = LogTail(Sources([first, second]), from_end=10).read()
    assert [line.timestamp for line in new.lines] == list(range(10, 20))
    assert new.skipped


def test_a_source_whose_end_could_not_be_read_is_read_from_there_later():
    broken = Source("err", [(number, str(number)) for number in range(100)], error=refused("Throttling"))
    sources = Sources([broken, Source("out", [(1, "a")])])
    tail = LogTail(sources, from_end=10)
    assert texts(tail) == ["a"]
    broken.error = None
    assert texts(tail) == [str(number) for number in range(90, 100)]


def test_a_source_that_comes_after_the_first_look_is_read_from_its_start():
    sources = Sources([Source("out", [(1, "a")])])
    tail = LogTail(sources, from_end=10)
    tail.read()
    sources.sources.append(Source("driver", [(number, str(number)) for number in range(100)]))
    assert len(texts(tail)) == 100


def test_where_lines_are_is_told_by_links_or_names():
    tail = LogTail(
        Sources([Source("group submit", [(1, "a")], "submit"), Source("silent"), Source("d", [(2, "b")])])
    )
    tail.read()
    assert tail.places("eu", on_aws=True) == "stdout: https://eu/d; submit: https://eu/group submit"
    assert tail.places("eu", on_aws=False) == "stdout: d; submit: group submit"


class Listing(Sources):
    """Finds a second source once the first has told of it; may be refused that."""

    refusal: Exception | None = None
    listings = 0

    def current(self) -> Any:
        if not self.seen:
            return self.sources[:1]
        self.listings += 1
        if self.refusal:
            raise self.refusal
        return self.sources


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
def test_lines_that_were_read_are_not_lost_when_further_sources_can_t_be_looked_for(code):
    sources = Listing([Source("submit", [(1, "application_1")]), Source("driver", [(2, "rows: 3")])])
    sources.refusal = refused(code)
    tail = LogTail(sources, clock=lambda: now)
    now = 0.0
    new = tail.read()
    assert ([line.text for line in new.lines], new.errors) == (["application_1"], [sources.refusal])
    sources.sources[0].written.append((3, "RUNNING"))
    assert texts(tail) == ["RUNNING"]
    sources.refusal = None
    now = REFUSAL_PAUSE
    assert texts(tail) == ["rows: 3"]


def test_what_is_refused_is_asked_for_seldom():
    sources = Listing([Source("submit", [(1, "application_1")]), Source("driver", [(2, "rows: 3")])])
    sources.refusal = refused("AccessDeniedException")
    clock = [0.0]
    tail = LogTail(sources, clock=lambda: clock[0])
    for clock[0] in range(0, 120, 2):
        tail.read()
    assert sources.listings == 2


def test_a_source_that_is_refused_goes_on_where_it_was_when_it_is_allowed_again():
    source = Source("out", [(1, "a")])
    tail = LogTail(Sources([source, Source("err")]), clock=lambda: now)
    now = 0.0
    assert texts(tail) == ["a"]
    source.written.append((2, "b"))
    source.error = refused("AccessDeniedException")
    assert len(tail.read().errors) == 1
    source.error = None
    assert tail.read().errors == []
    now = REFUSAL_PAUSE
    assert texts(tail) == ["b"]


def test_where_nobody_answers_the_others_are_not_waited_for_as_well():
    sources = [Source(name, [(1, name)]) for name in ("a", "b", "c")]
    sources[1].error = ReadTimeoutError(endpoint_url="https://logs")
    tail = LogTail(Sources(sources))
    new = tail.read()
    assert ([line.text for line in new.lines], new.errors) == (["a"], [sources[1].error])
    sources[1].error = None
    assert texts(tail) == ["b", "c"]


@dataclass
class Counted(Source):
    reads: int = 0

    def read(self, cursor: str | None) -> Read:
        self.reads += 1
        return super().read(cursor)


def test_sources_that_are_silent_for_long_are_read_seldom_where_calls_are_to_be_spared():
    busy, silent, clock = Counted("driver"), Counted("executor 1"), [0.0]
    tail = LogTail(Sources([busy, silent]), clock=lambda: clock[0])
    for second in range(0, 600, 2):
        clock[0] = second
        busy.written.append((second, "x"))
        assert texts(tail) if not second else tail.read(sparing=True).lines
    assert busy.reads == 300
    assert 35 <= silent.reads <= 60
    silent.written.append((1, "last words"))
    assert texts(tail) == ["last words"]


def test_a_source_that_speaks_again_is_read_each_time():
    source, clock = Counted("executor 1"), [0.0]
    tail = LogTail(Sources([source]), clock=lambda: clock[0])
    tail.read()
    clock[0] = 600.0
    source.written.append((1, "here"))
    assert tail.read(sparing=True).lines
    for second in (602, 604, 606):
        clock[0] = second
        source.written.append((second, "x"))
        assert tail.read(sparing=True).lines


def test_more_sources_than_a_driver_has_are_a_crowd():
    few, many = (LogTail(Sources([Source(str(n)) for n in range(number)])) for number in (4, 50))
    few.read(), many.read()
    assert (few.is_crowded, many.is_crowded) == (False, True)
