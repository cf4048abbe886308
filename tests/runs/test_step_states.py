from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.states import RunState
from airflow_provider_emrkit.runs.step_states import (
    CLUSTER_CHECK,
    ENDED_STATES,
    NEWEST_IN_VAIN,
    OPEN_STATES,
    ClusterMemory,
    StepMemory,
    step_states,
)
from airflow_provider_emrkit.runs.tolerance import NEW
from airflow_provider_emrkit.runs.unlisted import UNLISTED_FOR, UNLISTED_LOOKS

WHEN = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def aws_error(code: str, message: str, operation: str = "ListSteps") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@dataclass
class FakeEmr:
    """EMR as far as it lists steps and describes clusters; keeps the calls."""

    steps: dict[str, list[tuple[str, str]]]
    cluster: str = "WAITING"
    reason: str = ""
    calls: list[str] = field(default_factory=list)
    unknown_is_an_error: bool = False

    def list_steps(self, **request: Any) -> Any:
        cluster_id, ids, states = (request.get(name) for name in ("ClusterId", "StepIds", "StepStates"))
        if cluster_id not in self.steps:
            raise aws_error("InvalidRequestException", f"Cluster id '{cluster_id}' is not valid.")
        steps = list(reversed(self.steps[cluster_id]))
        if ids:
            self.calls.append("ids")
            self._check(ids, {step_id for step_id, _ in steps})
            steps = [step for step in steps if step[0] in ids]
        else:
            self.calls.append(
                {str(OPEN_STATES): "open", str(ENDED_STATES): "ended"}.get(str(states), "newest")
            )
        if states:
            steps = [step for step in steps if step[1] in states]
        start = int(request.get("Marker", 0))
        page = {"Steps": [self._step(*step) for step in steps[start : start + 50]]}
        return {**page, "Marker": str(start + 50)} if len(steps) > start + 50 else page

    def describe_cluster(self, **request: Any) -> Any:
        self.calls.append("cluster")
        status = {"State": self.cluster, "StateChangeReason": {"Code": self.reason, "Message": "it says"}}
        return {"Cluster": {"Id": request["ClusterId"], "Status": status}}

    def _check(self, asked: list[str], known: set[str]) -> None:
        assert len(asked) <= 10
        for step_id in asked:
            if self.unknown_is_an_error and step_id not in known:
                raise aws_error("InvalidRequestException", f"Step id '{step_id}' is not valid.")

    def _step(self, step_id: str, state: str) -> Any:
        timeline = {} if state == "PENDING" else {"StartDateTime": WHEN}
        return {"Id": step_id, "Status": {"State": state, "Timeline": timeline}}

    def made(self) -> list[str]:
        calls, self.calls = self.calls, []
        return calls


def run_of(step_id: str, cluster_id: str = "j-1") -> JobRun:
    return JobRun("step", cluster_id, step_id, "t", "sales", "us-east-1")


def steps(count: int, state: str = "RUNNING", first: int = 0) -> list[tuple[str, str]]:
    return [(f"s-{number}", state) for number in range(first, first + count)]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def memory(clock):
    return StepMemory(clock, jitter=lambda: 0.5)


def look(emr: FakeEmr, memory: StepMemory, ids: list[str]) -> dict[str, str]:
    found = step_states(emr, [run_of(step_id) for step_id in ids], memory)
    return {run.step_id: status.detail for run, status in found.items()}


def ids(count: int, first: int = 0) -> list[str]:
    return [f"s-{number}" for number in range(first, first + count)]


@pytest.mark.parametrize(
    ("watched", "others", "calls"),
    [
        pytest.param(ids(1), 0, ["ids"], id="one"),
        pytest.param(ids(10), 0, ["ids"], id="as many as are asked for at once"),
        pytest.param(ids(50), 0, ["newest"], id="a page of them"),
        pytest.param(ids(50), 8, ["newest", "ids"], id="a page of them, a few newer ones of others"),
        pytest.param(ids(120), 0, ["open"] * 3, id="pages of them"),
        pytest.param(ids(105), 0, ["open", "open", "ids"], id="two pages of them and a little more"),
    ],
)
def test_as_few_calls_as_will_do(memory, watched, others, calls):
    emr = FakeEmr({"j-1": steps(len(watched) + others)})
    assert look(emr, memory, watched) == dict.fromkeys(watched, "RUNNING")
    assert emr.made() == calls


