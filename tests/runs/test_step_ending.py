from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from airflow_provider_emrkit.runs.driver_ending import SCRIPT, DriverEnding
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.step_ending import StepEnding
from airflow_provider_emrkit.runs.token import Mark, RunToken

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = RunToken("sales", "manual__1", "load", -1, 0, 1)
RUN = JobRun("step", "j-1", "s-1", str(TOKEN), TOKEN.marked(), "us-east-1", driver_apart=False)
APART = replace(RUN, driver_apart=True)
OWN = replace(RUN, owns_cluster=True)

STARTED = datetime(2024, 1, 1, tzinfo=timezone.utc)


def aws_error(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "CancelSteps")  # type: ignore[typeddict-item]


THROTTLED = aws_error("ThrottlingException", "Rate exceeded")
DENIED = aws_error("AccessDeniedException", "not yours")
TIMED_OUT = ReadTimeoutError(endpoint_url="https://emr")


class FakeEmr:
    """A cluster with steps, and a clock that goes when somebody pauses.

    :param state: State of step ``s-1``.
    :param dies_of: The option of CancelSteps that ends the step, ``lag`` seconds later.
    :param slots: Steps that run at once.
    """

    def __init__(self, state: str = "RUNNING", dies_of: str = "SEND_INTERRUPT", slots: int = 1) -> None:
        self.now = 0.0
        self.lag = 1.0
        self.dies_of = dies_of
        self.slots = slots
        self.refusal = ""
        self.driver_end = "COMPLETED"
        self.cluster = "RUNNING"
        self.protected = False
        self.refuses_to_end = False
        self.calls: list[tuple[float, str, Any]] = []
        self.failures: dict[str, list[Exception]] = {}
        self.steps = {"s-1": {"State": state, "Name": RUN.name, "Started": state != "PENDING"}}
        self.due: list[tuple[float, str, str]] = []

    def pause(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds

    def names(self) -> list[str]:
        return [name for _, name, _ in self.calls]

    def fail(self, call: str, *errors: Exception) -> None:
        self.failures[call] = list(errors)

    def _called(self, name: str, what: Any = None) -> None:
        self.calls.append((self.now, name, what))
        if self.failures.get(name):
            raise self.failures[name].pop(0)
        for when, step_id, state in self.due:
            if when <= self.now:
                self.steps[step_id]["State"] = state
        self.due = [one for one in self.due if one[0] > self.now]

    def cancel_steps(self, ClusterId: str, StepIds: Any, StepCancellationOption: str) -> Any:  # noqa: N803
        self._called("cancel_steps", StepCancellationOption)
        step = self.steps[StepIds[0]]
        if self.refusal or step["State"] not in ("PENDING", "RUNNING", "CANCEL_PENDING"):
            reason = self.refusal or f"it is {step['State']}"
            return {"CancelStepsInfoList": [{"Status": "FAILED", "Reason": reason}]}
        if step["State"] == "PENDING":
            step["State"] = "CANCELLED"
        else:
            step["State"] = "CANCEL_PENDING"
            if StepCancellationOption == self.dies_of:
                self.due.append((self.now + self.lag, StepIds[0], "CANCELLED"))
        return {"CancelStepsInfoList": [{"Status": "SUBMITTED"}]}

    def add_job_flow_steps(self, JobFlowId: str, Steps: Any) -> Any:  # noqa: N803
        self._called("add_job_flow_steps", Steps[0])
        step_id = f"s-{len(self.steps) + 1}"
        self.steps[step_id] = {"State": "PENDING", "Name": Steps[0]["Name"], "Started": True}
        if self.driver_end:
            self.due.append((self.now + 2.0, step_id, self.driver_end))
        return {"StepIds": [step_id]}

    def list_steps(self, ClusterId: str, StepIds: Any = None) -> Any:  # noqa: N803
        self._called("list_steps")
        return {
            "Steps": [
                {
                    "Id": step_id,
                    "Name": step["Name"],
                    "Status": {
                        "State": step["State"],
                        "Timeline": {"StartDateTime": STARTED} if step["Started"] else {},
                    },
                }
                for step_id, step in reversed(self.steps.items())
                if StepIds is None or step_id in StepIds
            ]
        }

    def describe_cluster(self, ClusterId: str) -> Any:  # noqa: N803
        self._called("describe_cluster")
        return {"Cluster": {"Status": {"State": self.cluster}}}

    def terminate_job_flows(self, JobFlowIds: Any) -> None:  # noqa: N803
        self._called("terminate_job_flows")
        if self.protected:
            text = "Could not shut down one or more job flows since they are termination protected."
            raise aws_error("ValidationException", text)
        if not self.refuses_to_end:
            self.cluster = "TERMINATING"

    def set_termination_protection(self, JobFlowIds: Any, TerminationProtected: bool) -> None:  # noqa: N803
        self._called("set_termination_protection", TerminationProtected)
        self.protected = TerminationProtected


def ending(emr: FakeEmr) -> StepEnding:
    return StepEnding(emr, emr.pause, lambda: emr.now)


def options(emr: FakeEmr) -> list[str]:
    return [what for _, name, what in emr.calls if name == "cancel_steps"]


def test_a_step_is_interrupted_and_seen_to_have_ended():
    emr = FakeEmr()
    released = ending(emr).end(RUN, patience=20)
    assert (released.done, released.ended) == (True, True)
    assert released.message == "step s-1 on cluster j-1 is CANCELLED"
    assert options(emr) == ["SEND_INTERRUPT"]
    assert emr.calls[0][:2] == (0.0, "cancel_steps")  # whoever has no time for more has told it to end
    assert emr.now < 3


def test_a_step_that_an_interrupt_does_not_end_is_ended_by_force_after_a_third_of_the_patience():
    emr = FakeEmr(dies_of="TERMINATE_PROCESS")
    assert ending(emr).end(RUN, patience=6).ended
    assert options(emr) == ["SEND_INTERRUPT", "TERMINATE_PROCESS"]
    assert [when for when, name, _ in emr.calls if name == "cancel_steps"] == [0.0, 2.0]


def test_a_step_that_waits_is_cancelled_and_leaves_no_driver():
    emr = FakeEmr("PENDING")
    assert ending(emr).end(APART, patience=20).message == "step s-1 on cluster j-1 is CANCELLED"
    assert "add_job_flow_steps" not in emr.names()


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "CANCELLED"])
def test_a_step_that_has_ended_before_is_left_at_that(state):
    emr = FakeEmr(state)
    released = ending(emr).end(RUN, patience=20)
    assert (released.done, released.ended) == (True, True)
    assert released.message == f"step s-1 on cluster j-1 is {state} already"
    assert emr.now == 0


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED"])
def test_a_job_that_has_ended_by_itself_has_no_driver_left(state):
    emr = FakeEmr(state)
    assert ending(emr).end(APART, patience=20).ended
    assert "add_job_flow_steps" not in emr.names()


