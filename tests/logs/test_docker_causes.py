# ruff: noqa: E501 - logs are as they are
"""Each way in which a job's image fails is told with the setting that mends it; what a program prints is not.

What a real engine says is in the corpus (``docker-*``); here are the words of Hadoop's container-executor and of
Docker that it can't be made to say, in YARN's frame.
"""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.logs.causes import LogText, find_cause
from airflow_provider_emrkit.logs.image_causes import image_of
from airflow_provider_emrkit.runs.classify import classify
from airflow_provider_emrkit.runs.states import RunState, RunStatus
from failures.yarn_frame import exited_with, launch_failed, lost_executors

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.4"
DAEMON = "docker: Error response from daemon: "
FAILED = RunStatus(RunState.FAILED, "FAILED")


def of_yarn(*said, code=29, stderr=(), image=""):
    """The cause that is found where container-executor said something."""
    log = launch_failed(code, said, stderr).submit_log()
    return find_cause([LogText("stderr of the step", log)], "Unknown Error.", image)


def of_program(*lines, image="", status=1):
    """The cause that is found where a job's own program wrote lines and ended itself."""
    logs = [LogText("stdout", lines), LogText("submit", exited_with(status))]
    return find_cause(logs, "Unknown Error.", image)


def error_of(cause):
    return classify(FAILED, cause).error.__name__


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (f"image: {IMAGE} is not trusted.", "DockerOnYarn(trusted_registries=['123456789012.dkr.ecr.us-east-1.amazonaws.com'])"),
        ("image: user/etl:1 is not trusted.", "trusted_registries=['user']"),
        ("image: python:3.11 is not trusted.", "trusted_registries=['library']"),
        ("Error constructing docker command, docker error code=14, error message='Docker image is not trusted'", "DockerOnYarn(trusted_registries="),
        ("Privileged containers are disabled for user: hadoop", "DockerOnYarn(privileged_registries="),
        ("Privileged containers are disabled from untrusted source", "DockerOnYarn(privileged_registries="),
        (f"{DAEMON}Head \"https://x/v2/etl/manifests/1\": no basic auth credentials.", "ecr_login=True"),
        (f"{DAEMON}Get \"https://registry.example.com/v2/\": unauthorized: incorrect username or password.", "client_config"),
        (f"{DAEMON}pull access denied for user/etl, repository does not exist or may require 'docker login': denied: requested access to the resource is denied.", "Docker Hub"),
        (f"{DAEMON}unauthorized: authentication required", "client_config"),
        (f"{DAEMON}denied: User: arn:aws:sts::123456789012:assumed-role/EMR_EC2_DefaultRole/i-0 is not authorized to perform: ecr:GetAuthorizationToken on resource: *", "ecr:GetAuthorizationToken"),
        (f"{DAEMON}denied: User: arn:aws:sts::123456789012:assumed-role/EMR_EC2_DefaultRole/i-0 is not authorized to perform: ecr:BatchGetImage on resource: *", "ecr:GetDownloadUrlForLayer"),
        (f"{DAEMON}manifest for {IMAGE} not found: manifest unknown: Requested image not found.", "emrkit image push"),
        (f"{DAEMON}no matching manifest for linux/arm64/v8 in the manifest list entries.", "Graviton"),
        ("Configuration does not allow docker mount '/mnt/models:/models', realpath=/mnt/models", "docker.allowed.ro-mounts"),
        ("Invalid docker mount '/mnt/models', realpath=(null)", "docker.allowed.ro-mounts"),
        ("Unable to find permitted docker mounts on disk", "bootstrap action"),
        ("Feature disabled: docker", "allowed-runtimes"),
        ("failed to execute docker command! error: No such file or directory", "does not run on that node"),
        (f"{DAEMON}failed to register layer: Error processing tar file(exit status 1): write /usr/lib/x: no space left on device.", "larger volumes"),
        (f"{DAEMON}Get \"https://x/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers).", "NAT"),
        (f"{DAEMON}Get \"https://x/v2/\": net/http: TLS handshake timeout.", "VPC endpoints"),
        (f"{DAEMON}Get \"https://x/v2/\": dial tcp: lookup x on 10.0.0.2:53: no such host.", "NAT"),
        ("WARNING: Error parsing config file (/mnt/yarn/config.json): invalid character 'b' looking for beginning of value", "client_config"),
        ("WARNING: The requested image's platform (linux/arm64/v8) does not match the detected host platform (linux/amd64) and no specific platform was requested", "Graviton"),
        (f"{DAEMON}something that nobody has seen yet", "emrkit image check"),
    ],
)  # fmt: skip
def test_what_yarn_says_of_an_image_is_told_with_the_setting_that_mends_it(said, hint):
    cause = of_yarn(said)
    assert error_of(cause) == "DockerError"
    assert cause.message in said
    assert hint in cause.hint
    assert len(cause.hint) < 420


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("Requested runtime not allowed.", "allowed-runtimes"),
        ("Image name 'etl@sha256:0a1b' doesn't match docker image name pattern", "pin_digest"),
        ("Failed to read Docker client configuration: hdfs:/user/hadoop/config.json", "client_config"),
        ("Unable to parse some mounts in user supplied mount list: /mnt", "DockerImage(mounts="),
        ("Unable to parse user supplied mount list: /mnt", "DockerImage(mounts="),
        ("Privileged container being requested but privileged containers are not enabled on this cluster", "privileged_registries"),
    ],
)  # fmt: skip
def test_what_the_node_manager_refuses_is_told_too(said, hint):
    log = [line.replace("Launch container failed", said) for line in launch_failed(-1, []).submit_log()]
    cause = find_cause([LogText("stderr", log)], "Unknown Error.")
    assert (error_of(cause), cause.message) == ("DockerError", said.rstrip("."))
    assert hint in cause.hint


