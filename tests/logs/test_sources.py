from __future__ import annotations

import gzip
from typing import Any

import pytest

from airflow_provider_emrkit.logs.s3_files import S3LogFile
from airflow_provider_emrkit.logs.sources import CloudWatchStream


def texts(lines: Any) -> list[str]:
    return [line.text for line in lines]


def test_a_stream_is_read_on_from_where_it_was_read_to(logs, write):
    source = CloudWatchStream(logs, "/emr", "steps/s-1/stdout", "stdout")
    write("/emr", "steps/s-1/stdout", (0, "one"), (1, "two"))
    first = source.read(None)
    write("/emr", "steps/s-1/stdout", (2, "three"))
    second = source.read(first.cursor)
    assert texts(first.lines) == ["one", "two"]
    assert texts(second.lines) == ["three"]
    assert source.read(second.cursor).lines == []


def test_a_stream_that_is_not_there_yet_is_empty(logs, write):
    source = CloudWatchStream(logs, "/emr", "late", "stdout")
    assert source.read(None).lines == []
    write("/emr", "late", (0, "here"))
    assert texts(source.read(None).lines) == ["here"]
    assert CloudWatchStream(logs, "/emr", "never", "stdout").from_end(5).lines == []


def test_the_end_of_a_stream(logs, write):
    write("/emr", "s", *((number, f"line {number}") for number in range(20)))
    source = CloudWatchStream(logs, "/emr", "s", "stdout")
    read = source.from_end(3)
    assert (texts(read.lines), read.skipped) == (["line 17", "line 18", "line 19"], True)
    write("/emr", "s", (20, "line 20"))
    assert texts(source.read(read.cursor).lines) == ["line 20"]


def test_late_events_of_a_stream_are_given_once_and_bring_back_no_others(logs, write):
    now = [0.0]
    source = CloudWatchStream(logs, "/emr", "s", "stdout", clock=lambda: now[0])
    write("/emr", "s", (0, "a"), (10, "c"), (20, "e"))
    read = source.read(None)
    assert texts(read.lines) == ["a", "c", "e"]
    found = []
    for late in ([(5, "b")], [(15, "d"), (16, "dd")], [], [(29, "late f"), (30, "f")], []):
        if late:
            write("/emr", "s", *late)
        now[0] += 2
        read = source.read(read.cursor)
        found += texts(read.lines)
    assert found == ["b", "d", "dd", "late f", "f"]


def test_an_event_of_several_lines_gives_several(logs, write):
    write("/emr", "s", (0, "a\nb"))
    assert texts(CloudWatchStream(logs, "/emr", "s", "stdout").read(None).lines) == ["a", "b"]


class Pages:
    """CloudWatch Logs that answers with prepared pages: (messages, token)."""

    class exceptions:  # noqa: N801 - as boto3 calls it
        ClientError = Exception

    def __init__(self, *pages: tuple[list[str], str]) -> None:
        self.pages = list(pages)
        self.asked: list[str | None] = []

    def get_log_events(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request.get("nextToken"))
        messages, token = self.pages.pop(0)
        events = [{"timestamp": 1, "message": message} for message in messages]
        return {"events": events, "nextForwardToken": token}


def test_an_empty_page_is_not_the_end():
    logs = Pages((["a"], "f/1"), ([], "f/2"), (["b"], "f/3"), ([], "f/3"))
    read = CloudWatchStream(logs, "/emr", "s", "stdout").read(None)
    assert texts(read.lines) == ["a", "b"]
    assert (read.cursor.token, read.complete) == ("f/3", True)
    assert logs.asked == [None, "f/1", "f/2", "f/3"]


def test_a_stream_that_grows_faster_than_it_is_read_is_left_for_the_next_time():
    logs = Pages(*(([f"x{number}"], f"f/{number}") for number in range(50)))
    read = CloudWatchStream(logs, "/emr", "s", "stdout").read(None)
    assert (len(read.lines), read.complete, read.cursor.token) == (10, False, "f/9")


@pytest.fixture
def archived(s3):
    s3.create_bucket(Bucket="logs")
    source = S3LogFile(s3, "logs", "j-1/steps/s-1/stderr.gz", "stderr")

    def put(content: bytes) -> S3LogFile:
        s3.put_object(Bucket="logs", Key=source.key, Body=content)
        return source

    return put


def test_an_archived_log_that_is_rewritten_gives_its_new_lines(archived):
    source = archived(gzip.compress(b"one\ntwo\n"))
    first = source.read(None)
    archived(gzip.compress(b"one\ntwo\nthree\n"))
    assert texts(first.lines) == ["one", "two"]
    assert texts(source.read(first.cursor).lines) == ["three"]
    assert texts(source.from_end(1).lines) == ["three"]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b"no archive", [], id="no archive"),
        pytest.param(gzip.compress(b"caf\xe9\n"), ["caf\ufffd"], id="another encoding"),
        pytest.param(gzip.compress(b"\0" * 50_000_000)[:-10], None, id="a bomb, cut off"),
    ],
)
def test_an_archived_log_may_hold_anything(archived, content, lines):
    found = texts(archived(content).from_end(10).lines)
    assert lines is None or found == lines
    assert sum(map(len, found)) < 20_000


def test_a_log_that_is_not_archived_yet_is_empty(s3):
    s3.create_bucket(Bucket="logs")
    assert S3LogFile(s3, "logs", "j-1/steps/s-1/stderr.gz", "stderr").from_end(10).lines == []