def test_steps_behind_many_newer_ones_of_others_are_found_and_the_way_there_is_learnt(memory, clock):
    emr = FakeEmr({"j-1": [*steps(40), *steps(100, "COMPLETED", first=40)]})
    assert set(look(emr, memory, ids(40)).values()) == {"RUNNING"}
    assert emr.made() == ["newest", "open"]
    assert set(look(emr, memory, ids(40)).values()) == {"RUNNING"}
    assert emr.made() == ["open"]
    clock.seconds += NEWEST_IN_VAIN
    look(emr, memory, ids(40))
    assert emr.made()[0] == "newest"


def test_many_that_ended_since_the_last_look_are_listed_at_once(memory):
    emr = FakeEmr({"j-1": [*steps(40, "COMPLETED"), *steps(60, first=40)]})
    found = look(emr, memory, ids(100))
    assert list(found.values()).count("COMPLETED") == 40
    assert emr.made() == ["open", "open", "ended"]


def test_a_few_that_ended_are_asked_for_by_id(memory):
    emr = FakeEmr({"j-1": [*steps(5, "COMPLETED"), *steps(60, first=5)]})
    assert list(look(emr, memory, ids(65)).values()).count("COMPLETED") == 5
    assert emr.made() == ["open", "open", "ids"]


def test_what_cannot_be_listed_is_asked_for_by_id_in_the_end(memory):
    emr = FakeEmr({"j-1": [*steps(30, "COMPLETED"), *steps(100, "COMPLETED", first=500)]})
    assert set(look(emr, memory, ids(30)).values()) == {"COMPLETED"}
    assert emr.made() == ["newest", "open", "ended", "ids", "ids", "ids"]


@pytest.mark.parametrize("count", [3, 30])
def test_an_unknown_step_does_not_hide_the_others(memory, count):
    emr = FakeEmr({"j-1": steps(count)}, unknown_is_an_error=True)
    found = step_states(emr, [*map(run_of, ids(count)), run_of("s-GONE")], memory)
    assert found[run_of("s-0")].state is RunState.RUNNING
    assert found[run_of("s-GONE")].detail == "not listed"
    assert "cluster" in emr.made()


# --- a step that is listed no more ------------------------------------------------------------------------


def states_of(emr: FakeEmr, memory: StepMemory, looks: int, seconds: float = UNLISTED_FOR) -> list[RunState]:
    """Look at a step that EMR does not list again and again; beside it another one runs."""
    gone, found = replace(run_of("s-GONE"), submitted_at=1_000.0), []
    for _ in range(looks):
        both = step_states(emr, [gone, run_of("s-0")], memory)
        found.append(both[gone].state)
        assert both[run_of("s-0")].state is not RunState.UNLISTED
        memory.clock.seconds += seconds  # type: ignore[attr-defined]
    return found


@pytest.fixture
def later(memory):
    """Long after the steps were submitted."""
    memory.now = lambda: 1_000.0 + NEW
    return memory


@pytest.mark.parametrize("unknown_is_an_error", [False, True])
def test_a_step_that_a_cluster_that_is_up_lists_no_more_is_given_up_alone(later, unknown_is_an_error):
    emr = FakeEmr({"j-1": steps(1)}, unknown_is_an_error=unknown_is_an_error)
    expected = [RunState.QUEUED] * (UNLISTED_LOOKS - 1) + [RunState.UNLISTED] * 2
    assert states_of(emr, later, UNLISTED_LOOKS + 1) == expected


def test_looks_in_quick_succession_prove_nothing(later):
    emr = FakeEmr({"j-1": steps(1)})
    assert set(states_of(emr, later, 5, seconds=UNLISTED_FOR / 5)) == {RunState.QUEUED}


