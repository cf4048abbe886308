"""Steps that bring an image, as the users of a cluster see them."""

from __future__ import annotations

import pytest
from fake_engine import fake_engine  # noqa: F401 - the fixture
from waiting import wait_until

from airflow_provider_emrkit.localemr.run.contract import StepRequest
from airflow_provider_emrkit.localemr.run.runner import SparkClusterRunner
from airflow_provider_emrkit.logs.causes import LogText, find_cause

pytestmark = pytest.mark.usefixtures("fake_engine")

DRIVER, EXECUTORS = "spark.yarn.appMasterEnv.", "spark.executorEnv."
TRUSTED = [
    {
        "Classification": "container-executor",
        "Configurations": [
            {"Classification": "docker", "Properties": {"docker.trusted.registries": "local"}}
        ],
    }
]
ALLOWED = [
    *TRUSTED,
    {
        "Classification": "yarn-site",
        "Properties": {"yarn.nodemanager.runtime.linux.allowed-runtimes": "default,docker"},
    },
]


def submit(*job: str, mode: str = "cluster", image: str = "local/etl:1", prefixes=(DRIVER, EXECUTORS)):
    pairs = {"TYPE": "docker", "DOCKER_IMAGE": image, "DOCKER_MOUNTS": "/etc/passwd:/etc/passwd:ro"}
    conf = [
        word
        for prefix in prefixes
        for name, text in pairs.items()
        for word in ("--conf", f"{prefix}YARN_CONTAINER_RUNTIME_{name}={text}")
    ]
    return ["spark-submit", "--deploy-mode", mode, *conf, *(job or ("s3://b/job.py",))]


@pytest.fixture
def cluster(start):
    return start(configurations=ALLOWED)


def run(cluster, args, jar="command-runner.jar"):
    step = cluster.start_step(StepRequest("s-1", "it", jar, args))
    return step.wait()


def log(cluster, name: str = "stderr", step: str = "s-1") -> str:
    return (cluster.context.place.steps / step / name).read_text()


def driver_log(cluster, name: str) -> str:
    (path,) = cluster.context.place.applications.glob(f"*/{name}")
    return path.read_text()


def test_in_deploy_mode_cluster_the_driver_is_in_a_container(cluster, fake_engine):  # noqa: F811
    assert run(cluster, submit()).succeeded
    assert len(fake_engine.calls("start")) == 1
    assert "s3://b/job.py" in driver_log(cluster, "stdout")
    assert "final status: SUCCEEDED" in log(cluster)
    assert fake_engine.containers() == []


def test_in_deploy_mode_client_the_whole_application_is(cluster, fake_engine):  # noqa: F811
    assert run(cluster, submit(mode="client")).succeeded
    assert len(fake_engine.calls("start")) == 1
    assert "s3://b/job.py" in log(cluster, "stdout")
    assert "the driver outside of the image" in log(cluster)


def test_a_step_without_an_image_needs_no_engine(cluster, fake_engine):  # noqa: F811
    assert run(cluster, ["spark-submit", "s3://b/job.py"]).succeeded
    assert fake_engine.calls() == []


def test_a_script_may_submit_a_driver_with_an_image(cluster, fake_engine, tmp_path):  # noqa: F811
    script = tmp_path / "submit.sh"
    script.write_text('exec "$@"\n')
    assert run(cluster, [str(script), *submit()], jar="script-runner.jar").succeeded
    assert len(fake_engine.calls("start")) == 1
    assert "s3://b/job.py" in driver_log(cluster, "stdout")


def test_a_script_that_submits_in_deploy_mode_client_is_told_that_it_runs_outside(
    cluster,
    fake_engine,  # noqa: F811
    tmp_path,
):
    script = tmp_path / "submit.sh"
    script.write_text('exec "$@"\n')
    assert run(cluster, [str(script), *submit(mode="client")], jar="script-runner.jar").succeeded
    assert fake_engine.calls() == []
    assert "this runs outside of local/etl:1" in log(cluster)


