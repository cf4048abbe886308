from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.endpoint.cloudwatch import BYTES_BESIDE, EMPTY_PAGE, MOST_BYTES, MOST_EVENTS, CloudWatch
from benchmarks.endpoint.refusal import RefusedError
from benchmarks.logs.plan import LogEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GROUP = "/bench"
STREAM = "steps/s-1/stderr"
STARTED = 1_700_000_000.0
FIRST = round(STARTED * 1000)


def event(text: str, written: float, arrives: float | None = None, stream: int = 0) -> LogEvent:
    return LogEvent(stream, written, written if arrives is None else arrives, text)


def many(count: int, size: int = 10) -> list[LogEvent]:
    return [event(f"{number:0{size}}", number / 1000) for number in range(count)]


def logs(plan: Sequence[LogEvent], names: Sequence[str] = (STREAM,)) -> CloudWatch:
    return CloudWatch(GROUP, names, plan, STARTED)


def get(logs: CloudWatch, now: float = 1_000.0, **request: Any) -> dict[str, Any]:
    whole = {"logGroupName": GROUP, "logStreamName": STREAM, "startFromHead": True, **request}
    answer: dict[str, Any] = json.loads(logs.operations["GetLogEvents"](whole, now))  # type: ignore[arg-type]
    return answer


def texts(page: dict[str, Any]) -> list[str]:
    return [event["message"] for event in page["events"]]


def pages(logs: CloudWatch, now: float = 1_000.0) -> Iterator[dict[str, Any]]:
    """Go on until the token stays the same."""
    token: dict[str, Any] = {}
    while True:
        page = get(logs, now, **token)
        yield page
        if page["nextForwardToken"] == token.get("nextToken"):
            return
        token = {"nextToken": page["nextForwardToken"]}


def test_events_are_ordered_by_their_time_and_by_arrival_where_that_is_the_same() -> None:
    plan = [event("b", 2.0, 5.0), event("c", 2.0, 6.0), event("a", 1.0, 7.0)]
    assert texts(get(logs(plan))) == ["a", "b", "c"]


def test_an_event_has_its_own_time_and_that_of_its_arrival() -> None:
    (found,) = get(logs([event("a", 1.5, 4.25)]))["events"]
    assert found == {"timestamp": FIRST + 1_500, "ingestionTime": FIRST + 4_250, "message": "a"}


def test_an_event_is_there_once_it_has_arrived() -> None:
    both = logs([event("a", 1.0), event("b", 2.0, 9.0)])
    assert texts(get(both, now=8.9)) == ["a"]
    assert texts(get(both, now=9.0)) == ["a", "b"]


def test_a_token_goes_on_after_the_page_that_it_came_with() -> None:
    found = logs(many(4))
    page = get(found, limit=3)
    assert texts(get(found, nextToken=page["nextForwardToken"])) == [many(4)[3].text]


def test_an_event_that_comes_late_lies_behind_a_token_given_before() -> None:
    found = logs([event("a", 1.0), event("late", 0.5, 5.0), event("b", 6.0)])
    token = get(found, now=2.0)["nextForwardToken"]
    assert texts(get(found, now=7.0, nextToken=token)) == ["b"]
    assert texts(get(found, now=7.0)) == ["late", "a", "b"]


def test_an_event_of_the_same_moment_that_comes_later_is_given_to_those_who_go_on() -> None:
    found = logs([event("a", 1.0), event("twin", 1.0, 5.0)])
    token = get(found, now=2.0)["nextForwardToken"]
    assert texts(get(found, now=6.0, nextToken=token)) == ["twin"]


def test_at_the_end_the_token_stays_the_same_until_there_is_more() -> None:
    found = logs([event("a", 1.0), event("b", 5.0)])
    token = get(found, now=2.0)["nextForwardToken"]
    end = get(found, now=3.0, nextToken=token)
    assert (texts(end), end["nextForwardToken"]) == ([], token)
    assert texts(get(found, now=5.0, nextToken=token)) == ["b"]


def test_a_page_holds_no_more_than_ten_thousand_events() -> None:
    sizes = [len(page["events"]) for page in pages(logs(many(MOST_EVENTS + 1)))]
    assert sizes == [MOST_EVENTS, 1, 0]


def test_a_page_holds_no_more_than_a_megabyte_each_event_counted_with_26_bytes() -> None:
    size = 1_000 - BYTES_BESIDE
    most = MOST_BYTES // 1_000
    sizes = [len(page["events"]) for page in pages(logs(many(most + 1, size)))]
    assert sizes == [most, 1, 0]


