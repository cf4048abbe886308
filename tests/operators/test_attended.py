from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow_fixtures import wait_for
from botocore.exceptions import ClientError
from serverless_rig import ROLE, ServerlessRig

from airflow_provider_emrkit import ExistingCluster, ServerlessApplication, SparkJob
from airflow_provider_emrkit.exceptions import (
    ClusterLostError,
    RunCancelledError,
    RunLeftError,
    RunTimedOutError,
    SubmitRefusedError,
)
from airflow_provider_emrkit.logs.cluster_sources import NoSources
from airflow_provider_emrkit.operators import attended as attended_module
from airflow_provider_emrkit.operators.attended import AttendedRun
from airflow_provider_emrkit.runs.earlier import Found
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.limits import Limits
from airflow_provider_emrkit.runs.protocol import FailureFacts, Released
from airflow_provider_emrkit.runs.states import RunState, RunStatus
from airflow_provider_emrkit.runs.token import RunToken
from airflow_provider_emrkit.runs.watch import Pace
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = RunToken("sales", "manual__1", "load", -1, 0, 1)
JOB = SparkJob("s3://code/job.py")
THERE = ExistingCluster("j-TEAM")
PACE = Pace(poll=0.02, logs=0.02, drain=0.0)
RUN = JobRun("step", "j-TEAM", "s-1", str(TOKEN), TOKEN.marked(), "us-east-1", submitted_at=time.time())
DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not yours"}}, "CancelSteps")  # type: ignore[typeddict-item]

GONE = Released(True, "step s-1 is CANCELLED", ended=True)
GOING = Released(True, "step s-1 is CANCEL_PENDING")


class FakeRuns:
    """One run, which runs until somebody ends it."""

    def __init__(self) -> None:
        self.status = RunStatus(RunState.RUNNING, "RUNNING", started_at=time.time())
        self.looked = threading.Event()
        self.ends: list[tuple[JobRun, float]] = []
        self.answers: list[Released | Exception] = []
        self.on_end = lambda: None
        self.on_submit = lambda: None
        self.on_look = lambda: None
        self.found: list[Found] = []
        self.released = 0

    def submit(self, job: Any, compute: Any, token: Any, wishes: Any) -> JobRun:
        self.on_submit()
        return RUN

    def states(self, runs: Any) -> dict[JobRun, RunStatus]:
        self.looked.set()
        self.on_look()
        return dict.fromkeys(runs, self.status)

    def log_sources(self, run: JobRun) -> Any:
        return NoSources("no logs")

    def earlier(self, compute: Any, token: Any, since: Any) -> list[Found]:
        return self.found

    def end(self, run: JobRun, patience: float) -> Released:
        self.ends.append((run, patience))
        self.on_end()
        answer = self.answers.pop(0) if self.answers else GONE
        if isinstance(answer, Exception):
            raise answer
        return answer

    def release(self, run: JobRun) -> Released:
        self.released += 1
        return Released(True, "cluster goes on")


@pytest.fixture
def runs(monkeypatch):
    fake = FakeRuns()
    monkeypatch.setattr(attended_module, "open_runs", lambda hook, pause, left: fake)
    monkeypatch.setattr(attended_module, "LATE_LIST", 0.01)
    return fake


@pytest.fixture
def airflow_says(monkeypatch):
    """Give a function that sets what Airflow says the task's state is, or does when it is asked."""

    def says(answer: Any, in_a_thread: bool = True) -> None:
        ask = answer if callable(answer) else lambda ti: answer
        monkeypatch.setattr("airflow_provider_emrkit.operators.stopping.CAN_ASK_IN_A_THREAD", in_a_thread)
        monkeypatch.setattr("airflow_provider_emrkit.operators.stopping.read_task_state", ask)

    return says


@pytest.fixture
def attend(runs, task_log):
    import logging

    def attend(**kwargs: Any) -> AttendedRun:
        hook: Any = SimpleNamespace(
            settings=SimpleNamespace(staging_uri=None), clients=SimpleNamespace(has_own_endpoint=True)
        )
        return AttendedRun(hook, logging.getLogger("tests.task"), task_instance=object(), **kwargs)

    return attend