@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_a_jobs_own_failure_is_what_the_step_fails_with(cluster, mode):
    result = run(cluster, submit("job-that-fails", mode=mode))
    assert not result.succeeded
    said = log(cluster, "stdout") if mode == "client" else driver_log(cluster, "stdout")
    assert "ValueError: boom" in said
    assert "container-launch" not in log(cluster)


@pytest.mark.parametrize("mode", ["client", "cluster"])
@pytest.mark.parametrize(
    ("image", "signal"),
    [("etl:1", "image: etl:1 is not trusted"), ("local/other:1", "manifest for local/other:1 not found")],
)
def test_why_an_image_does_not_run_is_found_in_the_steps_log(cluster, mode, image, signal):
    result = run(cluster, submit(mode=mode, image=image))
    assert not result.succeeded
    assert "Exception from container-launch." in log(cluster)
    assert signal in log(cluster)
    cause = find_cause([LogText("stderr", log(cluster).splitlines())], result.message)
    assert cause.about == "docker"
    assert signal in cause.message


def test_an_application_that_was_not_launched_has_failed_for_yarn(cluster):
    run(cluster, submit(image="etl:1"))
    (application,) = cluster.context.manager.applications()
    assert (application.state, application.final_status) == ("FAILED", "FAILED")
    assert "failed 2 times due to AM Container" in log(cluster)


def test_a_release_without_docker_refuses_as_yarn_does(start, fake_engine):  # noqa: F811
    cluster = start(configurations=TRUSTED)
    assert not run(cluster, submit()).succeeded
    assert "Requested runtime not allowed." in log(cluster)
    assert fake_engine.calls() == []


@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_a_missing_engine_is_the_steps_message(cluster, mode, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run(cluster, submit(mode=mode))
    assert "is not installed here: install it" in result.message
    assert result.message in log(cluster)
    cause = find_cause([LogText("stderr", log(cluster).splitlines())], result.message)
    assert result.message.rstrip(".") in cause.message


def test_a_cancelled_step_in_deploy_mode_client_leaves_no_container(cluster, fake_engine):  # noqa: F811
    step = cluster.start_step(
        StepRequest("s-1", "it", "command-runner.jar", submit("job-that-sleeps", mode="client"))
    )
    wait_until(lambda: "sleeping" in log(cluster, "stdout"), "the job runs")
    assert len(fake_engine.containers()) == 1
    step.cancel()
    assert step.wait().cancelled
    assert fake_engine.containers() == []


def test_an_application_that_yarn_kills_leaves_no_container(cluster, fake_engine):  # noqa: F811
    step = cluster.start_step(StepRequest("s-1", "it", "command-runner.jar", submit("job-that-sleeps")))
    wait_until(lambda: cluster.context.manager.applications(), "the application is there")
    (application,) = cluster.context.manager.applications()
    wait_until(lambda: "sleeping" in driver_log(cluster, "stdout"), "the job runs")
    application.kill()
    assert not step.wait().succeeded
    assert application.state == "KILLED"
    assert fake_engine.containers() == []


def test_a_cluster_that_stops_takes_its_containers_along(cluster, fake_engine):  # noqa: F811
    cluster.start_step(StepRequest("s-1", "it", "command-runner.jar", submit("job-that-sleeps")))
    wait_until(fake_engine.containers, "the container is there")
    cluster.stop()
    assert fake_engine.containers() == []


def test_a_new_start_ends_the_containers_of_an_earlier_one(cluster, fake_engine, server_config):  # noqa: F811
    step = cluster.start_step(StepRequest("s-1", "it", "command-runner.jar", submit("job-that-sleeps")))
    wait_until(lambda: "sleeping" in driver_log(cluster, "stdout"), "the job runs")
    SparkClusterRunner(server_config)
    assert fake_engine.containers() == []
    step.wait()
