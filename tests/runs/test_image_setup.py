"""Jobs with images on their way to a cluster: what is judged, pinned and told before anything is sent."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from faulty_emr import FaultyEmr, aws_error, clients_of, throttled, timed_out

from airflow_provider_emrkit import (
    ClusterSpec,
    DockerImage,
    DynamicCluster,
    ExistingCluster,
    SparkJob,
)
from airflow_provider_emrkit.compute.defaults import ClusterDefaults
from airflow_provider_emrkit.exceptions import ImageRefusedError, SubmitDeniedError, ThrottledError
from airflow_provider_emrkit.jobs.ecr_login import client_config_of
from airflow_provider_emrkit.runs.image_setup import with_image_set_up
from airflow_provider_emrkit.runs.step_submission import StepSubmission
from airflow_provider_emrkit.runs.token import RunToken

TOKEN = RunToken("sales", "manual__1", "load", -1, 0, 1)
HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
DIGEST = f"sha256:{'a' * 64}"
HUB = SparkJob("s3://code/job.py", docker=DockerImage("team/etl:1.4"))
ECR = SparkJob("s3://code/job.py", docker=DockerImage(f"{HOST}/etl:1.4"))
PINNED = replace(ECR, docker=DockerImage(f"{HOST}/etl:1.4", pin_digest=True))
NEW = DynamicCluster(ClusterSpec("emr-6.15.0", size="tiny", cloudwatch_logs=False))


def trusting(*registries: str) -> list[dict[str, Any]]:
    docker = {
        "Classification": "docker",
        "Properties": {"docker.trusted.registries": ",".join(("local", "centos", *registries))},
    }
    return [{"Classification": "container-executor", "Properties": {}, "Configurations": [docker]}]


class Ecr:
    """ECR with one image.

    :param errors: What it answers first.
    """

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked: list[dict[str, Any]] = []

    def describe_images(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        if self.errors:
            raise self.errors.pop(0)
        return {"imageDetails": [{"imageDigest": DIGEST}]}


class Rig:
    """A local EMR, and the means to submit to it."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.emr = FaultyEmr(server.client("emr"))
        self.s3 = server.client("s3")
        self.s3.create_bucket(Bucket="staging")
        self.ecr = Ecr()
        self.is_on_aws = True
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return False

    def cluster(self, label: str = "emr-6.15.0", configurations: Any = (), **request: Any) -> ExistingCluster:
        request.update({"Configurations": list(configurations)} if configurations else {})
        cluster_id = self.server.run_cluster(ReleaseLabel=label, **request)
        self.server.wait_cluster(cluster_id, "WAITING")
        return ExistingCluster(cluster_id)

    def submit(self, job: SparkJob, compute: Any) -> Any:
        clients = clients_of(self.emr, s3=self.s3, ecr=self.ecr)
        clients.has_own_endpoint = not self.is_on_aws
        return StepSubmission(
            clients, ClusterDefaults(), self.pause, self.pauses.append, "s3://staging/emrkit"
        ).submit(job, compute, TOKEN)

    def args(self, run: Any) -> list[str]:
        """Give the arguments that EMR got."""
        found = self.server.client("emr").list_steps(ClusterId=run.cluster_id, StepIds=[run.step_id])
        [step] = found["Steps"]
        return list(step["Config"]["Args"])

    def conf(self, run: Any) -> dict[str, str]:
        args = self.args(run)
        pairs = (args[index + 1] for index, arg in enumerate(args) if arg == "--conf")
        return dict(pair.split("=", 1) for pair in pairs)


@pytest.fixture
def rig(localemr_server):
    localemr_server.runner.script("emrkit:", hold=True)
    return Rig(localemr_server)


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, "airflow_provider_emrkit.runs")
    return lambda level=logging.INFO: [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("airflow_provider_emrkit.runs.image") and record.levelno == level
    ]


IMAGE_VARIABLE = "YARN_CONTAINER_RUNTIME_DOCKER_IMAGE"
LOGIN_VARIABLE = "YARN_CONTAINER_RUNTIME_DOCKER_CLIENT_CONFIG"
BOTH = ("spark.yarn.appMasterEnv.", "spark.executorEnv.")


# --- which cluster takes an image -------------------------------------------------------------------------


