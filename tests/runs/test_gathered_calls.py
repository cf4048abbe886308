from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from waiting import wait_until

from airflow_provider_emrkit.runs.gathered_calls import GatheredEmr

MANY = 40


def aws_error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


@dataclass
class SlowEmr:
    """Answers its first call when it may, all others at once; keeps the calls."""

    first_may_end: threading.Event = field(default_factory=threading.Event)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    bad: frozenset[str] = frozenset()
    error: Exception | None = None

    def _call(self, name: str, what: Any) -> None:
        self.calls.append((name, what))
        if len(self.calls) == 1:
            assert self.first_may_end.wait(60)
        elif self.error:
            raise self.error

    def cancel_steps(self, **request: Any) -> Any:
        self._call("cancel", request["StepIds"])
        if self.bad.intersection(request["StepIds"]):
            raise aws_error("InvalidRequestException", "CancelSteps")
        infos = [{"StepId": one, "Status": "SUBMITTED"} for one in reversed(request["StepIds"])]
        return {"CancelStepsInfoList": infos}

    def list_steps(self, **request: Any) -> Any:
        ids = request.get("StepIds") or [f"s-{number}" for number in range(MANY)]
        self._call("list", request.get("StepIds"))
        return {"Steps": [{"Id": one, "Status": {"State": "RUNNING"}} for one in ids]}

    def describe_cluster(self, **request: Any) -> Any:
        self._call("describe", request["ClusterId"])
        return {"Cluster": {"Id": request["ClusterId"]}}

    def add_job_flow_steps(self, **request: Any) -> Any:
        self._call("add", [step["Name"] for step in request["Steps"]])
        return {"StepIds": [f"id of {step['Name']}" for step in request["Steps"]]}

    def terminate_job_flows(self, **request: Any) -> Any:
        self._call("terminate", request["JobFlowIds"])
        return {}

    def set_termination_protection(self, **request: Any) -> Any:
        return request


def at_once(emr: SlowEmr, call: Any, count: int = MANY) -> list[Any]:
    """Make calls in as many threads; the first is answered when all have been made."""
    gathered = GatheredEmr(lambda: emr)
    with ThreadPoolExecutor(count) as pool:
        answers = [pool.submit(call, gathered, 0)]
        wait_until(lambda: emr.calls, "the first call")  # those before that would go out with it
        answers += [pool.submit(call, gathered, number) for number in range(1, count)]
        while gathered.waiting < count - 1:
            threading.Event().wait(0.01)
        emr.first_may_end.set()
        return [answer.exception() or answer.result() for answer in answers]


def cancel(gathered: GatheredEmr, number: int) -> Any:
    return gathered.cancel_steps(ClusterId="j-1", StepIds=[f"s-{number}"], StepCancellationOption="SEND")


def list_one(gathered: GatheredEmr, number: int) -> Any:
    return gathered.list_steps(ClusterId="j-1", StepIds=[f"s-{number}"])


def describe(gathered: GatheredEmr, number: int) -> Any:
    return gathered.describe_cluster(ClusterId="j-1")


def add(gathered: GatheredEmr, number: int) -> Any:
    return gathered.add_job_flow_steps(
        JobFlowId="j-1", Steps=[{"Name": f"a{number}"}, {"Name": f"b{number}"}]
    )


def terminate(gathered: GatheredEmr, number: int) -> Any:
    return gathered.terminate_job_flows(JobFlowIds=[f"j-{number}"])


def test_a_call_goes_out_alone_when_nobody_else_calls():
    emr = SlowEmr()
    emr.first_may_end.set()
    gathered = GatheredEmr(lambda: emr)
    assert cancel(gathered, 7) == {"CancelStepsInfoList": [{"StepId": "s-7", "Status": "SUBMITTED"}]}
    assert emr.calls == [("cancel", ["s-7"])]