@pytest.mark.parametrize(
    ("stderr", "hint"),
    [
        ("Error: JAVA_HOME is not set.", "JAVA_HOME"),
        ("/bin/bash: line 1: /usr/lib/jvm/jre-17/bin/java: No such file or directory", "JAVA_HOME"),
        ("launch_container.sh: line 41: java: command not found", "JAVA_HOME"),
        ("/usr/bin/env: \N{LEFT SINGLE QUOTATION MARK}python3\N{RIGHT SINGLE QUOTATION MARK}: No such file or directory", "PYSPARK_PYTHON"),
        ('java.io.IOException: Cannot run program "python3": error=2, No such file or directory', "PYSPARK_PYTHON"),
        ("[FATAL tini (6)] exec bash failed: Exec format error", "Graviton"),
        ("[FATAL tini (6)] exec bash failed: No such file or directory", "bash"),
        ("standard_init_linux.go:228: exec user process caused: exec format error", "Graviton"),
        ("Exception in thread \"main\" java.lang.UnsupportedClassVersionError: org/apache/spark/deploy/yarn/ApplicationMaster has been compiled by a more recent version of the Java Runtime (class file version 61.0), this version of the Java Runtime only recognizes class file versions up to 52.0", "the image's Java is older"),
    ],
)  # fmt: skip
def test_what_a_container_lacks_is_told(stderr, hint):
    cause = of_yarn("", code=127, stderr=[stderr])
    assert error_of(cause) == "DockerError"
    assert cause.message[:40] in stderr
    assert hint in cause.hint


@pytest.mark.parametrize("code", [29, 125, 126, 127])
def test_a_status_that_only_a_container_gives_tells_where_nothing_else_does(code):
    cause = of_yarn("", code=code)
    assert error_of(cause) == "DockerError"
    assert str(code) in cause.message
    assert "emrkit image check" in cause.hint


def test_a_mount_is_named():
    said = (
        "Invalid docker mount '/mnt/models:/models:ro'",
        "Error constructing docker command, docker error code=13, error message='Invalid docker mount'",
    )
    assert of_yarn(*said).message == "Invalid docker mount '/mnt/models:/models:ro'"


def test_what_came_first_counts_more_than_what_followed_from_it():
    said = (
        f"image: {IMAGE} is not trusted.",
        f"{DAEMON}unable to find user hadoop: no matching entries in passwd file.",
    )
    assert of_yarn(*said, code=7).message == f"image: {IMAGE} is not trusted"


def test_executors_that_could_not_be_started_tell_it_in_the_driver_s_log():
    words = f"Shell error output: {DAEMON}no basic auth credentials"
    stderr, stdout = lost_executors(
        "Container marked as failed. Exit status: 7. Diagnostics: Exception from container-launch.", words
    )
    cause = find_cause(
        [LogText("stdout", stdout), LogText("stderr", stderr), LogText("submit", exited_with(1))]
    )
    assert error_of(cause) == "DockerError"
    assert cause.message.endswith("no basic auth credentials")


def test_a_node_manager_s_log_tells_it():
    line = f"2024-01-31 08:51:33,644 INFO org.apache.hadoop.yarn.server.nodemanager.ContainerExecutor (ContainersLauncher #1): image: {IMAGE} is not trusted."
    assert error_of(find_cause([LogText("node", [line])])) == "DockerError"


def test_emr_s_own_quotation_tells_it():
    cause = find_cause([], f"Unknown Error.; {DAEMON}manifest unknown: Requested image not found")
    assert error_of(cause) == "DockerError"


PRINTED = [
    f"{DAEMON}no basic auth credentials",
    f"image: {IMAGE} is not trusted.",
    "no basic auth credentials",
    "WARN etl: image: cat.png is not trusted",
    "toomanyrequests: wait",
    "JAVA_HOME is not set",
    "manifest unknown",
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    "python3: command not found",
    "unable to find user hadoop",
    "exec format error",
]


@pytest.mark.parametrize("line", PRINTED)
@pytest.mark.parametrize("image", ["", IMAGE])
def test_a_program_that_prints_such_words_and_ends_itself_is_the_job_s_own(line, image):
    cause = of_program("24 files", line, "no sales: nothing to load", image=image)
    assert error_of(cause) == "UserCodeError"
    assert cause.message.startswith("no sales: nothing to load")