@pytest.mark.parametrize(
    "emr",
    [
        pytest.param(FakeEmr(), id="running"),
        pytest.param(FakeEmr("CANCELLED"), id="cancelled before, by a kill that was cut off"),
        pytest.param(FakeEmr("CANCEL_PENDING"), id="being cancelled by somebody else"),
    ],
)
def test_the_driver_that_runs_apart_from_its_step_is_ended_by_another_step(emr):
    released = ending(emr).end(APART, patience=20)
    assert released.ended
    assert released.message.endswith(", and step s-2 has ended its driver")
    [step] = [what for _, name, what in emr.calls if name == "add_job_flow_steps"]
    assert step["ActionOnFailure"] == "CONTINUE"
    assert step["HadoopJarStep"]["Args"] == ["bash", "-c", SCRIPT, "emrkit", TOKEN.yarn_tag]


def test_the_step_that_ends_the_driver_is_added_before_the_job_s_step_has_ended():
    """A worker that is killed has no more than seconds."""
    emr = FakeEmr()
    ending(emr).end(APART, patience=20)
    added = next(when for when, name, _ in emr.calls if name == "add_job_flow_steps")
    assert added == 0.0


def test_a_second_kill_adds_no_second_step():
    emr = FakeEmr()
    ending(emr).end(APART, patience=20)
    released = ending(emr).end(APART, patience=20)
    assert (released.ended, emr.names().count("add_job_flow_steps")) == (True, 1)
    assert "already, and step s-2 has ended its driver" in released.message


def test_two_kills_at_once_both_see_the_end():
    emr = FakeEmr()
    # The tests' clock is shared, so that they take turns at each pause.
    results = []

    def pause(seconds: float) -> None:
        if not results:
            results.append(ending(emr).end(APART, patience=20))
        emr.pause(seconds)

    results.append(StepEnding(emr, pause, lambda: emr.now).end(APART, patience=20))
    assert [one.ended for one in results] == [True, True]
    assert emr.names().count("add_job_flow_steps") == 1