class Task(threading.Thread):
    """A task in the hands of the operator, as its code goes."""

    def __init__(self, attended: AttendedRun, base_dir: Path) -> None:
        super().__init__(daemon=True)
        self.attended = attended
        self.base_dir = base_dir
        self.error: BaseException | None = None
        self.status: RunStatus | None = None

    def run(self) -> None:
        try:
            run = self.attended.start(JOB, THERE, TOKEN, self.base_dir)
            try:
                self.status = self.attended.watch(run, PACE)
            except BaseException:
                self.attended.abandon(run)
                raise
        except BaseException as error:
            self.error = error

    def ends_with(self) -> BaseException | None:
        self.join(20)
        assert not self.is_alive()
        return self.error


@pytest.fixture
def watching(runs, tmp_path):
    """Give a function that starts a task and comes back when it watches its run."""

    def start(attended: AttendedRun) -> Task:
        task = Task(attended, tmp_path)
        task.start()
        assert runs.looked.wait(20)
        return task

    return start


def test_a_user_s_end_of_the_task_ends_the_job_and_is_seen_to(runs, attend, watching, airflow_says, task_log):
    airflow_says("failed")
    attended = attend()
    runs.on_look = attended.kill  # as a signal does: the task's own code waits for it
    assert isinstance(watching(attended).ends_with(), RunCancelledError)
    [(run, patience)] = runs.ends
    assert (run, patience < attended_module.KILL_PATIENCE) == (RUN, True)
    assert "Ending the job: step s-1 is CANCELLED" in task_log.lines


@pytest.mark.parametrize("state", ["running", "queued", "up_for_retry"])
def test_the_end_of_a_worker_ends_no_job(runs, attend, watching, airflow_says, task_log, state):
    airflow_says(state)
    attended = attend()
    task = watching(attended)
    attended.kill()
    error = task.ends_with()
    assert isinstance(error, RunLeftError)
    assert str(error) == (
        f"Airflow stopped the task, step s-1 on cluster j-TEAM goes on: the worker is stopped, "
        f"the task is {state}"
    )
    assert (runs.ends, runs.released) == ([], 0)
    [line] = [line for line in task_log.lines if "goes on" in line]
    assert "A next try of the task goes on with it" in line


def test_a_job_that_is_to_be_left_outlives_a_user_s_end_of_the_task(runs, attend, watching, airflow_says):
    airflow_says("failed")
    attended = attend(on_kill="leave")
    task = watching(attended)
    attended.kill()
    assert isinstance(task.ends_with(), RunLeftError)
    assert runs.ends == []


def test_a_job_that_is_to_be_left_has_its_limits_all_the_same(runs, attend, watching, airflow_says):
    airflow_says("running")
    task = watching(attend(on_kill="leave", limits=Limits(running=0.01)))
    assert isinstance(task.ends_with(), RunTimedOutError)
    assert len(runs.ends) == 1


def test_a_worker_that_airflow_does_not_answer_is_not_held_up(
    runs, attend, watching, airflow_says, monkeypatch
):
    """The interrupted code may hold the line to Airflow, and lets go of it only when the handler returns."""
    monkeypatch.setattr(attended_module, "JUDGE_PATIENCE", 0.05)
    line = threading.Event()
    airflow_says(lambda ti: (line.wait(20), "failed")[1])
    attended = attend()
    task = watching(attended)
    attended.kill()
    assert runs.ends == []
    runs.looked.clear()
    assert runs.looked.wait(20)  # the task goes on
    line.set()
    assert isinstance(task.ends_with(), RunCancelledError)
    assert [run for run, _ in runs.ends] == [RUN]


@pytest.mark.parametrize(("state", "ends"), [("failed", True), ("running", False)])
def test_where_only_the_task_s_own_code_can_ask_it_sees_to_the_kill(
    runs, attend, watching, airflow_says, task_log, monkeypatch, state, ends
):
    """Airflow 3.0 and 3.1; the handler does not wait, or the code would not get to it in time."""
    monkeypatch.setitem(globals(), "PACE", Pace(poll=300.0, logs=300.0))
    asked: list[threading.Thread] = []
    airflow_says(lambda ti: (asked.append(threading.current_thread()), state)[1], in_a_thread=False)
    attended = attend()
    runs.on_look = attended.kill
    task = watching(attended)
    assert isinstance(task.ends_with(), RunCancelledError if ends else RunLeftError)
    assert asked == [task]
    assert [run for run, _ in runs.ends] == [RUN] * ends
    assert any("only the task's own code can ask Airflow" in line for line in task_log.lines)


