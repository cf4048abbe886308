"""What is written, what counts as lost and doubled, and how it is judged."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from benchmarks.endpoint.cloudwatch import CloudWatch
from benchmarks.goals import judge
from benchmarks.logs.counting import CountingLog
from benchmarks.logs.figures import LogFigures
from benchmarks.logs.plan import GROUP, LogShape, key_of, make_plan, stream_names
from benchmarks.logs.scenarios import LOG_READERS, LOGS_FULL, LOGS_QUICK
from benchmarks.logs.table import logs_table
from benchmarks.logs.tally import tally
from benchmarks.scenarios import EMRKIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.logs.plan import LogEvent

STARTED = 1_700_000_000.0
SHAPE = LogShape(2, 500, rate=100.0, begins=1.0, late=0.1, lateness=3.0, twins=0.05)
PLAN = make_plan(SHAPE, 1)


def at_once(plan: Sequence[LogEvent]) -> list[tuple[float, str]]:
    return [(STARTED + event.arrives, f"[stderr] {event.text}") for event in plan]


# --- what is written ----------------------------------------------------------------------------


def test_the_same_seed_writes_the_same() -> None:
    assert make_plan(SHAPE, 1) == PLAN
    assert make_plan(SHAPE, 2) != PLAN


def test_each_stream_gets_its_events_in_the_time_it_takes_to_write_them() -> None:
    for stream in range(2):
        here = [event for event in PLAN if event.stream == stream]
        assert len(here) == 500
        assert here[0].written == 1.0
        assert here[-1].written == pytest.approx(1.0 + 499 / 100, abs=0.1)
        assert all(len(event.text) == SHAPE.size for event in here)


def test_some_events_come_late_and_behind_younger_ones() -> None:
    late = [event.arrives - event.written for event in PLAN if event.arrives > event.written]
    assert len(late) == pytest.approx(100, rel=0.4)
    assert 0.5 <= min(late) < max(late) <= SHAPE.lateness
    assert max(event.arrives for event in PLAN) <= SHAPE.ends


def test_some_events_are_the_same_as_others() -> None:
    texts = [event.text for event in PLAN]
    assert len(texts) - len(set(texts)) == pytest.approx(50, rel=0.4)


def test_streams_are_named_as_emr_names_them() -> None:
    names = stream_names(replace(SHAPE, streams=4), "s-1")
    assert names[0] == "steps/s-1/stderr"
    assert names[2].startswith("applications/application_")
    assert names[3].endswith("_000001/stdout")


def test_a_line_tells_which_event_it_shows_whatever_is_around_it() -> None:
    keys = {key_of(f'{{"event": "[stderr] {event.text}", "level": "info"}}') for event in PLAN}
    assert keys == {key_of(event.text) for event in PLAN}
    assert None not in keys
    assert key_of("The job is running.") is None


# --- what is counted ----------------------------------------------------------------------------


def test_a_log_that_comes_whole_has_nothing_missing_and_nothing_doubled() -> None:
    found = tally(PLAN, at_once(PLAN), STARTED)
    assert (found.taken, found.missing, found.doubled) == (1_000, 0, 0)


@pytest.mark.parametrize("dropped", [0, 17, 999])
def test_a_line_that_is_dropped_is_missed(dropped: int) -> None:
    lines = at_once(PLAN)
    del lines[dropped]
    assert tally(PLAN, lines, STARTED).missing == 1


def test_a_line_that_comes_twice_is_doubled_though_another_is_missing() -> None:
    lines = at_once(PLAN)
    found = tally(PLAN, [*lines[1:], lines[5]], STARTED)
    assert (found.missing, found.doubled) == (1, 1)


def test_of_events_that_are_the_same_one_line_is_not_enough_and_one_more_is_too_many() -> None:
    twin = next(event for event, after in itertools.pairwise(PLAN) if event == after)
    lines = [(STARTED + 9, twin.text)]
    pair = [event for event in PLAN if event == twin]
    assert tally(pair, lines, STARTED).missing == len(pair) - 1
    assert tally(pair, lines * len(pair), STARTED).missing == 0
    assert tally(pair, lines * (len(pair) + 1), STARTED).doubled == 1


def test_other_lines_do_not_count() -> None:
    assert tally(PLAN, [(STARTED, "step s-1 is running")], STARTED).taken == 0


def test_latency_is_counted_from_the_arrival_or_from_the_start_if_it_was_there() -> None:
    early, late = replace(PLAN[0], arrives=-5.0), replace(PLAN[9], arrives=4.0)
    found = tally([early, late], [(STARTED + 2, early.text), (STARTED + 7, late.text)], STARTED)
    assert found.latencies == [2.0, 3.0]
    assert (found.stock, found.stock_read) == (1, STARTED + 2)


def read_by_tokens(logs: CloudWatch, name: str, until: float) -> list[tuple[float, str]]:
    """Read on every second, from token to token, as most readers do."""
    lines: list[tuple[float, str]] = []
    token: dict[str, str] = {}
    for second in range(math.ceil(until) + 1):
        while True:
            request = {"logGroupName": GROUP, "logStreamName": name, "startFromHead": True, **token}
            page = json.loads(logs.operations["GetLogEvents"](request, float(second)))  # type: ignore[arg-type]
            lines += [(STARTED + second, event["message"]) for event in page["events"]]
            if page["nextForwardToken"] == token.get("nextToken"):
                break
            token = {"nextToken": page["nextForwardToken"]}
    return lines


def test_who_goes_by_tokens_alone_is_found_to_lose_what_comes_late() -> None:
    shape = replace(SHAPE, streams=1, begins=0.0)
    plan = make_plan(shape, 1)
    names = stream_names(shape, "s-1")
    lines = read_by_tokens(CloudWatch(GROUP, names, plan, STARTED), names[0], shape.ends)
    found = tally(plan, lines, STARTED)
    late = sum(event.arrives > event.written for event in plan)
    assert 0.4 * late < found.missing <= late
    assert found.doubled == 0


def test_who_goes_by_tokens_alone_reads_all_of_a_log_in_which_nothing_comes_late() -> None:
    shape = replace(SHAPE, streams=1, begins=0.0, late=0.0)
    plan = make_plan(shape, 1)
    names = stream_names(shape, "s-1")
    lines = read_by_tokens(CloudWatch(GROUP, names, plan, STARTED), names[0], shape.ends)
    found = tally(plan, lines, STARTED)
    assert (found.missing, found.doubled) == (0, 0)


def test_a_counting_log_takes_what_loggers_take() -> None:
    log = CountingLog()
    log.log(20, "%s", "100 %", timestamp="2025-01-01T00:00:00+00:00")
    log.info("plain 100 %")
    log.warning("%s of %s", 1, 2)
    assert [line for _, line in log.lines] == ["100 %", "plain 100 %", "1 of 2"]


# --- how it is judged ---------------------------------------------------------------------------

GOOD = LogFigures(
    scenario="logs-bulk",
    contestant=EMRKIT,
    events=50_100,
    missing=0,
    doubled=0,
    counted=50_000,
    counting=2.5,
    calls=10,
    all_calls=30,
    served={"GetLogEvents": 30},
    throttled={},
    refused={},
    cpu=1.0,
    lag_max=0.2,
    lag_max_at=3.0,
    idle_lag_max=0.01,
    load=0.1,
    latencies=[1.0, 2.0],
)
GOALS = {goal.figure: goal for scenario in LOGS_FULL for goal in scenario.goals}


@pytest.mark.parametrize(
    ("figure", "bad"),
    [
        pytest.param("rate", {"counting": 2.51}, id="too slow"),
        pytest.param("rate", {"counted": 0, "counting": 0.0}, id="nothing read"),
        pytest.param("calls_per_10_000", {"calls": 11}, id="too many calls"),
        pytest.param("calls_per_10_000", {"counted": 0}, id="calls for nothing"),
        pytest.param("missing", {"missing": 1}, id="one lost"),
        pytest.param("doubled", {"doubled": 1}, id="one doubled"),
        pytest.param("lag_max", {"lag_max": 0.21}, id="held up"),
        pytest.param("lag_max", {"lag_max": math.nan}, id="not measured"),
    ],
)
def test_goals_are_met_at_the_mark_and_missed_beyond(figure: str, bad: dict[str, float]) -> None:
    goal = GOALS[figure]
    assert judge(goal, {EMRKIT: GOOD}, EMRKIT).met is True
    assert judge(goal, {EMRKIT: replace(GOOD, **bad)}, EMRKIT).met is False  # type: ignore[arg-type]


def test_all_that_is_promised_of_logs_is_judged() -> None:
    assert set(GOALS) == {"rate", "calls_per_10_000", "all_calls", "missing", "doubled", "lag_max"}
    for scenario in (*LOGS_FULL, *LOGS_QUICK):
        assert {"missing", "doubled"} <= {goal.figure for goal in scenario.goals}, scenario.name


def test_the_table_shows_every_contestant() -> None:
    scenario = next(one for one in LOGS_FULL if one.name == "logs-bulk")
    peer = replace(GOOD, contestant=LOG_READERS[0], lag_max=math.nan, missing=3, latencies=[])
    console = Console(width=200)
    with console.capture() as capture:
        console.print(logs_table([scenario], {"logs-bulk": {EMRKIT: GOOD, LOG_READERS[0]: peer}}))
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capture.get().splitlines()]
    found = {row[0]: row[1:] for row in rows if row}
    assert found[EMRKIT] == ["20,000", "2.0", "30", "0", "0", "1.0", "0.20", "0.01", "1.00", "2.00", "2.00"]
    assert found[LOG_READERS[0]][3:] == ["3", "0", "1.0", "-", "0.01", "-", "-", "-"]


def test_the_figures_can_be_written_as_json() -> None:
    written = json.loads(json.dumps(replace(GOOD, lag_max=math.nan, latencies=[]).to_json()))
    assert (written["rate"], written["calls_per_10_000"]) == (20_000, 2.0)
    assert (written["lag_max"], written["latency_p50"]) == (None, None)
    assert "latencies" not in written


def test_every_log_is_written_before_its_job_ends_and_waited_for_after() -> None:
    for scenario in (*LOGS_FULL, *LOGS_QUICK):
        assert scenario.log is not None
        assert scenario.log.ends < scenario.shape.last_end < scenario.cut_off, scenario.name
        assert set(scenario.contestants) <= {EMRKIT, *LOG_READERS}
        # Emrkit shows so many lines of a run by default.
        assert scenario.log.streams * scenario.log.events <= 100_000