def test_a_step_that_failed_to_end_the_driver_before_is_followed_by_another_one():
    emr = FakeEmr("CANCELLED")
    emr.steps["s-2"] = {"State": "FAILED", "Name": DriverEnding(emr, APART).name, "Started": True}
    assert ending(emr).end(APART, patience=20).message.endswith("step s-3 has ended its driver")


def test_no_run_is_ever_taken_for_the_step_that_ends_its_driver():
    name = DriverEnding(None, replace(APART, name=TOKEN.marked("x" * 300))).name
    assert len(name) == 256
    assert Mark.of(name) is None
    assert DriverEnding(None, APART).name == f"sales.load emrkit-end:{TOKEN}"


def test_a_driver_that_can_t_be_ended_is_an_error_that_says_how_to_find_it():
    emr = FakeEmr()
    emr.driver_end = "FAILED"
    released = ending(emr).end(APART, patience=20)
    assert released.done is False
    assert "but its driver may go on (step s-2 is FAILED)" in released.message
    assert f"yarn application -list -appTags {TOKEN.yarn_tag}" in released.message


def test_a_step_that_can_t_be_added_is_no_reason_to_give_up_the_job_s_own():
    emr = FakeEmr()
    emr.fail("add_job_flow_steps", DENIED)
    released = ending(emr).end(APART, patience=20)
    assert released.done is False
    assert released.message.startswith("step s-1 on cluster j-1 is CANCELLED, but its driver may go on (perm")
    assert emr.names().count("add_job_flow_steps") == 1


def test_the_end_of_the_driver_may_have_to_wait_for_its_turn():
    emr = FakeEmr()
    emr.driver_end = ""
    released = ending(emr).end(APART, patience=20)
    assert (released.done, released.ended) == (True, False)
    assert released.message.endswith("is CANCELLED; step s-2, which ends its driver, is PENDING")


def test_throttling_takes_time_and_nothing_else():
    emr = FakeEmr()
    emr.fail("cancel_steps", THROTTLED, TIMED_OUT)
    emr.fail("list_steps", THROTTLED)
    emr.fail("add_job_flow_steps", THROTTLED)
    assert ending(emr).end(APART, patience=20).ended
    assert options(emr)[-1] == "SEND_INTERRUPT"


def test_throttling_that_does_not_end_is_not_called_an_end():
    emr = FakeEmr()
    for call in ("cancel_steps", "list_steps"):
        emr.fail(call, *[THROTTLED] * 99)
    released = ending(emr).end(RUN, patience=20)
    assert (released.done, released.ended) == (False, False)
    assert released.message == "step s-1 on cluster j-1 goes on: Rate exceeded"
    assert 20 <= emr.now < 21


def test_an_end_that_can_t_be_looked_at_is_not_called_one():
    emr = FakeEmr()
    emr.fail("list_steps", DENIED)
    released = ending(emr).end(RUN, patience=20)
    assert released.done is False
    assert "was told to end, but it is not known whether it does: permission is missing" in released.message


def test_a_refusal_ends_the_attempt_at_once():
    emr = FakeEmr()
    emr.fail("cancel_steps", *[DENIED] * 9)
    released = ending(emr).end(APART, patience=20)
    assert released.done is False
    assert "step s-1 on cluster j-1 is still RUNNING: permission is missing: not yours" in released.message
    assert emr.now == 0
    assert "add_job_flow_steps" not in emr.names()


def test_emr_s_reason_for_not_cancelling_is_told_when_the_step_goes_on():
    emr = FakeEmr()
    emr.refusal = "Release\ntoo old"
    released = ending(emr).end(RUN, patience=20)
    assert released.done is False
    assert released.message == "step s-1 on cluster j-1 is still RUNNING: Release too old"
    assert options(emr) == ["SEND_INTERRUPT", "TERMINATE_PROCESS"]


def test_a_step_that_is_about_to_end_is_said_to_be():
    emr = FakeEmr(dies_of="nothing")
    released = ending(emr).end(RUN, patience=3)
    assert (released.done, released.ended) == (True, False)
    assert released.message == "step s-1 on cluster j-1 is still CANCEL_PENDING"