def test_code_that_the_signal_ends_waits_for_what_it_was_for(
    runs, attend, airflow_says, monkeypatch, tmp_path
):
    """On Airflow 2 the signal raises an exception in the task's code."""
    monkeypatch.setattr(attended_module, "JUDGE_PATIENCE", 0.05)
    line = threading.Event()
    airflow_says(lambda ti: (line.wait(20), "running")[1])
    attended = attend()
    run = attended.start(JOB, THERE, TOKEN, tmp_path)
    attended.kill()
    attended.abandon(run)
    assert runs.ends == []
    line.set()


def test_a_kill_that_has_seen_the_step_about_to_end_is_followed_by_one_with_more_patience(
    runs, attend, watching, airflow_says
):
    airflow_says("failed")
    runs.answers = [GOING, GONE]
    attended = attend()
    runs.on_look = attended.kill
    assert isinstance(watching(attended).ends_with(), RunCancelledError)
    assert [patience for _, patience in runs.ends][1:] == [attended_module.END_PATIENCE]


def test_a_kill_that_aws_refuses_is_an_error_in_the_log(runs, attend, watching, airflow_says, task_log):
    airflow_says(None)
    runs.answers = [DENIED, DENIED]
    attended = attend()
    task = watching(attended)
    attended.kill()
    task.ends_with()
    told = [record for record in task_log.records if record.levelname == "ERROR"]
    assert "step s-1 on cluster j-TEAM could not be ended: permission is missing" in told[0].getMessage()


def test_a_kill_that_aws_does_not_answer_comes_back_and_names_the_run(
    runs, attend, watching, airflow_says, task_log, monkeypatch
):
    monkeypatch.setattr(attended_module, "KILL_PATIENCE", 0.3)
    monkeypatch.setattr(attended_module, "ANSWER_PATIENCE", 0.1)
    airflow_says("failed")
    answered = threading.Event()
    runs.on_end = lambda: answered.wait(20)
    attended = attend()
    task = watching(attended)
    attended.kill()
    assert not answered.is_set()
    told: list[Any] = []
    wait_for(lambda: told.extend(one for one in task_log.records if one.levelname == "ERROR") or bool(told))
    assert "s-1 on cluster j-TEAM in us-east-1 may go on: AWS has not answered" in told[0].getMessage()
    answered.set()
    assert isinstance(task.ends_with(), RunCancelledError)


@pytest.mark.parametrize(("state", "ends"), [("failed", True), ("running", False)])
def test_a_kill_while_the_job_is_submitted_is_heeded_as_soon_as_it_has_a_run(
    runs, attend, airflow_says, tmp_path, state, ends
):
    airflow_says(state)
    attended = attend()
    runs.on_submit = attended.kill
    task = Task(attended, tmp_path)
    task.start()
    assert isinstance(task.ends_with(), RunCancelledError if ends else RunLeftError)
    assert [run for run, _ in runs.ends] == [RUN] * ends


def test_a_kill_before_the_submission_submits_nothing(runs, attend, airflow_says, tmp_path):
    airflow_says("failed")
    attended = attend()
    attended.kill()
    runs.on_submit = lambda: pytest.fail("it was submitted")
    with pytest.raises(RunCancelledError, match="nothing was submitted"):
        attended.start(JOB, THERE, TOKEN, tmp_path)


@pytest.mark.parametrize(("state", "ends"), [("failed", True), ("running", False), (None, True)])
def test_a_submission_that_is_interrupted_is_looked_for_unless_only_the_worker_goes(
    runs, attend, airflow_says, tmp_path, state, ends
):
    airflow_says(state)
    attended = attend()
    other = replace(TOKEN, try_number=7)
    runs.found = [
        Found(replace(RUN, step_id="s-7"), runs.status, other.mark),
        Found(RUN, runs.status, TOKEN.mark),
    ]

    def interrupt() -> None:
        attended.kill()
        raise KeyboardInterrupt

    runs.on_submit = interrupt
    with pytest.raises(KeyboardInterrupt):
        attended.start(JOB, THERE, TOKEN, tmp_path)
    assert [run for run, _ in runs.ends] == [RUN] * ends


