from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import nullcontext
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow import DAG
from airflow_fixtures import FakeTaskInstance, cluster_state, step_state, wait_for

from airflow_provider_emrkit import (
    ClusterSpec,
    DynamicCluster,
    EmrSparkOperator,
    ExistingCluster,
    InvalidValueError,
    LogStream,
    SparkJob,
)
from airflow_provider_emrkit.exceptions import (
    ClusterFailedError,
    RunCancelledError,
    RunError,
    RunFailedError,
    RunTimedOutError,
    SubmitRefusedError,
)
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError
from airflow_provider_emrkit.runs.watch import Pace

JOB = SparkJob("s3://code/job.py", args=["--day", "{{ ds }}"], deploy_mode="client")
NEW_CLUSTER = DynamicCluster(ClusterSpec("emr-7.11.0", size="tiny"))


@pytest.fixture(autouse=True)
def _quick(emrkit_connection, monkeypatch):
    pace = Pace(poll=0.05, logs=0.02, drain=0.1)
    monkeypatch.setattr(EmrSparkOperator, "_pace", lambda self: pace)


@pytest.fixture(autouse=True)
def _users_end_tasks(monkeypatch):
    """Airflow says of every task that is stopped that somebody has marked it failed."""
    stopped, kill = threading.Event(), EmrSparkOperator.on_kill

    def on_kill(operator: EmrSparkOperator) -> None:
        stopped.set()
        kill(operator)

    monkeypatch.setattr(EmrSparkOperator, "on_kill", on_kill)
    monkeypatch.setattr(
        "airflow_provider_emrkit.operators.stopping.read_task_state",
        lambda ti: "failed" if stopped.is_set() else "running",
    )


def make(job: SparkJob = JOB, compute: Any = NEW_CLUSTER, **kwargs: Any) -> EmrSparkOperator:
    with DAG("sales", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc)):
        return EmrSparkOperator(task_id="load", job=job, compute=compute, **kwargs)


def clusters(emr) -> list[str]:
    return [cluster["Id"] for cluster in emr.list_clusters()["Clusters"]]


@pytest.fixture
def killed_when_it_runs(localemr_server):
    """Give a function that kills an operator, from the outside, as soon as its step runs."""
    threads: list[threading.Thread] = []

    def kill(operator: EmrSparkOperator) -> EmrSparkOperator:
        def wait_and_kill() -> None:
            localemr_server.runner.wait_started("sales.load")
            operator.on_kill()

        threads.append(threading.Thread(target=wait_and_kill))
        threads[-1].start()
        return operator

    yield kill
    for thread in threads:
        thread.join()


def test_a_job_on_a_cluster_of_its_own_gives_its_ids_and_ends_the_cluster(localemr_server, emr, ti):
    localemr_server.runner.script("sales.load", stdout=["24 rows"])
    value = make().execute({"ti": ti})
    assert value["state"] == "COMPLETED"
    assert value["owns_cluster"] is True
    assert clusters(emr) == [value["cluster_id"]]
    wait_for(lambda: cluster_state(emr, value["cluster_id"]) == "TERMINATED")
    step = emr.list_steps(ClusterId=value["cluster_id"])["Steps"][0]
    assert step["Id"] == value["step_id"] == ti.xcoms["emrkit_run"]["step_id"]
    assert step["ActionOnFailure"] == "TERMINATE_CLUSTER"
    assert step["Name"] == f"sales.load emrkit:{value['token']}"


def test_the_cluster_says_whose_it_is(emr, ti):
    value = make().execute({"ti": ti})
    cluster = emr.describe_cluster(ClusterId=value["cluster_id"])["Cluster"]
    tags = {tag["Key"]: tag["Value"] for tag in cluster["Tags"]}
    assert tags["emrkit:token"] == value["token"]
    assert (tags["emrkit:dag_id"], tags["emrkit:task_id"]) == ("sales", "load")
    assert cluster["Name"].endswith(f"emrkit:{value['token']}")
    assert cluster["AutoTerminate"] is True


