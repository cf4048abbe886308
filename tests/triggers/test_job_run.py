from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from airflow_fixtures import FakeTaskInstance, cluster_state, wait_for

from airflow_provider_emrkit.compute.cluster_spec import ClusterSpec
from airflow_provider_emrkit.compute.targets import DynamicCluster
from airflow_provider_emrkit.events.state_change import StateChange
from airflow_provider_emrkit.hooks.emrkit import EmrKitHook
from airflow_provider_emrkit.jobs.spark_job import SparkJob
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.log_watch import LogWatch
from airflow_provider_emrkit.runs.opening import open_runs
from airflow_provider_emrkit.runs.token import RunToken
from airflow_provider_emrkit.triggers import job_run
from airflow_provider_emrkit.triggers.attention import Attention
from airflow_provider_emrkit.triggers.job_run import EmrJobRunTrigger
from airflow_provider_emrkit.triggers.poller import shared_poller
from airflow_provider_emrkit.triggers.pushed import told

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# What Airflow 3.3 and later say when they cancel a trigger because of a user, before they call on_kill.
USER_ACTION = "__airflow_user_action__"

RUN = JobRun("step", "j-1", "s-1", "0123456789abcdef-1", "sales.load", "us-east-1", submitted_at=1.0)


def submitted() -> JobRun:
    token = RunToken("sales", "manual__1", "load", -1, 0, 1)
    job = SparkJob("s3://code/job.py", deploy_mode="client")
    return open_runs(EmrKitHook()).submit(job, DynamicCluster(ClusterSpec("emr-7.11.0", size="tiny")), token)


def make(run: JobRun, **kwargs: Any) -> EmrJobRunTrigger:
    quick = {"poll_interval": 0.05, "log_poll_interval": 0.02, "log_drain": 0.1}
    trigger = EmrJobRunTrigger(run.to_dict(), **{**quick, **kwargs})
    trigger.task_instance = FakeTaskInstance()
    return trigger


def payload_of(trigger: EmrJobRunTrigger) -> dict[str, Any]:
    async def first_event() -> dict[str, Any]:
        return (await anext(trigger.run())).payload

    return asyncio.run(first_event())


def cancel_while_it_runs(
    trigger: EmrJobRunTrigger, after: Callable[[], Awaitable[None]], *message: str
) -> None:
    """Do what a triggerer does: cancel the trigger's coroutine, and call on_kill where Airflow 3.3 would.

    :param message: What 3.3 says; nothing for what an earlier triggerer does.
    """

    async def run() -> None:
        task = asyncio.create_task(anext(trigger.run()))
        await after()
        task.cancel(*message)
        with pytest.raises(asyncio.CancelledError):
            await task
        if message:
            await trigger.on_kill()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_run, "AIRFLOW_V_3_3_PLUS", bool(message))
        asyncio.run(run())


def say_task_is(state: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_run, "read_task_state", lambda task_instance: state)


@pytest.fixture
def held_run(localemr_server, emrkit_connection):
    """A run on a cluster of its own, and a function that waits until it runs."""
    localemr_server.runner.script("sales.load", hold=True)
    run = submitted()

    async def is_running() -> None:
        await asyncio.to_thread(localemr_server.runner.wait_started, "sales.load")

    return run, is_running


@pytest.mark.parametrize(
    "trigger",
    [
        pytest.param(EmrJobRunTrigger(RUN.to_dict()), id="defaults"),
        pytest.param(
            EmrJobRunTrigger(RUN.to_dict(), "mine", 1.0, 2.0, 3.0, 4, 5.0, 6.0, "leave", {"running": 7.0}, 8),
            id="all arguments",
        ),
    ],
)
def test_it_can_be_made_again_from_what_it_serializes(trigger):
    path, kwargs = trigger.serialize()
    assert path == f"{EmrJobRunTrigger.__module__}.{EmrJobRunTrigger.__name__}"
    assert json.loads(json.dumps(kwargs)) == kwargs
    assert EmrJobRunTrigger(**kwargs).serialize() == (path, kwargs)