class TestAJobThatIsNotListedYet:
    """Its submission was interrupted, and EMR lists what was submitted a little later."""

    @pytest.fixture
    def looks(self, runs):
        """What each look finds; the last answer is that of all further ones."""
        answers: list[list[Found]] = [[], [Found(RUN, runs.status, TOKEN.mark)]]
        runs.earlier = lambda compute, token, since: answers.pop(0) if len(answers) > 1 else answers[0]
        return answers

    @pytest.mark.parametrize("is_stopped", [True, False])
    @pytest.mark.parametrize("error", [KeyboardInterrupt(), SubmitRefusedError("stopped before")])
    def test_it_is_looked_for_once_more(self, runs, looks, attend, airflow_says, tmp_path, is_stopped, error):
        def interrupt() -> None:
            if is_stopped:
                attended.kill()
            raise error

        airflow_says("failed")
        attended, runs.on_submit = attend(), interrupt
        with pytest.raises((KeyboardInterrupt, SubmitRefusedError, RunCancelledError)):
            attended.start(JOB, THERE, TOKEN, tmp_path)
        was_refused = isinstance(error, SubmitRefusedError) and not is_stopped
        assert [run for run, _ in runs.ends] == ([] if was_refused else [RUN])

    @pytest.mark.parametrize(
        ("compute", "place"),
        [
            (THERE, "the steps of cluster j-TEAM"),
            (
                ServerlessApplication("00app", execution_role_arn=ROLE),
                "the job runs of application 00app",
            ),
        ],
    )
    def test_where_it_is_not_found_it_is_told_where_to_look(
        self, runs, looks, attend, task_log, tmp_path, compute, place
    ):
        looks[:] = [[]]
        runs.on_submit = lambda: (_ for _ in ()).throw(KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            attend().start(JOB, compute, TOKEN, tmp_path)
        (told,) = [one.getMessage() for one in task_log.records if one.levelname == "WARNING"]
        assert f"{TOKEN.marked()!r} among {place}" in told

    def test_what_was_never_sent_is_not_looked_for(self, runs, attend, task_log, tmp_path):
        runs.on_submit = lambda: (_ for _ in ()).throw(InvalidValueError("SparkJob", "args", [], "is bad"))
        runs.earlier = lambda compute, token, since: pytest.fail("it was looked for")
        with pytest.raises(InvalidValueError):
            attend().start(JOB, THERE, TOKEN, tmp_path)


def test_an_interruption_of_the_request_itself_ends_the_job_run(
    localemr_server, attend, monkeypatch, tmp_path
):
    rig = ServerlessRig(localemr_server)
    rig.server.jobs.script("job", hold=True)
    monkeypatch.setattr(attended_module, "open_runs", lambda hook, pause, left: rig.runs)
    monkeypatch.setattr(attended_module, "LATE_LIST", 0.01)
    rig.emr.fail("start_job_run", KeyboardInterrupt(), done=True)
    rig.emr.hide("list_job_runs", 2)  # those that go on, and all
    with pytest.raises(KeyboardInterrupt):
        attend().start(JOB, rig.compute(), TOKEN, tmp_path)
    assert [one["state"] for one in rig.job_runs()] == ["CANCELLED"]


@pytest.mark.parametrize(
    ("limits", "which"),
    [
        pytest.param(Limits(running=0.2), "running", id="running"),
        pytest.param(Limits(total=0.2), "total", id="as a whole"),
    ],
)
def test_a_limit_ends_the_run_without_waiting_for_the_next_look(
    runs, attend, airflow_says, tmp_path, limits, which, monkeypatch
):
    airflow_says("running")
    monkeypatch.setitem(globals(), "PACE", Pace(poll=300.0, logs=300.0))
    now = time.time()
    runs.status = RunStatus(RunState.RUNNING, "RUNNING", started_at=now)
    monkeypatch.setitem(globals(), "RUN", replace(RUN, submitted_at=now))
    task = Task(attend(limits=limits), tmp_path)
    task.start()
    error = task.ends_with()
    assert isinstance(error, RunTimedOutError)
    assert f"(limit {which})" in str(error)
    assert len(runs.ends) == 1


@pytest.mark.parametrize(
    ("limits", "then"),
    [
        pytest.param(Limits(queued=0.2), RunStatus(RunState.RUNNING, "RUNNING"), id="it has started since"),
        pytest.param(Limits(total=0.2), RunStatus(RunState.SUCCEEDED, "COMPLETED"), id="it has ended since"),
    ],
)
def test_a_limit_is_not_judged_by_an_old_look(
    runs, attend, airflow_says, tmp_path, limits, then, monkeypatch
):
    airflow_says("running")
    monkeypatch.setitem(globals(), "PACE", Pace(poll=300.0, logs=300.0))
    now = time.time()
    monkeypatch.setitem(globals(), "RUN", replace(RUN, submitted_at=now))
    runs.status = RunStatus(RunState.QUEUED, "PENDING", compute_ready_at=now)
    looks: list[RunStatus] = []

    def states(of: Any) -> Any:
        looks.append(runs.status if not looks else then)
        if len(looks) > 1:
            runs.looked.set()
        return dict.fromkeys(of, looks[-1])

    runs.states = states
    task = Task(attend(limits=limits), tmp_path)
    task.start()
    assert runs.looked.wait(20)
    if then.state.is_final:
        assert task.ends_with() is None
        assert task.status == then
    else:
        task.attended.kill()
        assert isinstance(task.ends_with(), RunLeftError)
    assert runs.ends == []


@pytest.mark.parametrize(
    ("state", "kind"),
    [pytest.param("running", RunLeftError, id="drain"), pytest.param("failed", RunCancelledError, id="user")],
)
def test_a_submission_that_airflow_stops_is_not_one_that_aws_refused(
    runs, attend, airflow_says, tmp_path, state, kind
):
    airflow_says(state)
    attended = attend()

    def submit(job: Any, compute: Any, token: Any, wishes: Any) -> JobRun:
        attended.kill()
        raise SubmitRefusedError("the task was stopped before its job was submitted")

    runs.submit = submit
    with pytest.raises(kind, match="stopped before its job was submitted"):
        attended.start(JOB, THERE, TOKEN, tmp_path)


def test_a_kill_while_a_lost_run_is_cleaned_up_is_remembered(runs, attend, airflow_says, tmp_path):
    """Its job must not be started on another cluster."""
    airflow_says("failed")
    attended = attend()
    run = attended.start(JOB, THERE, TOKEN, tmp_path)

    def release(run: JobRun) -> Released:
        attended.kill()
        return Released(True, "cluster goes on")

    runs.release = release
    runs.failure_facts = lambda run, patience: FailureFacts()
    with pytest.raises(ClusterLostError):
        attended.finish(run, RunStatus(RunState.LOST, "INTERRUPTED", compute_state="TERMINATED"))
    with pytest.raises(RunCancelledError):
        attended.refuse_if_stopped()
    assert runs.ends == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeoutError], ids=["ctrl-c", "task timeout"])