def test_a_job_on_an_existing_cluster_leaves_the_cluster_alone(emr, ti, waiting_cluster):
    value = make(compute=ExistingCluster(waiting_cluster)).execute({"ti": ti})
    assert value["cluster_id"] == waiting_cluster
    assert emr.list_steps(ClusterId=waiting_cluster)["Steps"][0]["ActionOnFailure"] == "CONTINUE"
    assert cluster_state(emr, waiting_cluster) in ("WAITING", "RUNNING")


def test_the_job_s_lines_are_in_the_task_log_in_order_and_once(localemr_server, ti, task_log):
    written = [f"row {number}" for number in range(50)]
    localemr_server.runner.script("sales.load", stdout=written)
    make().execute({"ti": ti})
    assert [line for line in task_log.lines if line.startswith("[stdout]")] == [
        f"[stdout] {row}" for row in written
    ]


def test_the_task_log_tells_what_happens(localemr_server, ti, task_log):
    localemr_server.runner.script("sales.load", stdout=["hello"])
    value = make().execute({"ti": ti})
    told = " | ".join(task_log.lines)
    for part in (
        f"Started cluster {value['cluster_id']}",
        f"Step {value['step_id']} is COMPLETED",
        "[stdout] hello",
        f"Done: step {value['step_id']}",
    ):
        assert part in told


def test_local_files_are_staged_once(localemr_server, emr, ti, tmp_path):
    (tmp_path / "job.py").write_text("print('hi')")
    operator = make(SparkJob(str(tmp_path / "job.py")))
    value = operator.execute({"ti": ti})
    args = emr.list_steps(ClusterId=value["cluster_id"])["Steps"][0]["Config"]["Args"]
    keys = [
        entry["Key"] for entry in localemr_server.client("s3").list_objects_v2(Bucket="staging")["Contents"]
    ]
    staged = [key for key in keys if key.startswith("emrkit/")]
    assert len(staged) == 1
    assert args[-1] == f"s3://staging/{staged[0]}"


def test_a_failing_job_says_why_in_one_line_and_takes_its_cluster_with_it(localemr_server, emr, ti):
    trace = [
        "Traceback (most recent call last):",
        '  File "/tmp/job.py", line 7, in <module>',
        "ValueError: no such day",
    ]
    localemr_server.runner.script("sales.load", stderr=trace, fails="exit 1")
    with pytest.raises(RunFailedError, match=r"ValueError: no such day \(job.py line 7") as raised:
        make().execute({"ti": ti})
    assert "\n" not in str(raised.value)
    assert raised.value.cause.kind == "python"
    [cluster_id] = clusters(emr)
    wait_for(lambda: cluster_state(emr, cluster_id).startswith("TERMINATED"))


def test_a_cluster_that_does_not_start_is_not_the_job_s_fault(localemr_server, ti):
    localemr_server.runner.start_error = ClusterStartError("no instances left", "VALIDATION_ERROR")
    with pytest.raises(ClusterFailedError, match="no instances left"):
        make().execute({"ti": ti})


def test_killing_the_task_ends_its_cluster(localemr_server, emr, ti, task_log, killed_when_it_runs):
    localemr_server.runner.script("sales.load", hold=True)
    with pytest.raises(RunCancelledError, match="Airflow stopped the task"):
        killed_when_it_runs(make()).execute({"ti": ti})
    [cluster_id] = clusters(emr)
    wait_for(lambda: cluster_state(emr, cluster_id).startswith("TERMINATED"))
    assert len([line for line in task_log.lines if line.startswith("Ending the job")]) == 1


