"""Bytes of a pipe, in a file as they came and as lines with a time."""

from __future__ import annotations

import os

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
    reader = PipeReader(reading, stream)
    os.write(writing, b"caf\xc3\xa9\r\n\xff\nlast")
    os.close(writing)
    reader.join(5)
    os.close(reading)
    assert (tmp_path / "stdout").read_bytes() == b"caf\xc3\xa9\r\n\xff\nlast"
    assert [line for _, line in lines] == ["café", "�", "last"]
    assert [timestamp for timestamp, _ in lines] == sorted(timestamp for timestamp, _ in lines)


def test_lines_of_our_own_are_added(tmp_path):
    stream = LogStream(tmp_path / "controller")
    stream.write_lines(["a", "b"])
    assert (tmp_path / "controller").read_text() == "a\nb\n"
