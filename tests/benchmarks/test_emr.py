from __future__ import annotations

from typing import Any

import pytest

from benchmarks.endpoint.emr import PAGE, Emr
from benchmarks.endpoint.refusal import RefusedError
from benchmarks.schedule import Job

STARTED = 1_700_000_000.0


def job(number: int, cluster: str = "j-1") -> Job:
    return Job(number, cluster, f"s-{number}", f"etl {number}", "token", float(number), 100.0, 200.0)


def ask(emr: Emr, operation: str, now: float, **request: Any) -> dict[str, Any]:
    return emr.operations[operation]({"ClusterId": "j-1", **request}, now)


def ids(answer: dict[str, Any]) -> list[str]:
    return [step["Id"] for step in answer["Steps"]]


@pytest.mark.parametrize(
    ("now", "state", "times"),
    [
        pytest.param(50, "PENDING", {"CreationDateTime"}, id="before it starts"),
        pytest.param(150, "RUNNING", {"CreationDateTime", "StartDateTime"}, id="while it runs"),
        pytest.param(
            200, "COMPLETED", {"CreationDateTime", "StartDateTime", "EndDateTime"}, id="once it has ended"
        ),
    ],
)
def test_a_step_follows_the_schedule(now: float, state: str, times: set[str]) -> None:
    step = ask(Emr([job(1)], STARTED), "DescribeStep", now, StepId="s-1")["Step"]
    assert step["Status"]["State"] == state
    assert set(step["Status"]["Timeline"]) == times
    assert step["Status"]["Timeline"]["CreationDateTime"] == STARTED + 1


def test_steps_are_listed_newest_first_and_only_once_they_were_submitted() -> None:
    emr = Emr([job(1), job(2), job(3)], STARTED)
    assert ids(ask(emr, "ListSteps", 2.5)) == ["s-2", "s-1"]


def test_steps_of_other_clusters_are_not_listed() -> None:
    emr = Emr([job(1), job(2, "j-2")], STARTED)
    assert ids(ask(emr, "ListSteps", 50)) == ["s-1"]


def test_listing_by_state_gives_those_alone() -> None:
    emr = Emr([job(1)], STARTED)
    assert ids(ask(emr, "ListSteps", 50, StepStates=["PENDING", "RUNNING"])) == ["s-1"]
    assert ids(ask(emr, "ListSteps", 250, StepStates=["PENDING", "RUNNING"])) == []


def test_long_lists_come_in_pages() -> None:
    emr = Emr([job(number) for number in range(PAGE * 2 + 1)], STARTED)
    pages = []
    request: dict[str, Any] = {}
    while True:
        answer = ask(emr, "ListSteps", 199, **request)
        pages.append(ids(answer))
        if "Marker" not in answer:
            break
        request["Marker"] = answer["Marker"]
    assert [len(page) for page in pages] == [PAGE, PAGE, 1]
    assert len({step for page in pages for step in page}) == PAGE * 2 + 1


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        pytest.param("ListSteps", {"ClusterId": "j-9"}, "InvalidRequestException", id="unknown cluster"),
        pytest.param("ListSteps", {"StepIds": ["s-99"]}, "InvalidRequestException", id="unknown step"),
        pytest.param(
            "ListSteps",
            {"StepIds": [f"s-{number}" for number in range(11)]},
            "ValidationException",
            id="more ids than EMR takes",
        ),
        pytest.param("DescribeStep", {"StepId": "s-99"}, "InvalidRequestException", id="unknown step alone"),
    ],
)
def test_what_emr_would_refuse_is_refused(operation: str, request_: dict[str, Any], code: str) -> None:
    emr = Emr([job(number) for number in range(11)], STARTED)
    with pytest.raises(RefusedError) as refused:
        ask(emr, operation, 50, **request_)
    assert refused.value.code == code


def test_it_knows_which_steps_somebody_has_been_told_about() -> None:
    emr = Emr([job(1), job(2)], STARTED)
    ask(emr, "ListSteps", 50, StepIds=["s-2"])
    assert emr.shown == {"s-2"}
