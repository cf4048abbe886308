from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_emrkit.logs.sources import LogLine, Read
from airflow_provider_emrkit.logs.tail import LogTail, shortened


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


@dataclass
class Sources:
    sources: list[Source]
    seen: list[LogLine] = field(default_factory=list)

    def current(self) -> Any:
        return self.sources

    def observe(self, lines: Any) -> None:
        self.seen += lines


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
    broken = Source("err", [(1, "x")], error=OSError("gone"))
    sources = Sources([Source("out", [(1, "a")]), broken])
    tail = LogTail(sources)
    new = tail.read()
    assert [line.text for line in new.lines] == ["a"]
    assert [str(error) for error in new.errors] == ["gone"]
    broken.error = None
    assert texts(tail) == ["x"]


def test_too_many_lines_are_cut_in_the_middle_and_counted():
    lines = [LogLine(number, str(number), "stdout") for number in range(1_000)]
    short = [line.text for line in shortened(lines, 10)]
    assert short[:5] == ["0", "1", "2", "3", "4"]
    assert short[-5:] == ["995", "996", "997", "998", "999"]
    assert "990 lines left out" in short[5]


def test_sources_learn_from_lines_that_are_not_shown():
    source = Source("err", [(number, str(number)) for number in range(100)])
    sources = Sources([source])
    LogTail(sources, max_lines=2).read()
    assert len(sources.seen) == 100