def test_some_pages_are_empty_and_not_the_last() -> None:
    found = logs(many(EMPTY_PAGE + 2))
    token: dict[str, Any] = {}
    sizes, tokens = [], []
    for _ in range(EMPTY_PAGE + 3):
        page = get(found, limit=1, **token)
        token = {"nextToken": page["nextForwardToken"]}
        sizes.append(len(page["events"]))
        tokens.append(page["nextForwardToken"])
    assert sizes == [1] * EMPTY_PAGE + [0] + [1, 1]
    assert len(set(tokens)) == len(tokens)


def test_all_pages_together_hold_every_event_once() -> None:
    plan = many(3 * MOST_EVENTS + 7)
    assert [text for page in pages(logs(plan)) for text in texts(page)] == [one.text for one in plan]


def test_a_start_time_is_the_first_that_is_given_and_an_end_time_is_not() -> None:
    found = logs([event("a", 1.0), event("b", 2.0), event("c", 3.0)])
    assert texts(get(found, startTime=FIRST + 2_000)) == ["b", "c"]
    assert texts(get(found, startTime=FIRST + 2_000, endTime=FIRST + 3_000)) == ["b"]


def test_where_nothing_has_come_since_the_start_time_one_can_go_on_from_there() -> None:
    found = logs([event("a", 1.0), event("b", 5.0)])
    empty = get(found, now=2.0, startTime=FIRST + 2_000)
    assert texts(empty) == []
    assert texts(get(found, now=6.0, nextToken=empty["nextForwardToken"])) == ["b"]


def test_from_the_end_the_last_events_are_given_oldest_first() -> None:
    found = logs([event("a", 1.0), event("b", 2.0), event("c", 3.0), event("d", 9.0)])
    end = get(found, now=4.0, startFromHead=False, limit=2)
    assert texts(end) == ["b", "c"]
    assert texts(get(found, now=9.0, nextToken=end["nextForwardToken"])) == ["d"]
    before = get(found, now=9.0, startFromHead=False, nextToken=end["nextBackwardToken"])
    assert texts(before) == ["a"]


def test_a_stream_is_there_as_soon_as_its_first_event_is() -> None:
    found = logs([event("a", 3.0), event("b", 5.0, stream=1)], (STREAM, "other"))
    for now, name in ((2.0, STREAM), (4.0, "other")):
        with pytest.raises(RefusedError) as refused:
            get(found, now, logStreamName=name)
        assert refused.value.code == "ResourceNotFoundException"
    assert texts(get(found, 5.0, logStreamName="other")) == ["b"]


def test_another_group_is_not_there() -> None:
    with pytest.raises(RefusedError, match="log group does not exist"):
        get(logs(many(1)), logGroupName="/other")


def test_a_token_that_nobody_gave_is_refused() -> None:
    with pytest.raises(RefusedError) as refused:
        get(logs(many(1)), nextToken="f/somewhere")
    assert refused.value.code == "InvalidParameterException"


def describe(logs: CloudWatch, now: float = 1_000.0, **request: Any) -> dict[str, Any]:
    answer: Any = logs.operations["DescribeLogStreams"]({"logGroupName": GROUP, **request}, now)
    return dict(answer)


def test_streams_are_listed_by_name_in_pages() -> None:
    names = [f"s-{number}" for number in range(3)]
    found = logs([event("a", number, stream=number) for number in (2, 0, 1)], names)
    first = describe(found, limit=2)
    assert [one["logStreamName"] for one in first["logStreams"]] == ["s-0", "s-1"]
    (last,) = describe(found, limit=2, nextToken=first["nextToken"])["logStreams"]
    assert (last["logStreamName"], last["firstEventTimestamp"]) == ("s-2", FIRST + 2_000)


def test_streams_are_listed_by_prefix_once_they_are_there() -> None:
    found = logs(
        [event("a", 1.0), event("b", 5.0, stream=1), event("c", 1.0, stream=2)], ("a/1", "a/2", "b/1")
    )
    for now, names in ((2.0, ["a/1"]), (5.0, ["a/1", "a/2"])):
        listed = describe(found, now, logStreamNamePrefix="a/")["logStreams"]
        assert [one["logStreamName"] for one in listed] == names


def test_a_group_without_streams_is_not_there_yet() -> None:
    with pytest.raises(RefusedError) as refused:
        describe(logs([event("a", 1.0)]), now=0.5)
    assert refused.value.code == "ResourceNotFoundException"