def test_killing_the_task_cancels_the_step_on_a_cluster_of_others(
    localemr_server, emr, ti, waiting_cluster, killed_when_it_runs
):
    localemr_server.runner.script("sales.load", hold=True)
    with pytest.raises(RunCancelledError):
        killed_when_it_runs(make(compute=ExistingCluster(waiting_cluster))).execute({"ti": ti})
    wait_for(lambda: step_state(emr, waiting_cluster) == "CANCELLED")
    assert cluster_state(emr, waiting_cluster) in ("WAITING", "RUNNING")


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_task_that_is_killed_while_it_submits_does_not_go_on(localemr_server, emr, ti, deferrable):
    operator = make(deferrable=deferrable)

    class Killed(FakeTaskInstance):
        def xcom_push(self, key: str, value: Any) -> None:
            operator.on_kill()  # Airflow 3's signal calls it, and lets the task go on

    localemr_server.runner.script("sales.load", hold=True)
    with pytest.raises(RunCancelledError, match="Airflow stopped the task"):
        operator.execute({"ti": Killed()})
    [cluster_id] = clusters(emr)
    wait_for(lambda: cluster_state(emr, cluster_id).startswith("TERMINATED"))


def test_a_kill_that_aws_does_not_answer_in_time_is_an_error_that_names_the_cluster(
    localemr_server, ti, task_log, monkeypatch
):
    monkeypatch.setattr("airflow_provider_emrkit.operators.attended.KILL_PATIENCE", 0.3)
    monkeypatch.setattr("airflow_provider_emrkit.operators.attended.ANSWER_PATIENCE", 0.1)
    operator, answered = make(), threading.Event()
    localemr_server.runner.script("sales.load", hold=True)

    class Slow(FakeTaskInstance):
        def xcom_push(self, key: str, value: Any) -> None:
            really = operator._attended.runs.end
            monkeypatch.setattr(
                operator._attended.runs, "end", lambda *given: (answered.wait(20), really(*given))[1]
            )
            operator.on_kill()
            told: list[Any] = []
            wait_for(lambda: told.extend(r for r in task_log.records if r.levelname == "ERROR") or bool(told))
            assert "AWS has not answered" in told[0].getMessage()
            assert "on cluster j-" in told[0].getMessage()
            answered.set()

    with pytest.raises(RunCancelledError):
        operator.execute({"ti": Slow()})


def test_a_kill_before_anything_was_submitted_is_harmless():
    make().on_kill()


@pytest.mark.parametrize("deferrable", [True, False])
def test_an_airflow_that_does_not_take_the_ids_does_the_job_no_harm(
    localemr_server, emr, task_log, deferrable
):
    class Deaf(FakeTaskInstance):
        def xcom_push(self, key: str, value: Any) -> None:
            raise ConnectionError("Airflow does not answer")

    with pytest.raises(BaseException) if deferrable else nullcontext() as raised:  # noqa: PT011
        make(deferrable=deferrable).execute({"ti": Deaf()})
    assert not deferrable or type(raised.value).__name__ == "TaskDeferred"
    assert any("did not take the ids and links of step" in line for line in task_log.lines)


def test_a_cluster_whose_task_breaks_after_the_submission_is_ended(localemr_server, emr, ti, monkeypatch):
    def full(*_: Any) -> None:
        raise OSError("no space left")

    localemr_server.runner.script("sales.load", hold=True)
    monkeypatch.setattr(EmrSparkOperator, "_announce", full)
    with pytest.raises(OSError, match="no space left"):
        make().execute({"ti": ti})
    [cluster_id] = clusters(emr)
    wait_for(lambda: cluster_state(emr, cluster_id).startswith("TERMINATED"))


def test_an_unknown_cluster_is_named_with_the_mend(ti):
    with pytest.raises(SubmitRefusedError, match=r"j-NOTTHERE.*check its id and the connection's region"):
        make(compute=ExistingCluster("j-NOTTHERE")).execute({"ti": ti})


def test_a_terminated_cluster_is_named_with_the_mend(emr, ti, waiting_cluster):
    emr.terminate_job_flows(JobFlowIds=[waiting_cluster])
    wait_for(lambda: cluster_state(emr, waiting_cluster) == "TERMINATED")
    with pytest.raises(SubmitRefusedError, match=rf"{waiting_cluster} is TERMINATED.*name one that runs"):
        make(compute=ExistingCluster(waiting_cluster)).execute({"ti": ti})