def test_a_cluster_that_is_made_for_a_job_trusts_its_image(rig, said):
    run = rig.submit(HUB, NEW)
    [request] = rig.emr.sent("run_job_flow")
    assert trusting("team")[0] in request["Configurations"]
    assert [step["Name"] for step in request["Steps"]] == [TOKEN.marked()]
    assert {rig.conf(run)[prefix + IMAGE_VARIABLE] for prefix in BOTH} == {"team/etl:1.4"}
    assert said() == ["Driver and executors run in image team/etl:1.4"]
    assert said(logging.WARNING) == []
    assert rig.args(run)[0] == "spark-submit"


def test_a_cluster_that_trusts_the_registry_runs_the_job(rig):
    there = rig.cluster(configurations=trusting("team"))
    run = rig.submit(HUB, there)
    assert rig.emr.calls == ["describe_cluster", "add_job_flow_steps"]
    assert rig.conf(run)[BOTH[0] + IMAGE_VARIABLE] == "team/etl:1.4"


def test_a_cluster_that_does_not_gets_nothing_and_the_setting_is_shown(rig, said):
    there = rig.cluster()
    with pytest.raises(ImageRefusedError) as caught:
        rig.submit(replace(HUB, args=["x" * 20_000]), there)
    message = str(caught.value)
    assert message.startswith(
        f"the job was not submitted to cluster {there.cluster_id} (region us-east-1): image team/etl:1.4 "
        "is not trusted by the cluster, which trusts local, centos; "
    )
    shown = json.loads(message[message.index("[{") : message.rindex("}]") + 2])
    assert trusting("team")[0] in shown
    assert caught.value.retryable is False
    assert rig.emr.calls == ["describe_cluster"]
    assert "Contents" not in rig.s3.list_objects_v2(Bucket="staging")
    assert said() == []


def core_nodes_told(configurations: Any, collection: str) -> dict[str, Any]:
    """Give the instances of a cluster whose core nodes have configurations of their own."""
    if collection == "groups":
        nodes = {"InstanceType": "m5.xlarge", "InstanceCount": 1}
        groups = [
            {**nodes, "InstanceRole": "MASTER"},
            {**nodes, "InstanceRole": "CORE", "Configurations": configurations},
        ]
        return {"KeepJobFlowAliveWhenNoSteps": True, "InstanceGroups": groups}
    nodes = {"TargetOnDemandCapacity": 1}
    kind = {"InstanceType": "m5.xlarge"}
    fleets = [
        {**nodes, "InstanceFleetType": "MASTER", "InstanceTypeConfigs": [kind]},
        {
            **nodes,
            "InstanceFleetType": "CORE",
            "InstanceTypeConfigs": [{**kind, "Configurations": configurations}],
        },
    ]
    return {"KeepJobFlowAliveWhenNoSteps": True, "InstanceFleets": fleets}


@pytest.mark.parametrize("collection", ["groups", "fleets"])
def test_a_cluster_that_was_told_later_whom_to_trust_runs_the_job(rig, collection):
    """As a running cluster is told: its core nodes alone are reconfigured."""
    there = rig.cluster(Instances=core_nodes_told(trusting("team"), collection))
    assert rig.submit(HUB, there).step_id
    with pytest.raises(ImageRefusedError, match="which trusts local, centos, team;"):
        rig.submit(replace(HUB, docker=DockerImage("other/etl")), there)


def test_who_may_not_ask_what_core_nodes_were_told_goes_by_the_cluster(rig):
    rig.emr.list_instance_groups = lambda **_: raises(aws_error("AccessDeniedException"))
    there = rig.cluster(Instances=core_nodes_told(trusting("team"), "groups"))
    with pytest.raises(ImageRefusedError, match="not trusted"):
        rig.submit(HUB, there)


def raises(error: Exception) -> None:
    raise error


def test_a_release_without_docker_gets_nothing(rig):
    with pytest.raises(ImageRefusedError, match=r"can't run on emr-5.36.0"):
        rig.submit(HUB, rig.cluster("emr-5.36.0", trusting("team")))
    assert rig.emr.calls == ["describe_cluster"]


def test_ecr_of_another_region_is_refused_by_the_region_of_the_connection(rig):
    far = HOST.replace("us-east-1", "eu-west-1")
    job = replace(ECR, docker=DockerImage(f"{far}/etl:1.4"))
    with pytest.raises(ImageRefusedError, match="in ECR of eu-west-1"):
        rig.submit(job, NEW)
    assert rig.emr.calls == []