@pytest.mark.parametrize("line", PRINTED)
def test_an_exception_with_such_words_is_the_job_s_own(line):
    cause = of_program(
        "Traceback (most recent call last):",
        '  File "/mnt/tmp/daily.py", line 3, in <module>',
        f"RuntimeError: {line}",
    )
    assert error_of(cause) == "UserCodeError"
    assert cause.place == "daily.py line 3"


NO_MODULE = (
    "Traceback (most recent call last):",
    '  File "/mnt/tmp/daily.py", line 1, in <module>',
    "ModuleNotFoundError: No module named 'pandas'",
)


def test_a_module_that_is_missing_in_an_image_is_to_be_installed_there():
    cause = of_program(*NO_MODULE, image=IMAGE)
    assert error_of(cause) == "JobNotFoundError"
    assert cause.hint == f"install it in the job's image ({IMAGE}), or ship it with SparkJob.py_files"
    assert "bootstrap action" in of_program(*NO_MODULE).hint


def test_a_python_that_is_missing_is_the_image_s_where_the_job_has_one():
    raised = (
        'Exception in thread "main" java.io.IOException: Cannot run program "python3.9": error=2, No such file or directory',
        "\tat java.base/java.lang.ProcessBuilder.start(ProcessBuilder.java:1143)",
    )
    assert error_of(of_program(*raised, image=IMAGE)) == "DockerError"
    assert "PYSPARK_PYTHON" in of_program(*raised, image=IMAGE).hint
    assert error_of(of_program(*raised)) == "JobNotFoundError"


def test_a_class_of_the_job_for_a_newer_java_is_the_job_s_own():
    raised = (
        'Exception in thread "main" java.lang.UnsupportedClassVersionError: com/example/Etl has been compiled by a more recent version of the Java Runtime',
    )
    cause = of_program(*raised, image=IMAGE)
    assert error_of(cause) == "UserCodeError"
    assert "Java of the job's image" in cause.hint


def test_the_image_of_a_step_is_that_of_its_driver():
    name = "YARN_CONTAINER_RUNTIME_DOCKER_IMAGE=etl:1"
    assert (
        image_of(["bash", "-c", "…", "spark-submit", "--conf", f"spark.yarn.appMasterEnv.{name}", "job.py"])
        == "etl:1"
    )
    assert (
        image_of(["spark-submit", "--deploy-mode", "client", "--conf", f"spark.executorEnv.{name}", "job.py"])
        == ""
    )


LOGIN = "emrkit: could not log in to ECR registry 123456789012.dkr.ecr.us-east-1.amazonaws.com: "
DENIED = "An error occurred (AccessDeniedException) when calling the GetAuthorizationToken operation: User: arn:aws:sts::1:assumed-role/EMR_EC2_DefaultRole/i-1 is not authorized to perform: ecr:GetAuthorizationToken"


@pytest.mark.parametrize(
    ("said", "error", "hint"),
    [
        (f"{LOGIN}{DENIED}; allow ecr:GetAuthorizationToken to the instance profile", "JobDeniedError", "ecr:GetAuthorizationToken"),
        (f'{LOGIN}Could not connect to the endpoint URL: "https://api.ecr.us-east-1.amazonaws.com/"', "DockerError", "reach ECR"),
        ("emrkit: could not put the login to ECR to hdfs:///user/hadoop/emrkit-x.json: put: Connection refused", "DockerError", "HDFS"),
    ],
)  # fmt: skip
def test_a_step_that_could_not_log_in_to_ecr_says_so(said, error, hint):
    cause = find_cause([LogText("stderr", [said])], "Unknown Error.")
    assert error_of(cause) == error
    assert cause.message.startswith("emrkit: could not ")
    assert hint in cause.hint


def test_a_login_that_failed_while_the_job_ran_is_not_why_it_ended():
    renewed = (
        f"emrkit: the login to ECR is not renewed yet: {LOGIN.removeprefix('emrkit: ')}Could not connect"
    )
    logs = [LogText("submit", [*exited_with(1), renewed]), LogText("stdout", ["no sales: nothing to load"])]
    cause = find_cause(logs, "Unknown Error.")
    assert (error_of(cause), cause.message.split(" (")[0]) == ("UserCodeError", "no sales: nothing to load")


def test_a_local_emr_without_an_engine_says_what_to_start():
    words = "a job's image needs a container engine, and docker does not answer: Cannot connect to the Docker daemon at unix:///x. Start it."
    log = launch_failed(7, [words]).submit_log()
    raised = f'Exception in thread "main" org.apache.spark.SparkException: {words}'
    cause = find_cause(
        [LogText("submit", [line if "SparkException" not in line else raised for line in log])]
    )
    assert error_of(cause) == "DockerError"
    assert words in cause.message
    assert "emrkit local up --engine" in cause.hint


def test_what_spark_s_script_misses_in_an_image_and_can_do_without_is_no_cause():
    stderr = [
        "localemr: etl:1 has no Java, and runs here by this machine's",
        "/usr/lib/spark/bin/load-spark-env.sh: line 68: ps: command not found",
    ]
    logs = [LogText("stderr", stderr), LogText("stdout", ["no sales"]), LogText("submit", exited_with(1))]
    assert find_cause(logs).message.startswith("no sales")