def test_a_step_that_may_be_too_new_to_be_listed_is_waited_for(memory):
    memory.now = lambda: 1_000.0 + NEW - 1
    assert set(states_of(FakeEmr({"j-1": steps(1)}), memory, 10)) == {RunState.QUEUED}


@pytest.mark.parametrize("cluster", ["STARTING", "TERMINATING"])
def test_a_step_of_a_cluster_that_is_not_up_is_judged_with_its_cluster(later, cluster):
    assert RunState.UNLISTED not in states_of(FakeEmr({"j-1": steps(1)}, cluster=cluster), later, 10)


def test_a_step_that_is_listed_again_was_not_gone(later):
    emr = FakeEmr({"j-1": steps(1)})
    states_of(emr, later, UNLISTED_LOOKS - 1)
    emr.steps["j-1"].append(("s-GONE", "RUNNING"))
    assert states_of(emr, later, 1) == [RunState.RUNNING]
    emr.steps["j-1"].pop()
    assert states_of(emr, later, UNLISTED_LOOKS - 1) == [RunState.QUEUED] * (UNLISTED_LOOKS - 1)


# --- threads ----------------------------------------------------------------------------------------------


class Fleeting(dict[str, Any]):
    """Forgets all as soon as it was asked for anything, as another thread may have it do."""

    def __contains__(self, key: object) -> bool:
        found = super().__contains__(key)
        self.clear()
        return found

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self.clear()


def test_a_cluster_may_be_forgotten_by_another_thread_at_any_moment(clock):
    known = ClusterMemory()
    memory = StepMemory(clock, clusters=Fleeting())
    assert isinstance(memory.of("j-1"), ClusterMemory)
    memory.clusters = Fleeting({"j-1": known})
    assert memory.of("j-1") is known


def test_a_cluster_s_description_may_be_forgotten_by_another_thread_at_any_moment():
    class Described(dict[str, Any]):
        def __len__(self) -> int:
            memory.cluster = None
            return super().__len__()

    memory = ClusterMemory(Described({"Status": {"State": "WAITING"}}))
    assert memory.state == "WAITING"


# --- clusters ---------------------------------------------------------------------------------------------


def test_an_unknown_cluster_is_an_error(memory):
    with pytest.raises(ClientError, match="j-9"):
        step_states(FakeEmr({}), [run_of("s-1", "j-9"), run_of("s-2", "j-9")], memory)


def test_steps_of_several_clusters(memory):
    emr = FakeEmr({"j-1": steps(1), "j-2": [("s-9", "COMPLETED")]})
    found = step_states(emr, [run_of("s-0"), run_of("s-9", "j-2")], memory)
    assert [status.detail for status in found.values()] == ["RUNNING", "COMPLETED"]


def test_a_cluster_that_comes_up_is_looked_at_and_its_waiting_steps_are_not(memory):
    emr = FakeEmr({"j-1": steps(1, "PENDING")}, cluster="STARTING")
    [status] = step_states(emr, [run_of("s-0")], memory).values()
    assert (status.state, status.compute_state) == (RunState.STARTING, "STARTING")
    assert emr.made() == ["ids", "cluster"]
    emr.cluster = "BOOTSTRAPPING"
    [status] = step_states(emr, [run_of("s-0")], memory).values()
    assert (status.state, status.compute_state) == (RunState.STARTING, "BOOTSTRAPPING")
    assert emr.made() == ["cluster"]
    emr.cluster, emr.steps["j-1"] = "RUNNING", steps(1)
    [status] = step_states(emr, [run_of("s-0")], memory).values()
    assert status.state is RunState.RUNNING
    assert emr.made() == ["cluster", "ids"]
    step_states(emr, [run_of("s-0")], memory)
    assert emr.made() == ["ids"]


def test_a_step_that_is_added_to_a_starting_cluster_is_looked_at(memory):
    emr = FakeEmr({"j-1": steps(2, "PENDING")}, cluster="STARTING")
    look(emr, memory, ["s-0"])
    emr.made()
    assert look(emr, memory, ["s-0", "s-1"]) == {"s-0": "PENDING", "s-1": "PENDING"}
    assert "ids" in emr.made()


