"""A file of records that was damaged is no reason not to start."""

from __future__ import annotations

import json

import pytest

from airflow_provider_emrkit.localemr.record_file import RecordFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.db"


@pytest.fixture
def filled(path):
    file = RecordFile(path)
    assert file.put([("step", f"s-{number}", "j-1", json.dumps("x" * 300)) for number in range(200)])
    file.close()
    return path


def records(path):
    return [record for _, record in RecordFile(path).read("step", json.loads)]


def test_a_file_that_is_damaged_in_its_middle_is_put_aside(filled, caplog):
    data = filled.read_bytes()
    filled.write_bytes(data[:8192] + b"\xff" * (len(data) - 8192))
    file = RecordFile(filled)
    assert list(file.read("step", json.loads)) == []
    assert file.put([("step", "s-new", "j-1", "1")])
    assert records(filled) == [1]
    assert filled.with_name("state.db.unreadable").is_file()
    assert "put aside" in caplog.text


def test_what_was_put_aside_before_stays(path):
    for text in (b"the first", b"the second"):
        path.write_bytes(text * 100)
        RecordFile(path).close()
    aside = sorted(path.parent.glob("state.db.unreadable*"))
    assert [file.read_bytes()[:10] for file in aside] == [b"the firstt", b"the second"]


def test_a_record_that_is_no_text_does_not_hide_the_others(filled, caplog):
    data = filled.read_bytes()
    place = data.index(b"x" * 300) - 1
    filled.write_bytes(data[:place] + b"\xff" + data[place + 1 :])
    assert len(records(filled)) == 199
    assert "can't be read" in caplog.text