def test_whatever_else_ends_the_task_s_code_ends_the_job(runs, attend, watching, airflow_says, error):
    airflow_says("running")
    runs.states = lambda of: (_ for _ in ()).throw(error())  # type: ignore[method-assign]
    runs.looked.set()
    task = watching(attend())
    assert isinstance(task.ends_with(), error)
    assert runs.ends == [(RUN, attended_module.END_PATIENCE)]


def test_a_kill_after_the_end_asks_nobody(runs, attend, airflow_says, tmp_path):
    """Airflow also kills a task whose timeout has ended its code."""
    asked: list[Any] = []
    airflow_says(asked.append)
    attended = attend()
    run = attended.start(JOB, THERE, TOKEN, tmp_path)
    attended.abandon(run)
    attended.kill()
    assert (len(runs.ends), asked) == (1, [])


def test_a_run_after_a_lost_one_is_attended_anew(runs, attend, airflow_says, tmp_path):
    airflow_says("failed")
    attended = attend()
    attended.abandon(attended.start(JOB, THERE, TOKEN, tmp_path))
    attended.start(JOB, THERE, replace(TOKEN, relaunch=1), tmp_path)
    attended.kill()
    wait_for(lambda: len(runs.ends) == 2)


def test_an_attached_run_is_killed_like_one_s_own(runs, attend, airflow_says, monkeypatch):
    airflow_says("failed")
    found = Found(replace(RUN, step_id="s-0"), runs.status, TOKEN.mark)
    runs.found = [found]
    attended = attend()
    assert attended.take_over(JOB, THERE, replace(TOKEN, try_number=2), None, "attach") == found
    attended.kill()
    wait_for(lambda: [run.step_id for run, _ in runs.ends] == ["s-0"])


def test_the_handler_leaves_airflow_time_to_spare_and_the_log_time_to_be_written():
    """Airflow 3 kills the process 5 s after its signal."""
    assert (
        attended_module.KILL_END_PATIENCE
        < attended_module.ANSWER_PATIENCE
        < attended_module.KILL_PATIENCE
        < 5
    )
    assert attended_module.JUDGE_PATIENCE < attended_module.KILL_END_PATIENCE
    assert attended_module.LATE_LIST < attended_module.KILL_END_PATIENCE