def test_it_can_be_made_from_what_an_older_version_serialized():
    _, kwargs = EmrJobRunTrigger(RUN.to_dict()).serialize()
    older = {
        name: value for name, value in kwargs.items() if name not in ("on_kill", "limits", "max_run_lines")
    }
    assert EmrJobRunTrigger(**older).serialize()[1] == kwargs


def test_it_takes_what_a_newer_version_wrote_into_the_run():
    assert EmrJobRunTrigger({**RUN.to_dict(), "invented_later": 1}).job_run == RUN


@pytest.mark.parametrize(
    ("script", "state"),
    [
        pytest.param({"stdout": ["24 rows"]}, "succeeded", id="success"),
        pytest.param({"stdout": ["24 rows"], "fails": "exit 1"}, "failed", id="failure"),
    ],
)
def test_it_streams_the_log_and_tells_how_the_job_ended(
    localemr_server, emrkit_connection, task_log, script, state
):
    localemr_server.runner.script("sales.load", **script)
    run = submitted()
    payload = payload_of(make(run))
    assert payload["state"] == "ended"
    assert payload["status"]["state"] == state
    assert payload["run"] == run.to_dict()
    assert json.loads(json.dumps(payload)) == payload
    assert task_log.lines.count("[stdout] 24 rows") == 1


def test_the_log_is_complete_when_an_event_tells_the_end(held_run, localemr_server, task_log):
    """Lines come later than events: what was written before, and what comes within log_drain."""
    run, is_running = held_run

    async def told_by_an_event() -> dict[str, Any]:
        trigger = make(run, poll_interval=600.0, log_poll_interval=0.1, log_drain=3.0)
        event = asyncio.create_task(anext(trigger.run()))
        await is_running()
        localemr_server.runner.write("sales.load", "before the event")
        ended = StateChange("step", run.cluster_id, run.step_id, "COMPLETED", time.time())
        poller = shared_poller("emrkit_default", run.region)
        await asyncio.to_thread(wait_for, lambda: poller.is_watched(ended))
        poller.hint(ended, told(ended))
        # In the loop, which the trigger needs as well: its time does not go on before this is seen.
        while "[stdout] before the event" not in task_log.lines:
            assert not event.done()
            await asyncio.sleep(0.01)
        localemr_server.runner.write("sales.load", "after the event")
        return (await event).payload

    payload = asyncio.run(told_by_an_event())
    assert (payload["state"], payload["status"]["by_event"]) == ("ended", True)
    assert [line for line in task_log.lines if "the event" in line] == [
        "[stdout] before the event",
        "[stdout] after the event",
    ]


def test_limits_hold_while_a_look_at_the_log_hangs(held_run, monkeypatch, emr):
    run, is_running = held_run
    answers = threading.Event()
    begun: list[bool] = []
    answered: list[bool] = []

    def hangs(self: LogWatch) -> Any:
        begun.append(True)
        answered.append(answers.wait(120))
        return (), ()

    async def time_begins(self: Attention, stream: Any) -> None:
        # However long it took to come to the first look.
        if self._deadline is None:
            self._deadline = time.time() + 5
        await flow(self, stream)

    flow = Attention._flow
    monkeypatch.setattr(LogWatch, "read", hangs)
    monkeypatch.setattr(Attention, "_flow", time_begins)

    async def timed_out() -> dict[str, Any]:
        await is_running()
        payload = (await anext(make(run).run())).payload
        answers.set()
        return payload

    payload = asyncio.run(timed_out())
    assert (payload["state"], payload["limit"]) == ("timeout", "execution_timeout")
    assert begun == [True]
    wait_for(lambda: answered == [True])  # the look had not given up waiting when the time was up
    wait_for(lambda: cluster_state(emr, run.cluster_id).startswith("TERMINATED"))