def test_a_new_cluster_is_judged_by_the_request_that_would_be_sent(rig):
    spec = replace(NEW.spec, overrides={"Configurations": trusting("other")})
    with pytest.raises(
        ImageRefusedError, match=r"not submitted to a new cluster .* trusts local, centos, other"
    ):
        rig.submit(HUB, DynamicCluster(spec))
    assert rig.emr.calls == []


def test_a_job_without_an_image_asks_nobody_anything_new(rig, said):
    run = rig.submit(replace(HUB, docker=None), rig.cluster())
    assert not any("YARN_CONTAINER" in arg for arg in rig.args(run))
    assert (said(), rig.ecr.asked) == ([], [])


# --- the login --------------------------------------------------------------------------------------------


def login_of(args: list[str]) -> tuple[list[str], list[str]]:
    """Take a step apart that logs in: what of, and its command."""
    assert args[:2] == ["bash", "-c"]
    end = args.index("--", 4)
    return args[4:end], args[end + 1 :]


@pytest.mark.parametrize("deploy_mode", ["cluster", "client"])
def test_a_step_on_emr_6_0_logs_in_by_itself(rig, deploy_mode):
    job = replace(ECR, deploy_mode=deploy_mode, env={"DAY": "1"})
    run = rig.submit(job, rig.cluster("emr-6.0.0", trusting(HOST)))
    login, command = login_of(rig.args(run))
    assert login == [client_config_of([HOST]), "21600", "123456789012", "us-east-1", HOST]
    assert command[0] == ("spark-submit" if deploy_mode == "cluster" else "env")
    prefixes = BOTH if deploy_mode == "cluster" else BOTH[1:]
    assert {rig.conf(run)[prefix + LOGIN_VARIABLE] for prefix in prefixes} == {client_config_of([HOST])}


def test_a_step_of_a_new_cluster_does_so_too(rig):
    run = rig.submit(ECR, DynamicCluster(replace(NEW.spec, release_label="emr-6.0.0")))
    assert login_of(rig.args(run))[1][0] == "spark-submit"


def test_from_emr_6_1_on_the_cluster_logs_in(rig):
    run = rig.submit(ECR, rig.cluster("emr-6.8.0", trusting(HOST)))
    assert rig.args(run)[0] == "spark-submit"
    assert not any(key.endswith(LOGIN_VARIABLE) for key in rig.conf(run))


def test_a_login_that_is_asked_for_mends_another_region(rig):
    far = HOST.replace("us-east-1", "eu-west-1")
    run = rig.submit(replace(ECR, docker=DockerImage(f"{far}/etl:1.4", ecr_login=True)), NEW)
    assert login_of(rig.args(run))[0][2:] == ["123456789012", "eu-west-1", far]


def test_long_arguments_are_a_file_with_the_login_in_it(rig):
    run = rig.submit(replace(ECR, args=["x" * 20_000]), rig.cluster("emr-6.0.0", trusting(HOST)))
    args = rig.args(run)
    key = args[4].removeprefix("s3://staging/")
    stored = rig.s3.get_object(Bucket="staging", Key=key)["Body"].read()
    login, command = login_of(stored.decode().split("\0")[:-1])
    assert (login[-1], command[-1]) == (HOST, "x" * 20_000)


# --- the pin ----------------------------------------------------------------------------------------------


def test_a_pinned_image_is_submitted_by_its_digest(rig, said):
    run = rig.submit(PINNED, NEW)
    pinned = f"{HOST}/etl@{DIGEST}"
    assert {rig.conf(run)[prefix + IMAGE_VARIABLE] for prefix in BOTH} == {pinned}
    assert said() == [f"Image {HOST}/etl:1.4 is {DIGEST}", f"Driver and executors run in image {pinned}"]
    assert said(logging.WARNING) == []


def test_what_has_a_digest_is_not_looked_up(rig):
    uri = f"{HOST}/etl@{DIGEST}"
    run = rig.submit(replace(PINNED, docker=replace(PINNED.docker, uri=uri)), NEW)
    assert rig.conf(run)[BOTH[0] + IMAGE_VARIABLE] == uri
    assert rig.ecr.asked == []


def test_an_image_that_is_refused_is_not_looked_up(rig):
    with pytest.raises(ImageRefusedError, match="not trusted"):
        rig.submit(PINNED, rig.cluster())
    assert rig.ecr.asked == []