def test_a_step_that_waits_on_a_cluster_that_is_up_needs_no_second_call(memory):
    emr = FakeEmr({"j-1": [("s-0", "RUNNING"), ("s-1", "PENDING")]})
    look(emr, memory, ["s-0", "s-1"])
    assert emr.made() == ["ids"]
    emr = FakeEmr({"j-1": [("s-1", "PENDING")]})
    look(emr, StepMemory(), ["s-1"])
    assert emr.made() == ["ids", "cluster"]


def test_a_waiting_step_asks_for_the_cluster_once_when_that_is_up(memory):
    emr = FakeEmr({"j-1": steps(1, "PENDING")}, cluster="RUNNING")
    for _ in range(3):
        look(emr, memory, ["s-0"])
    assert emr.made() == ["ids", "cluster", "ids", "ids"]


@pytest.mark.parametrize(
    ("step", "cluster", "reason", "state"),
    [
        pytest.param("FAILED", "WAITING", "", RunState.FAILED, id="the job's own failure"),
        pytest.param("FAILED", "TERMINATING", "INSTANCE_FAILURE", RunState.LOST, id="lost with its cluster"),
        pytest.param("CANCELLED", "WAITING", "", RunState.CANCELLED, id="cancelled"),
        pytest.param("INTERRUPTED", "TERMINATED", "USER_REQUEST", RunState.LOST, id="interrupted"),
    ],
)
def test_a_step_that_ended_badly_is_judged_with_its_cluster_as_it_is_now(
    memory, step, cluster, reason, state
):
    emr = FakeEmr({"j-1": steps(1)})
    look(emr, memory, ["s-0"])
    emr.steps["j-1"], emr.cluster, emr.reason = steps(1, step), cluster, reason
    [status] = step_states(emr, [run_of("s-0")], memory).values()
    assert status.state is state
    assert emr.made() == ["ids", "ids", "cluster"]


def test_a_step_that_runs_on_a_dead_cluster_is_noticed(memory, clock):
    emr = FakeEmr({"j-1": steps(1)})
    look(emr, memory, ["s-0"])
    emr.cluster, emr.reason = "TERMINATED_WITH_ERRORS", "INTERNAL_ERROR"
    clock.seconds += CLUSTER_CHECK
    [status] = step_states(emr, [run_of("s-0")], memory).values()
    assert (status.state, status.compute_message) == (RunState.LOST, "it says")


def test_a_step_that_ends_its_cluster_while_it_is_looked_at_was_not_lost(memory, clock):
    emr = FakeEmr({"j-1": steps(1)})
    look(emr, memory, ids(1))
    clock.seconds += CLUSTER_CHECK * 2
    describe = emr.describe_cluster

    def ends_meanwhile(**request: Any) -> Any:
        emr.steps["j-1"], emr.cluster, emr.reason = steps(1, "COMPLETED"), "TERMINATED", "ALL_STEPS_COMPLETED"
        return describe(**request)

    emr.describe_cluster = ends_meanwhile  # type: ignore[method-assign]
    assert next(iter(step_states(emr, [run_of("s-0")], memory).values())).state is RunState.SUCCEEDED


def test_a_cluster_without_a_reason_is_looked_at_seldom(memory, clock):
    emr = FakeEmr({"j-1": steps(1)})
    for _ in range(60):
        look(emr, memory, ["s-0"])
        clock.seconds += 10
    assert emr.made().count("cluster") == 600 // CLUSTER_CHECK - 1


def test_clusters_whose_steps_have_ended_are_forgotten(memory):
    emr = FakeEmr({"j-1": steps(1)})
    look(emr, memory, ["s-0"])
    assert "j-1" in memory.clusters
    emr.steps["j-1"] = steps(1, "COMPLETED")
    look(emr, memory, ["s-0"])
    assert memory.clusters == {}