def test_a_line_carries_the_time_it_was_written(localemr_server, emrkit_connection, task_log):
    localemr_server.runner.script("sales.load", stdout=["24 rows"])
    before = time.time()
    run = submitted()
    wait_for(lambda: cluster_state(localemr_server.client("emr"), run.cluster_id) == "TERMINATED")
    written_before = time.time()
    payload_of(make(run))
    [line] = [record for record in task_log.records if "24 rows" in record.getMessage()]
    assert before - 1 < line.created < written_before


def test_a_triggerer_that_stops_does_not_end_the_job(held_run, monkeypatch, emr):
    run, is_running = held_run
    say_task_is("deferred", monkeypatch)
    cancel_while_it_runs(make(run), is_running)
    assert cluster_state(emr, run.cluster_id) == "RUNNING"


def test_a_triggerer_that_stops_asks_airflow_nothing_from_3_3_on(held_run, monkeypatch, emr):
    """Nobody would answer: the connection to Airflow goes first."""
    run, is_running = held_run
    asked: list[Any] = []
    monkeypatch.setattr(job_run, "read_task_state", asked.append)
    monkeypatch.setattr(job_run, "AIRFLOW_V_3_3_PLUS", True)
    trigger = make(run)

    async def stopped() -> None:
        task = asyncio.create_task(anext(trigger.run()))
        await is_running()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stopped())
    assert asked == []
    assert cluster_state(emr, run.cluster_id) == "RUNNING"


def test_a_user_ends_the_job_before_airflow_3_3(held_run, monkeypatch, emr):
    run, is_running = held_run
    say_task_is("failed", monkeypatch)
    cancel_while_it_runs(make(run), is_running)
    wait_for(lambda: cluster_state(emr, run.cluster_id).startswith("TERMINATED"))


def test_a_user_ends_the_job_from_airflow_3_3_on(held_run, monkeypatch, emr):
    run, is_running = held_run
    say_task_is(None, monkeypatch)
    cancel_while_it_runs(make(run), is_running, USER_ACTION)
    wait_for(lambda: cluster_state(emr, run.cluster_id).startswith("TERMINATED"))


@pytest.mark.parametrize(
    "message", [pytest.param((), id="before 3.3"), pytest.param((USER_ACTION,), id="from 3.3 on")]
)
def test_a_user_ends_the_job_though_airflow_goes_on_cancelling_the_trigger(
    held_run, monkeypatch, emr, message
):
    def slow_answer(task_instance: Any) -> str:
        time.sleep(0.3)
        return "failed"

    run, is_running = held_run
    monkeypatch.setattr(job_run, "read_task_state", slow_answer)
    monkeypatch.setattr(job_run, "AIRFLOW_V_3_3_PLUS", bool(message))

    async def cancelled_every_moment() -> None:
        trigger = make(run)
        await is_running()
        ending = asyncio.create_task(trigger.on_kill() if message else anext(trigger.run()))
        for _ in range(20):
            await asyncio.sleep(0.02)
            ending.cancel(*message)
        await asyncio.wait({ending})

    asyncio.run(cancelled_every_moment())
    wait_for(lambda: cluster_state(emr, run.cluster_id).startswith("TERMINATED"))