def test_a_local_file_without_a_staging_bucket_is_refused_before_anything_runs(
    emr, ti, monkeypatch, tmp_path, emrkit_connection
):
    del emrkit_connection["staging_uri"]
    connection = {"conn_type": "emrkit", "extra": emrkit_connection}
    monkeypatch.setenv("AIRFLOW_CONN_EMRKIT_DEFAULT", json.dumps(connection))
    (tmp_path / "job.py").write_text("")
    with pytest.raises(
        SubmitRefusedError, match=r"job\.py is a local file and the emrkit connection has no staging_uri"
    ):
        make(SparkJob(str(tmp_path / "job.py"))).execute({"ti": ti})
    assert clusters(emr) == []


def test_deferring_hands_the_run_over(ti, localemr_server):
    operator = make(deferrable=True, execution_timeout=timedelta(minutes=10))
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - TaskDeferred moved between Airflow versions
        operator.execute({"ti": ti})
    deferral = raised.value
    assert type(deferral).__name__ == "TaskDeferred"
    assert deferral.method_name == "execute_complete"
    _, kwargs = deferral.trigger.serialize()
    assert kwargs["run"] == ti.xcoms["emrkit_run"]
    assert json.loads(json.dumps(kwargs)) == kwargs
    ten_minutes = (ti.start_date + timedelta(minutes=10)).timestamp()
    assert ten_minutes - 15 < kwargs["deadline"] < ten_minutes


def submitted(ti: FakeTaskInstance) -> dict[str, Any]:
    """Defer a task, and give the run that the trigger would watch."""
    with pytest.raises(BaseException):  # noqa: B017, PT011
        make(deferrable=True).execute({"ti": ti})
    return ti.xcoms["emrkit_run"]


def test_a_timeout_while_deferred_ends_the_cluster(localemr_server, emr, ti):
    localemr_server.runner.script("sales.load", hold=True)
    run = submitted(ti)
    event = {"state": "timeout", "run": run, "status": None, "message": ""}
    with pytest.raises(RunTimedOutError, match="longer than execution_timeout"):
        make(execution_timeout=timedelta(minutes=10)).execute_complete({"ti": ti}, event)
    wait_for(lambda: cluster_state(emr, run["cluster_id"]).startswith("TERMINATED"))


def test_a_trigger_that_broke_ends_the_cluster(localemr_server, emr, ti):
    localemr_server.runner.script("sales.load", hold=True)
    run = submitted(ti)
    event = {"state": "error", "run": run, "status": None, "message": "AccessDenied"}
    with pytest.raises(RunError, match=r"could not be watched any longer.*AccessDenied"):
        make().execute_complete({"ti": ti}, event)
    wait_for(lambda: cluster_state(emr, run["cluster_id"]).startswith("TERMINATED"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"job": "job.py"}, "EmrSparkOperator.job", id="job"),
        pytest.param(
            {"compute": "j-1"}, "EmrSparkOperator.compute: 'j-1' is nothing a job can run on", id="compute"
        ),
        pytest.param(
            {"poll_interval": 0.1}, "EmrSparkOperator.poll_interval: 0.1 is out of bounds", id="interval"
        ),
        pytest.param({"poll_interval": float("nan")}, "poll_interval: nan is out of bounds", id="no number"),
        pytest.param({"poll_interval": float("inf")}, "poll_interval: inf is out of bounds", id="for ever"),
        pytest.param({"poll_interval": True}, "poll_interval: True is of type bool", id="not an interval"),
        pytest.param({"executor_logs": 1}, "EmrSparkOperator.executor_logs: 1 is of type int", id="no flag"),
        pytest.param(
            {"log_streams": LogStream("/team", "driver")},
            r"EmrSparkOperator.log_streams: .* is of type LogStream; pass a list",
            id="one stream",
        ),
        pytest.param(
            {"log_streams": [("/team", "driver")]},
            r"EmrSparkOperator.log_streams\[0\]: .* is of type tuple; give LogStream",
            id="a stream as a tuple",
        ),
    ],
)
def test_a_wrong_argument_is_found_when_the_dag_is_parsed(arguments, message):
    with pytest.raises(InvalidValueError, match=message):
        make(**arguments)


