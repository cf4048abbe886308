"""Bytes of a pipe, in a file as they came and as lines with a time."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.run.logs import LineCutter, LogStream, PipeReader


def cut(*chunks: bytes, limit: int = 100) -> list[bytes]:
    cutter = LineCutter(limit)
    lines = [line for chunk in chunks for line in cutter.feed(chunk)]
    return lines + list(cutter.end())


def test_lines_are_whole_however_the_bytes_arrive():
    assert cut(b"one\ntw", b"o\n\nthree") == [b"one", b"two", b"", b"three"]
    assert cut(b"one\n") == [b"one"]


def test_a_line_that_never_ends_takes_no_memory():
    assert cut(b"x" * 60, b"x" * 60, limit=100) == [b"x" * 120]


def test_a_pipe_ends_up_in_the_file_and_in_the_publisher(tmp_path):
    lines: list[tuple[int, str]] = []
    stream = LogStream(tmp_path / "stdout", lambda timestamp, line: lines.append((timestamp, line)))
    reading, writing = os.pipe()
    reader = PipeReader(os.fdopen(reading, "rb"), stream)
    os.write(writing, b"caf\xc3\xa9\r\n\xff\nlast")
    os.close(writing)
    reader.finish()
    assert (tmp_path / "stdout").read_bytes() == b"caf\xc3\xa9\r\n\xff\nlast"
    assert [line for _, line in lines] == ["café", "�", "last"]
    assert [timestamp for timestamp, _ in lines] == sorted(timestamp for timestamp, _ in lines)


def test_lines_of_our_own_are_added(tmp_path):
    stream = LogStream(tmp_path / "controller")
    stream.write_lines(["a", "b"])
    assert (tmp_path / "controller").read_text() == "a\nb\n"


def test_the_end_of_a_pipe_that_somebody_else_holds_open_is_not_waited_for(tmp_path):
    reading, writing = os.pipe()
    reader = PipeReader(os.fdopen(reading, "rb"), LogStream(tmp_path / "stdout"))
    os.write(writing, b"what was there\n")
    reader.finish()
    assert (tmp_path / "stdout").read_bytes() == b"what was there\n"
    with pytest.raises(BrokenPipeError):
        os.write(writing, b"too late\n")
    os.close(writing)


def test_all_lines_are_waited_for_however_slowly_they_are_taken(tmp_path):
    taken: list[str] = []
    may_go_on = threading.Event()

    def publish(_: int, line: str) -> None:
        may_go_on.wait(10)
        taken.append(line)

    reading, writing = os.pipe()
    reader = PipeReader(os.fdopen(reading, "rb"), LogStream(tmp_path / "stdout", publish))
    os.write(writing, b"x\n" * 1000)
    os.close(writing)
    threading.Timer(0.2, may_go_on.set).start()
    reader.finish()
    assert taken == ["x"] * 1000


def test_a_file_that_cannot_be_written_does_not_stop_the_job(tmp_path, caplog):
    lines: list[str] = []
    stream = LogStream(tmp_path / "stdout", lambda _, line: lines.append(line))
    stream.path = Path("/dev/full")
    reading, writing = os.pipe()
    reader = PipeReader(os.fdopen(reading, "rb"), stream)
    for _ in range(10):  # more than a pipe holds
        os.write(writing, b"x" * 30_000 + b"\n")
    os.close(writing)
    reader.finish()
    assert len(lines) == 10
    assert caplog.text.count("No space left on device") == 1