def test_a_user_ends_many_jobs_of_a_cluster_at_once_within_emr_s_quotas(
    localemr_server, emrkit_connection, waiting_cluster, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__EMRKIT__API_QUOTAS", "{}")
    localemr_server.runner.script("load", hold=True)
    steps = [localemr_server.add_step(waiting_cluster, "load") for _ in range(40)]
    say_task_is("failed", monkeypatch)
    run = replace(RUN, cluster_id=waiting_cluster, driver_apart=False)
    triggers = [make(replace(run, step_id=step)) for step in steps]

    async def all_are_cancelled() -> None:
        tasks = [asyncio.create_task(anext(trigger.run())) for trigger in triggers]
        await asyncio.sleep(1)
        monkeypatch.setattr(job_run, "AIRFLOW_V_3_3_PLUS", True)
        for task in tasks:
            task.cancel(USER_ACTION)
        await asyncio.wait(tasks)
        await asyncio.gather(*(trigger.on_kill() for trigger in triggers))

    asyncio.run(all_are_cancelled())
    states = [
        step["Status"]["State"]
        for step in localemr_server.client("emr").list_steps(ClusterId=waiting_cluster)["Steps"]
    ]
    assert states == ["CANCELLED"] * 40


def test_a_handed_over_trigger_does_not_end_the_job_though_airflow_calls_it_a_user_s_action(
    held_run, monkeypatch, emr
):
    run, is_running = held_run
    say_task_is("deferred", monkeypatch)
    cancel_while_it_runs(make(run), is_running, USER_ACTION)
    assert cluster_state(emr, run.cluster_id) == "RUNNING"


def test_a_job_is_not_ended_while_its_task_s_state_is_unknown(held_run, monkeypatch, emr):
    def unreachable(task_instance: Any) -> str:
        raise ConnectionError("no supervisor")

    run, is_running = held_run
    monkeypatch.setattr(job_run, "read_task_state", unreachable)
    cancel_while_it_runs(make(run), is_running)
    assert cluster_state(emr, run.cluster_id) == "RUNNING"


def test_time_is_up_ends_the_job_and_tells_so(held_run, emr):
    run, _ = held_run
    payload = payload_of(make(run, deadline=time.time() + 0.5))
    assert payload["state"] == "timeout"
    wait_for(lambda: cluster_state(emr, run.cluster_id).startswith("TERMINATED"))


@pytest.mark.parametrize("which", ["total", "running"])
def test_a_limit_that_is_passed_ends_the_job_and_tells_which(held_run, emr, which):
    run, _ = held_run
    payload = payload_of(make(run, limits={which: 1.0}))
    assert (payload["state"], payload["limit"]) == ("timeout", which)
    assert f"(limit {which})" in payload["message"]
    wait_for(lambda: cluster_state(emr, run.cluster_id).startswith("TERMINATED"))


def test_a_limit_of_another_part_of_the_run_s_life_does_not_hold(localemr_server, emrkit_connection):
    localemr_server.runner.script("sales.load", stdout=["24 rows"])
    run = submitted()
    wait_for(lambda: cluster_state(localemr_server.client("emr"), run.cluster_id) == "TERMINATED")
    assert payload_of(make(run, limits={"queued": 0.01, "starting": 0.01}))["state"] == "ended"


def test_a_job_that_has_ended_in_time_is_not_said_to_be_late(localemr_server, emrkit_connection):
    """The last look is long ago when the time is up: there is one more before anything is ended."""
    localemr_server.runner.script("sales.load", stdout=["24 rows"])
    run = submitted()
    wait_for(lambda: cluster_state(localemr_server.client("emr"), run.cluster_id) == "TERMINATED")
    payload = payload_of(make(run, poll_interval=300.0, deadline=time.time()))
    assert (payload["state"], payload["status"]["state"]) == ("ended", "succeeded")


@pytest.mark.parametrize(
    "message", [pytest.param((), id="before 3.3"), pytest.param((USER_ACTION,), id="from 3.3 on")]
)
def test_a_job_goes_on_where_kills_are_to_leave_it(held_run, monkeypatch, emr, task_log, message):
    run, is_running = held_run
    say_task_is("failed", monkeypatch)
    cancel_while_it_runs(make(run, on_kill="leave"), is_running, *message)
    assert cluster_state(emr, run.cluster_id) == "RUNNING"
    assert any("goes on, as on_kill is 'leave'" in line for line in task_log.lines)


def test_a_job_without_live_logs_is_followed_on_s3(localemr_server, emrkit_connection, task_log):
    localemr_server.runner.script("sales.load", stdout=["24 rows"])
    run = replace(submitted(), log_group=None)
    assert payload_of(make(run))["state"] == "ended"
    assert len([line for line in task_log.lines if "does not send its logs to CloudWatch" in line]) == 1
    assert task_log.lines.count("[stdout] 24 rows") == 1


def test_trouble_wakes_the_task_up_instead_of_leaving_the_cluster_alone(emrkit_connection):
    payload = payload_of(make(replace(RUN, cluster_id="j-NOTTHERE")))
    assert payload["state"] == "error"
    assert "j-NOTTHERE" in payload["message"]
    assert payload["error"] == "NotFoundError"


@pytest.mark.parametrize(
    ("ages", "again"),
    [
        pytest.param((600.0, 1.0), True, id="a triggerer started again"),
        pytest.param((90.0, 1.0), True, id="soon after the deferral"),
        pytest.param((0.0, 1.0), False, id="the first start"),
        pytest.param((0.0, 3_600.0), True, id="a try that goes on with an earlier one's job"),
    ],
)
def test_a_start_that_may_not_be_the_first_is_told_in_the_log(
    localemr_server, emrkit_connection, task_log, monkeypatch, ages, again
):
    # A busy machine may need long from here to the start.
    monkeypatch.setattr("airflow_provider_emrkit.triggers.job_run.FIRST_START", 60.0)
    localemr_server.runner.script("sales.load", stdout=["24 rows"], hold=True)
    deferred_ago, submitted_before = ages
    deferred_at = time.time() - deferred_ago
    run = replace(submitted(), submitted_at=deferred_at - submitted_before)
    localemr_server.runner.wait_started("sales.load")
    localemr_server.runner.finish("sales.load")
    payload_of(make(run, deferred_at=deferred_at))
    assert any("was started again" in line for line in task_log.lines) is again
    assert task_log.lines.count("[stdout] 24 rows") == 1


def test_a_trigger_that_sees_the_job_begin_is_the_first_to_follow_it(
    localemr_server, emrkit_connection, task_log
):
    localemr_server.runner.script("sales.load", stdout=["24 rows"])
    localemr_server.runner.hold_starts()
    trigger = make(submitted(), deferred_at=time.time() - 600)

    def start_when_it_is_watched() -> None:
        wait_for(lambda: any("STARTING" in line for line in task_log.lines))
        localemr_server.runner.release_starts()

    starter = threading.Thread(target=start_when_it_is_watched)
    starter.start()
    payload_of(trigger)
    starter.join()
    assert "[stdout] 24 rows" in task_log.lines
    assert not any("started again" in line for line in task_log.lines)


def test_a_trigger_that_starts_again_begins_before_the_end_of_a_long_log_and_says_what_is_missing(
    localemr_server, emrkit_connection, task_log, monkeypatch
):
    monkeypatch.setattr("airflow_provider_emrkit.runs.log_watch.TAIL_LINES", 10)
    localemr_server.runner.script("sales.load", stdout=[f"row {number}" for number in range(100)])
    run = submitted()
    localemr_server.wait_step(run.cluster_id, run.step_id, "COMPLETED")
    payload_of(make(run, deferred_at=time.time() - 600))
    rows = [line for line in task_log.lines if line.startswith("[stdout] row")]
    assert rows == [f"[stdout] row {number}" for number in range(90, 100)]
    [note] = [line for line in task_log.lines if "was started again" in line]
    assert "the last 10 lines" in note
    assert f"steps/{run.step_id}/stdout" in note


def test_a_log_that_is_too_long_is_shown_in_part_with_its_end_and_a_word_about_the_rest(
    localemr_server, emrkit_connection, task_log
):
    localemr_server.runner.script("sales.load", stdout=[f"row {number}" for number in range(1_000)])
    payload_of(make(submitted(), max_run_lines=50))
    rows = [line for line in task_log.lines if line.startswith("[stdout] row")]
    assert rows == [f"[stdout] row {number}" for number in [*range(50), *range(900, 1_000)]]
    [note] = [line for line in task_log.lines if "not shown here" in line]
    assert note.startswith("850 lines of the job's log")
    assert task_log.lines.index(note) > task_log.lines.index(rows[-1])