def render(operator: EmrSparkOperator, **context: Any) -> EmrSparkOperator:
    operator.render_template_fields(context)
    return operator


def test_templates_inside_jobs_and_clusters_are_rendered():
    spec = ClusterSpec("emr-7.11.0", size="tiny", tags={"day": "{{ ds }}"}, log_uri="s3://{{ bucket }}/logs/")
    operator = render(make(JOB, DynamicCluster(spec)), ds="2024-02-29", bucket="mine")
    assert operator.job.args == ("--day", "2024-02-29")
    assert operator.compute.spec.log_uri == "s3://mine/logs/"
    assert operator.compute.spec.tags == {"day": "2024-02-29"}


def test_what_is_wanted_of_the_logs_goes_with_the_run(ti, localemr_server):
    streams = [LogStream("/team", "driver-{{ ds }}"), LogStream("/team", "worker-{{ ds }}-*")]
    operator = render(make(deferrable=True, executor_logs=True, log_streams=streams), ds="2026-11-28")
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - TaskDeferred moved between Airflow versions
        operator.execute({"ti": ti})
    _, kwargs = raised.value.trigger.serialize()
    assert kwargs["run"]["executor_logs"]
    assert kwargs["run"]["executors_sent"]
    assert kwargs["run"]["log_streams"] == [["/team", "driver-2026-11-28"], ["/team", "worker-2026-11-28-*"]]


def test_a_rendered_value_is_checked_again():
    with pytest.raises(InvalidValueError, match=r"ExistingCluster\.cluster_id: 'nonsense'"):
        render(make(compute=ExistingCluster("{{ found }}")), ds="", found="nonsense")


def test_mapped_tasks_take_jobs():
    with DAG("sales", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc)) as dag:
        EmrSparkOperator.partial(task_id="load", compute=NEW_CLUSTER).expand(
            job=[SparkJob("s3://code/{{ ds }}.py"), SparkJob("s3://code/b.py")]
        )
    mapped = dag.task_dict["load"]
    operator = mapped.unmap({"job": SparkJob("s3://code/{{ ds }}.py")})
    assert render(operator, ds="a").job.entry_point == "s3://code/a.py"


def test_importing_the_operator_loads_no_boto3_and_little_else():
    code = (
        "import sys, airflow.models.dag, airflow.triggers.base\n"
        "try:\n    import airflow.sdk.bases.operator, airflow.sdk.execution_time.xcom\n"
        "except ImportError:\n    import airflow.models.baseoperator\n"
        "before = set(sys.modules)\n"
        "import airflow_provider_emrkit; airflow_provider_emrkit.EmrSparkOperator\n"
        "print('loaded', *(sys.modules.keys() - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    [line] = [line for line in done.stdout.splitlines() if line.startswith("loaded ")]
    loaded = set(line.split()[1:])
    assert "airflow_provider_emrkit.operators.spark" in loaded
    assert not any(name.startswith(("boto", "airflow.providers.amazon")) for name in loaded)
    # What a worker or a triggerer needs is loaded there: a DAG file is read again every half a minute.
    rooms = {name.split(".")[1] for name in loaded if name.startswith("airflow_provider_emrkit.")}
    assert not rooms & {"events", "hooks", "localemr", "triggers"}
    assert not [name for name in loaded if "serverless" in name]  # other computes' DAGs have no use for it
    assert len(loaded) <= 70  # 47 with Airflow 3.3, 67 with 2.11
