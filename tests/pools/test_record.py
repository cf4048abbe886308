"""What processes tell each other about a pool: written, read back, whatever somebody has made of it."""

from __future__ import annotations

import json

import pytest

from airflow_provider_emrkit.pools.record import MAX_BYTES, MAX_WAITING, Claim, PoolRecord, Waiting

RECORD = PoolRecord(
    holder="worker-1:4711:9f3a",
    fence=3,
    claims=(
        Claim("place", "c66c9179a54ad449-0-1", "j-1", 1_800_000_400.0),
        Claim("start", "0123456789ab", "", 1_800_000_420.5),
    ),
    draining=frozenset({"j-1", "j-2"}),
    waiting={"a": Waiting(1_800_000_000.0, (1_799_999_000.25, 1_799_999_001.0)), "b": Waiting(1.0, ())},
    specs={"0123456789ab": 1_800_000_000.0},
    placed=(Claim("place", "1f9c3d4e5a6b7c80-0-1", "j-2", 1_800_000_600.0),),
)
WRITE = {"nonce": "abc", "taken": 1_800_000_000.0, "seconds": 30.0}


def changed(**members):
    return json.dumps({**json.loads(RECORD.to_json()), **members})


def test_a_record_is_read_as_it_was_written():
    record = PoolRecord(**{**vars(RECORD), **WRITE})
    assert vars(PoolRecord.from_json(record.to_json())) == vars(record)
    assert vars(PoolRecord.from_json(record.to_json().encode())) == vars(record)


def test_a_record_says_its_version():
    assert json.loads(PoolRecord().to_json())["version"] == 1


def test_records_are_equal_whatever_write_they_came_from():
    assert PoolRecord(**{**vars(RECORD), **WRITE}) == RECORD


def test_what_a_later_version_has_written_is_written_again():
    record = PoolRecord.from_json(changed(version=2, hopes={"j-1": [1, None]}, claims=[]))
    written = json.loads(record.to_json())
    assert (written["version"], written["hopes"], written["claims"]) == (2, {"j-1": [1, None]}, [])


def test_what_a_later_version_has_written_does_not_grow_without_bounds(caplog):
    record = PoolRecord.from_json(changed(hopes="x" * 100_000))
    assert record == RECORD
    assert record.others == {}
    assert "1 parts of a pool's record can't be read" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"text"',
        "{",
        b"\xff\xfe",
        "[" * 100_000,
        '{"fence": ' + "9" * 5_000 + "}",
        " " * (MAX_BYTES + 1),
        "<html>404</html>",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_what_is_no_record_counts_as_an_empty_one_with_a_warning(text, caplog):
    assert PoolRecord.from_json(text) == PoolRecord()
    assert "counts as empty" in caplog.text


@pytest.mark.parametrize(
    ("members", "left"),
    [
        ({"holder": 5}, {"holder": ""}),
        ({"holder": "a\nb"}, {"holder": ""}),
        ({"holder": "x" * 201}, {"holder": ""}),
        ({"fence": -1}, {"fence": 0}),
        ({"fence": True}, {"fence": 0}),
        ({"fence": 1e300}, {"fence": 0}),
        ({"fence": "3"}, {"fence": 0}),
        ({"claims": None}, {"claims": ()}),
        ({"claims": {"a": 1}}, {"claims": ()}),
        ({"claims": ["x", {"deed": "sing", "id": "a"}, {"deed": "start"}]}, {"claims": ()}),
        ({"claims": [{"deed": ["start"], "id": "a"}]}, {"claims": ()}),
        (
            {"claims": [{"deed": "start", "id": "a", "cluster_id": 7, "until": float("nan")}]},
            {"claims": (Claim("start", "a", "", 0.0),)},
        ),
        ({"draining": "j-1"}, {"draining": frozenset()}),
        ({"draining": ["j-1", 2, "\x1b[31m"]}, {"draining": {"j-1"}}),
        ({"waiting": []}, {"waiting": {}}),
        ({"waiting": {"a": None}}, {"waiting": {"a": Waiting(0.0, ())}}),
        (
            {"waiting": {"a": {"seen": float("inf"), "since": [2.0, "x", 1.0]}, "\n": {}}},
            {"waiting": {"a": Waiting(0.0, (0.0, 1.0, 2.0))}},
        ),
        ({"specs": 1}, {"specs": {}}),
        ({"specs": {"a": [], "b": 2.0}}, {"specs": {"a": 0.0, "b": 2.0}}),
        ({"taken": "x", "seconds": -1}, {"taken": 0.0, "seconds": 0.0}),
    ],
)
def test_what_can_not_be_right_is_left_out_with_a_warning_and_the_rest_is_read(members, left, caplog):
    record = PoolRecord.from_json(changed(**members))
    assert vars(record) == {**vars(PoolRecord.from_json(RECORD.to_json())), **left}
    assert "can't be read, and are left out" in caplog.text


def test_a_record_that_is_as_it_should_be_is_read_without_a_word(caplog):
    PoolRecord.from_json(RECORD.to_json())
    PoolRecord.from_json("{}")
    assert caplog.text == ""


def test_of_very_many_jobs_that_wait_the_oldest_are_told():
    since = tuple(float(number) for number in range(2_000, 0, -1))
    record = PoolRecord.from_json(PoolRecord(waiting={"a": Waiting(1.0, since)}).to_json())
    assert record.waiting["a"].since == tuple(float(number) for number in range(1, MAX_WAITING + 1))


def test_of_very_many_processes_those_that_spoke_last_are_kept():
    waiting = {f"p-{number}": Waiting(float(number), (1.0,)) for number in range(3_000)}
    record = PoolRecord.from_json(PoolRecord(waiting=waiting).to_json())
    assert set(record.waiting) == {f"p-{number}" for number in range(2_000, 3_000)}


def test_of_very_many_claims_those_that_count_longest_are_kept():
    claims = tuple(Claim("place", f"c-{number}", "j-1", float(number)) for number in range(12_000))
    record = PoolRecord.from_json(PoolRecord(claims=claims).to_json())
    assert len(record.claims) == 10_000
    assert min(claim.until for claim in record.claims) == 2_000


def test_the_largest_record_there_can_be_is_read_again(caplog):
    long = "x" * 190
    record = PoolRecord(
        claims=tuple(Claim("place", f"{long}{n}", long, 1_800_000_000.123) for n in range(10_000)),
        draining=frozenset(f"{long}{n}" for n in range(10_000)),
        waiting={f"{long}{n}": Waiting(1.0, (1_800_000_000.123,) * MAX_WAITING) for n in range(1_000)},
        specs={f"{long}{n}": 1.0 for n in range(1_000)},
    )
    again = PoolRecord.from_json(record.to_json())
    assert (len(again.claims), len(again.draining), len(again.waiting)) == (10_000, 10_000, 1_000)
    assert caplog.text == ""
