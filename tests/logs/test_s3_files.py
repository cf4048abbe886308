from __future__ import annotations

import gzip
import itertools
import time
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_emrkit.logs import s3_files
from airflow_provider_emrkit.logs.s3_files import S3LogFile
from airflow_provider_emrkit.logs.s3_folders import Part, S3Folder, bucket_and_prefix

KEY = "j-1/steps/s-1/stderr.gz"
AN_HOUR = "j-1/steps/s-1/stderr.2026-11-28-10.gz"
NEXT_HOUR = "j-1/steps/s-1/stderr.2026-11-28-11.gz"
NOON = int(datetime(2026, 11, 28, 12, tzinfo=timezone.utc).timestamp() * 1000)


class Gets:
    """S3 as its client shows it; counts the objects that were sent."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self.sent: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def get_object(self, **request: Any) -> Any:
        answer = self._s3.get_object(**request)
        self.sent.append(request["Key"])
        return answer


@pytest.fixture
def gets(s3):
    s3.create_bucket(Bucket="logs")
    return Gets(s3)


@pytest.fixture
def put(s3, gets):
    def put(text: str | bytes, key: str = KEY) -> None:
        s3.put_object(
            Bucket="logs", Key=key, Body=gzip.compress(text.encode() if isinstance(text, str) else text)
        )

    return put


@pytest.fixture
def log(gets):
    """The log as it is listed now."""

    def part(key: str) -> Part | None:
        return Part(KEY, "stderr", "" if key == KEY else key)

    def listed() -> S3LogFile:
        found = S3Folder(gets, "logs", "j-1/steps/s-1/", part).logs()
        return found[0] if found else S3LogFile(gets, "logs", KEY, "stderr")

    return listed


def texts(read: Any) -> list[str]:
    return [line.text for line in read.lines]


def read_all(log: Any, cursor: Any) -> tuple[list[str], Any]:
    """Read until there is nothing more for now."""
    lines = []
    for _ in range(10):
        read = log().read(cursor)
        lines += texts(read)
        cursor = read.cursor
        if read.complete:
            return lines, cursor
    raise AssertionError("it never ends")


def test_a_log_that_has_not_changed_is_not_sent_again(put, gets):
    put("one\n")
    source = S3LogFile(gets, "logs", KEY, "stderr")
    first = source.read(None)
    again = source.read(first.cursor)
    assert (texts(again), again.cursor) == ([], first.cursor)
    assert gets.sent == [KEY]


def test_a_log_whose_listing_says_that_it_has_not_changed_is_not_even_asked_for(put, log, s3):
    put("one\n")
    cursor = log().read(None).cursor
    source = log()
    s3.delete_object(Bucket="logs", Key=KEY)
    assert source.read(cursor).cursor is cursor


def test_a_line_that_was_cut_by_the_upload_goes_on_in_the_next_one(put, log):
    put("one\ntw")
    lines, cursor = read_all(log, None)
    put("one\ntwo\nthree\n")
    assert lines + read_all(log, cursor)[0] == ["one", "tw", "o", "three"]


def test_a_log_that_is_put_aside_while_it_is_read_is_one_log(put, log, s3):
    """At the end of an hour, what was read so far becomes an object of its own, and the log starts anew."""
    put("one\ntwo\n")
    lines, cursor = read_all(log, None)
    put("one\ntwo\nthree\n", AN_HOUR)
    put("four\n")
    more, cursor = read_all(log, cursor)
    put("four\nfive\n", NEXT_HOUR)
    put("six\n")
    rest, _ = read_all(log, cursor)
    assert lines + more + rest == ["one", "two", "three", "four", "five", "six"]


def test_a_log_of_many_hours_is_read_from_its_beginning(put, log):
    put("one\n", AN_HOUR)
    put("two\n", NEXT_HOUR)
    put("three\n")
    assert read_all(log, None)[0] == ["one", "two", "three"]


def test_the_part_may_be_there_before_the_log_starts_anew(put, log):
    put("one\n")
    lines, cursor = read_all(log, None)
    put("one\ntwo\n")  # not looked at
    put("one\ntwo\nthree\n", AN_HOUR)
    more, cursor = read_all(log, cursor)
    put("four\n")
    rest, _ = read_all(log, cursor)
    assert lines + more + rest == ["one", "two", "three", "four"]


def test_the_log_may_start_anew_before_the_part_is_there(put, log):
    put("one\n")
    lines, cursor = read_all(log, None)
    put("three\n")
    more, cursor = read_all(log, cursor)
    put("one\ntwo\n", AN_HOUR)
    rest, _ = read_all(log, cursor)
    assert lines + more + rest == ["one", "two", "three"]


def test_a_part_that_never_comes_keeps_nothing_back_for_long(put, log):
    put("one\n" * 10)
    _, cursor = read_all(log, None)
    put("two\n")
    more, cursor = read_all(log, cursor)
    rest, _ = read_all(log, cursor)
    assert more + rest == ["two"]


def test_the_end_of_a_log_that_was_just_put_aside_is_in_the_part(put, log):
    put("one\ntwo\n", AN_HOUR)
    put("three\n", NEXT_HOUR)
    put("four\n")
    end = log().from_end(2)
    assert (texts(end), end.skipped) == (["three", "four"], True)
    assert read_all(log, end.cursor)[0] == []
    put("four\nfive\n")
    assert read_all(log, end.cursor)[0] == ["five"]


def test_the_end_of_a_short_log_is_all_of_it(put, log):
    put("one\ntwo\n")
    end = log().from_end(10)
    assert (texts(end), end.skipped) == (["one", "two"], False)


def test_of_a_huge_log_the_end_is_given_and_told(put, log, monkeypatch):
    monkeypatch.setattr(s3_files, "MAX_KEPT", 2_000_000)
    put(b"".join(b"%099d\n" % number for number in range(40_000)))
    read = log().read(None)
    assert texts(read)[0] == "… 2 MB of this log left out here …"
    assert [int(text) for text in texts(read)[1:]] == list(range(20_001, 40_000))
    assert read.skipped
    put(b"".join(b"%099d\n" % number for number in range(40_002)))
    assert [int(text) for text in texts(log().read(read.cursor))] == [40_000, 40_001]


def test_an_archive_that_never_ends_is_not_unpacked_for_ever(put, log, monkeypatch):
    monkeypatch.setattr(s3_files, "MAX_UNPACKED", 10 * s3_files.BLOCK)
    put(b"\n" * (20 * s3_files.BLOCK))
    read = log().read(None)
    assert read.cursor.offset == 10 * s3_files.BLOCK


def test_a_line_without_a_time_has_that_of_the_line_before_it(put, log):
    put("rows\n26/11/28 12:00:00 ERROR Executor: x\n\tat java.lang\n26/11/28 12:00:01 INFO x\n")
    first = log().read(None)
    assert [line.timestamp for line in first.lines] == [None, NOON, NOON, NOON + 1000]
    put("rows\n26/11/28 12:00:00 ERROR Executor: x\n\tat java.lang\n26/11/28 12:00:01 INFO x\nCaused by\n")
    assert [line.timestamp for line in log().read(first.cursor).lines] == [NOON + 1000]


def test_times_do_not_change_the_order_of_a_log(put, log):
    ahead = datetime.fromtimestamp(time.time() + 86_400, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    put(f"2026-11-28 12:00:02 two\n2026-11-28 12:00:01 one\n{ahead} tomorrow\n")
    times = [line.timestamp for line in log().read(None).lines]
    assert all(before <= after for before, after in itertools.pairwise(times))
    assert times[-1] == NOON + 2000


def test_the_tenth_part_comes_after_the_ninth(s3, gets, put):
    for number in range(1, 12):
        put("x", f"logs/archived/stderr_{number}.gz")
    folder = S3Folder(gets, "logs", "logs/", lambda key: Part("logs/stderr.gz", "stderr", key.split("_")[1]))
    (found,) = folder.logs()
    assert [key.split("_")[1] for key in found.older] == [f"{number}.gz" for number in range(1, 12)]


def test_a_folder_of_thousands_of_objects_is_listed_to_its_end(s3, gets, put, monkeypatch):
    for number in range(5):
        put("x", f"many/{number}.gz")
    monkeypatch.setattr(
        gets, "list_objects_v2", lambda **request: s3.list_objects_v2(**request, MaxKeys=2), raising=False
    )
    assert len(S3Folder(gets, "logs", "many/", lambda key: Part(key, "x")).logs()) == 5


def test_a_bucket_that_is_not_there_has_no_logs(s3):
    assert S3Folder(s3, "nowhere", "j-1/", lambda key: Part(key, "x")).logs() == []


@pytest.mark.parametrize("uri", ["s3://logs/emr", "s3n://logs/emr/", "s3a://logs//emr/"])
def test_emr_writes_an_s3_uri_in_several_ways(uri):
    assert bucket_and_prefix(uri) == ("logs", "emr/")