def test_a_step_on_a_cluster_that_is_gone_has_ended_with_it():
    emr = FakeEmr()
    emr.cluster = "TERMINATED"
    emr.fail("cancel_steps", aws_error("ValidationException", "Cluster j-1 is terminated"))
    released = ending(emr).end(APART, patience=20)
    assert (released.done, released.ended) == (True, True)
    assert released.message == "step s-1 on cluster j-1 is RUNNING, its cluster TERMINATED already"


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "CANCELLED", "COMPLETED"])
@pytest.mark.parametrize("run", [pytest.param(RUN, id="client"), pytest.param(APART, id="cluster")])
def test_a_cluster_of_others_is_never_ended_nor_unprotected(state, run):
    emr = FakeEmr(state)
    emr.cluster = "WAITING"
    emr.fail("add_job_flow_steps", DENIED)
    ending(emr).end(run, patience=5)
    assert ending(emr).release(run).message == "cluster j-1 goes on"
    assert {"terminate_job_flows", "set_termination_protection"}.isdisjoint(emr.names())


def test_an_own_cluster_is_ended_at_once_and_seen_going():
    emr = FakeEmr()
    released = ending(emr).end(OWN, patience=20)
    assert (released.done, released.ended) == (True, True)
    assert released.message == "cluster j-1 is TERMINATING"
    assert emr.names() == ["terminate_job_flows", "describe_cluster"]


def test_an_own_cluster_that_goes_by_itself_is_only_looked_at():
    emr = FakeEmr()
    emr.cluster = "TERMINATING"
    assert ending(emr).release(OWN).done
    assert emr.names() == ["describe_cluster"]


@pytest.mark.parametrize("way", ["end", "release"])
def test_an_own_cluster_is_ended_though_somebody_protected_it(way):
    emr = FakeEmr()
    emr.protected = True
    released = ending(emr).end(OWN, 20) if way == "end" else ending(emr).release(OWN)
    assert released.done
    assert (emr.cluster, emr.protected) == ("TERMINATING", False)


def test_ending_an_own_cluster_is_tried_again():
    emr = FakeEmr()
    emr.fail("terminate_job_flows", THROTTLED, TIMED_OUT)
    emr.fail("describe_cluster", THROTTLED)
    assert ending(emr).end(OWN, patience=20).ended


def test_an_own_cluster_that_does_not_end_is_not_called_ended():
    emr = FakeEmr()
    emr.refuses_to_end = True
    released = ending(emr).end(OWN, patience=20)
    assert (released.done, released.ended, released.message) == (False, False, "it is still RUNNING")
    assert 20 <= emr.now < 21


def yarn(folder: Path, program: str) -> dict[str, str]:
    """Put a program called yarn on the PATH."""
    path = folder / "yarn"
    path.write_text(f'#!/bin/bash\necho "$@" >> {folder}/calls\n{program}')
    path.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


LISTED = """\
Total number of applications (application-types: [], states: [RUNNING] and tags: [t]):1
                Application-Id\t    Application-Name\t    Application-Type\t      User\t     Queue\t
application_1700000000000_0007\t application_1_2 emr \t               SPARK\t    hadoop\t   default\t
"""


@pytest.mark.parametrize(
    ("program", "code", "kills"),
    [
        pytest.param(
            f"[ $2 != -list ] || [ $(grep -c -- -kill {{0}}/calls) -gt 0 ] || echo '{LISTED}'",
            0,
            1,
            id="ends",
        ),
        pytest.param("true", 0, 0, id="there is none"),
        pytest.param(f"[ $2 != -list ] || echo '{LISTED}'", 1, 10, id="goes on"),
        pytest.param("exit 1", 1, 0, id="yarn can't be asked"),
        pytest.param(
            f"[ $2 != -list ] || [ $(wc -l < {{0}}/calls) -ne 2 ] || echo '{LISTED}'",
            0,
            1,
            id="came late",
        ),
    ],
)
def test_the_driver_s_application_is_ended_by_its_tag(tmp_path, program, code, kills):
    # Its pauses are not what is tested.
    script = SCRIPT.replace("sleep 1", "true")
    env = yarn(tmp_path, program.replace("{0}", str(tmp_path)))
    done = subprocess.run(["bash", "-c", script, "emrkit", "tag"], env=env, check=False, capture_output=True)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert done.returncode == code
    assert calls[0].startswith("application -list -appTags tag -appStates ")
    assert [call for call in calls if "-kill" in call] == [
        "application -kill application_1700000000000_0007"
    ] * kills