def test_many_kills_at_once_are_two_calls_and_each_gets_its_own_answer():
    emr = SlowEmr()
    answers = at_once(emr, cancel)
    assert [answer["CancelStepsInfoList"][0]["StepId"] for answer in answers] == [
        f"s-{number}" for number in range(MANY)
    ]
    assert [len(ids) for _, ids in emr.calls] == [1, MANY - 1]


def test_many_looks_at_once_are_two_calls_and_each_gets_its_own_answer():
    emr = SlowEmr()
    answers = at_once(emr, list_one)
    assert [answer["Steps"][0]["Id"] for answer in answers] == [f"s-{number}" for number in range(MANY)]
    assert len(emr.calls) == 2


@pytest.mark.parametrize(
    "first", [pytest.param("newest", id="a page first"), pytest.param("by id", id="a step by id first")]
)
def test_looks_by_id_and_at_the_newest_steps_do_not_get_each_other_s_answers(first):
    emr = SlowEmr()
    gathered = GatheredEmr(lambda: emr)
    looks = {
        "newest": lambda: gathered.list_steps(ClusterId="j-1"),
        "by id": lambda: gathered.list_steps(ClusterId="j-1", StepIds=["s-OTHER"]),
    }
    with ThreadPoolExecutor(3) as pool:
        pool.submit(list_one, gathered, 0)
        wait_until(lambda: emr.calls, "the first call")
        answers = {}
        for place, name in enumerate(sorted(looks, key=lambda name: name != first)):
            while len(emr.calls) + gathered.waiting < place + 1:
                threading.Event().wait(0.01)
            answers[name] = pool.submit(looks[name])
        while len(emr.calls) + gathered.waiting < 3:
            threading.Event().wait(0.01)
        emr.first_may_end.set()
        found = {name: [step["Id"] for step in answer.result()["Steps"]] for name, answer in answers.items()}
    assert found == {"newest": [f"s-{number}" for number in range(MANY)], "by id": ["s-OTHER"]}


def test_steps_are_added_together_and_each_learns_the_ids_of_its_own():
    emr = SlowEmr()
    answers = at_once(emr, add, count=20)
    assert answers == [{"StepIds": [f"id of a{number}", f"id of b{number}"]} for number in range(20)]
    assert len(emr.calls) == 2


def test_a_call_takes_no_more_than_aws_allows():
    emr = SlowEmr()
    at_once(emr, terminate)
    assert max(len(ids) for _, ids in emr.calls) <= 10
    assert len(emr.calls) <= 1 + 2 * MANY / 10
    assert sorted(one for _, ids in emr.calls for one in ids) == sorted(f"j-{n}" for n in range(MANY))


def test_one_bad_part_of_a_call_spoils_nobody_else_s():
    emr = SlowEmr(bad=frozenset({"s-5"}))
    answers = at_once(emr, cancel)
    assert [number for number, answer in enumerate(answers) if isinstance(answer, ClientError)] == [5]


@pytest.mark.parametrize("call", [pytest.param(add, id="what may have come through"), cancel])
def test_an_error_that_passes_is_everybody_s_and_nobody_sends_again(call):
    emr = SlowEmr(error=aws_error("ThrottlingException", "CancelSteps"))
    answers = at_once(emr, call, count=20)
    assert sum(isinstance(answer, ClientError) for answer in answers) == 19
    assert len(emr.calls) == 2


def test_what_is_asked_after_an_answer_was_under_way_is_asked_anew():
    emr = SlowEmr()
    gathered = GatheredEmr(lambda: emr)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(describe, gathered, 0)
        while not emr.calls:
            threading.Event().wait(0.01)
        second = pool.submit(describe, gathered, 0)
        emr.first_may_end.set()
        assert first.result() == second.result()
    assert emr.calls == [("describe", "j-1")] * 2


def test_everything_else_is_the_client_s_own():
    assert GatheredEmr(SlowEmr).set_termination_protection(JobFlowIds=["j-1"]) == {"JobFlowIds": ["j-1"]}