def test_a_pin_that_ecr_throttles_is_waited_for(rig):
    rig.ecr = Ecr(throttled(), timed_out())
    assert rig.submit(PINNED, NEW).step_id
    assert len(rig.pauses) >= 2


@pytest.mark.parametrize(
    ("errors", "kind", "match"),
    [
        pytest.param(
            [aws_error("AccessDeniedException", "User: x is not authorized")],
            SubmitDeniedError,
            r"region eu-west-1\): permission is missing",
            id="denied",
        ),
        pytest.param([throttled()] * 20, ThrottledError, "let the task be retried", id="throttled for long"),
        pytest.param([timed_out()] * 20, ThrottledError, "let the task be retried", id="no answer"),
        pytest.param(
            [aws_error("ImageNotFoundException")], ImageRefusedError, "emrkit image push", id="absent"
        ),
    ],
)
def test_a_pin_that_fails_submits_nothing(rig, errors, kind, match):
    rig.ecr = Ecr(*errors)
    far = HOST.replace("us-east-1", "eu-west-1")
    docker = DockerImage(f"{far}/team/etl:1.4", pin_digest=True, ecr_login=True)
    with pytest.raises(kind, match=match) as caught:
        rig.submit(replace(PINNED, docker=docker), NEW)
    assert rig.emr.calls == []
    if kind is not ImageRefusedError:
        assert "ecr:DescribeImages on repository team/etl" in str(caught.value)


def test_an_image_that_only_a_laptop_has_is_not_pinned_there(rig, said):
    rig.is_on_aws = False
    rig.ecr = Ecr(aws_error("ImageNotFoundException"))
    run = rig.submit(PINNED, NEW)
    assert rig.conf(run)[BOTH[0] + IMAGE_VARIABLE] == f"{HOST}/etl:1.4"
    assert "is not pinned" in said()[0]


def test_ecr_is_asked_in_the_region_of_the_registry():
    asked = []

    def client(service, *, region=None):
        asked.append((service, region))
        return Ecr()

    clients = SimpleNamespace(client=client, region_name="us-east-1")
    far = HOST.replace("us-east-1", "eu-west-1")
    docker = DockerImage(f"{far}/etl", pin_digest=True, ecr_login=True)
    cluster = {"ReleaseLabel": "emr-6.15.0", "Configurations": trusting(far)}
    job = with_image_set_up(replace(ECR, docker=docker), cluster, clients, lambda seconds: False)
    assert asked == [("ecr", "eu-west-1")]
    assert job.docker == replace(docker, uri=f"{far}/etl@{DIGEST}", pin_digest=False)


def test_a_release_that_takes_no_digests_gets_none(rig):
    with pytest.raises(ImageRefusedError, match="digest"):
        rig.submit(PINNED, rig.cluster("emr-6.8.0", trusting(HOST)))
    assert rig.ecr.asked == []


def test_where_nobody_knows_whether_digests_are_taken_the_log_says_so(rig, said):
    spec = replace(NEW.spec, release_label="emr-6.12.0")
    rig.submit(PINNED, DynamicCluster(spec))
    [line] = said(logging.WARNING)
    assert "whether that of emr-6.12.0 does is not known" in line


# --- the log ----------------------------------------------------------------------------------------------


def test_a_driver_outside_of_the_image_is_told_once(rig, said):
    run = rig.submit(replace(HUB, deploy_mode="client"), NEW)
    assert said() == ["The executors run in image team/etl:1.4"]
    [line] = said(logging.WARNING)
    assert "leaves the driver outside of the image" in line
    assert [key for key in rig.conf(run) if key.endswith(IMAGE_VARIABLE)] == [BOTH[1] + IMAGE_VARIABLE]


@pytest.mark.parametrize(
    ("deploy_mode", "more", "warned"),
    [("client", {}, True), ("client", {"PYSPARK_DRIVER_PYTHON": "python3"}, False), ("cluster", {}, False)],
)
def test_a_python_of_the_image_that_a_driver_outside_would_start_is_told(
    rig, said, deploy_mode, more, warned
):
    env = {"PYSPARK_PYTHON": "/opt/venv/bin/python", **more}
    rig.submit(replace(HUB, deploy_mode=deploy_mode, env=env), NEW)
    found = [line for line in said(logging.WARNING) if "PYSPARK_DRIVER_PYTHON" in line]
    assert bool(found) == warned
    assert all("/opt/venv/bin/python" in line for line in found)
