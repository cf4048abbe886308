"""``emrkit package --push``, and what it has pushed as job runs: real engine, real registry, real Spark.

ECR's API is the local EMR's. The registry behind it is the tests' own, with TLS, at ECR's own name: an engine
of the tests' own finds it there.
"""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import io
import json
import os
import platform
import shutil
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest
from docker_engine import example_in
from faulty_emr import clients_of
from own_engine import check_machine, own_engine
from waiting import wait_until

from airflow_provider_emrkit import ApplicationSpec, KedroProject, PythonProject, ServerlessApplication
from airflow_provider_emrkit.compute.defaults import ApplicationDefaults
from airflow_provider_emrkit.hooks.staging import stage
from airflow_provider_emrkit.images.dockerfile import UV
from airflow_provider_emrkit.images.login import logged_in
from airflow_provider_emrkit.localemr.config import ServerConfig
from airflow_provider_emrkit.localemr.launcher import start as start_server
from airflow_provider_emrkit.localemr.launcher import stop as stop_server
from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.logs.wishes import NO_WISHES
from airflow_provider_emrkit.runs.serverless_runs import ServerlessRuns
from airflow_provider_emrkit.runs.token import RunToken
from benchmarks.endpoint.tls import make_certificate

# The first of them makes an engine and its images; each packages, and pushes, up to three times.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
RELEASE = "emr-7.11.0"
BASE = f"public.ecr.aws/emr-serverless/spark/{RELEASE}:latest"
ACCOUNT = "123456789012"
HOST = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/job"
LOCKS = [ROOT / "requirements" / f"{name}.txt" for name in ("kedro", "example-image")]
PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "etl-jobs"
version = "1.0"
requires-python = ">=3.9"
dependencies = ["haversine"]
[project.scripts]
etl-jobs = "etl_jobs.cli:main"
"""
JOB = "import haversine\ndef main():\n    print(int(haversine.haversine((45.7, 4.8), (48.8, 2.3))))\n"
FLIGHTS = b"month,carrier,dep_delay\n1,AA,10\n1,UA,20\n2,UA,-4\n2,AA,NA\n"


def _load(name):
    # Test directories are no packages.
    file = ROOT / "tests" / "images" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"emrkit_tests_images_{name}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- ECR --------------------------------------------------------------------------------------------------


def listening(tls):
    """Give a registry at HTTPS's own port, as names of ECR say no other, and its address."""
    for last in range(93, 255):
        address = f"127.0.0.{last}"
        with contextlib.suppress(OSError):
            return _load("registry").Registry(address=(address, 443), tls=tls), address
    raise AssertionError("port 443 is taken at all addresses")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The registry and its engine: both know where they are before either is asked for anything."""
    check_machine()
    made = make_certificate(tmp_path_factory.mktemp("authority"), HOST)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.chain, made.key)
    registry, address = listening(tls)
    with registry, own_engine({HOST: address}, made.chain) as engine:
        yield registry, engine


@pytest.fixture(scope="module")
def engine(place, tmp_path_factory):
    """The engine, with stand-ins for EMR's image and uv's, which can't be pulled everywhere."""
    _, engine = place
    folder = tmp_path_factory.mktemp("base")
    base, tool = _load("serverless_base"), folder / "uv"
    line = base.write_uv(tool)
    engine.build(tool, f"--tag={UV}", say=print)
    base.write(folder / "emr", example_in(engine), "emrkit.tests=push")
    engine.build(folder / "emr", f"--tag={BASE}", say=print)
    # Builds have no network: the libraries are in the image they begin with.
    download_wheels(tool / "wheels")
    (tool / "uv.toml").write_text('no-index = true\nfind-links = ["/opt/wheels"]\n')
    own = ("COPY wheels /opt/wheels", "COPY uv.toml /etc/uv/uv.toml")
    (tool / "Dockerfile").write_text("\n".join((f"FROM {BASE}", line, *own, "")))
    engine.build(tool, f"--tag={BASE}", say=print)
    return engine


def download_wheels(folder):
    """Download the libraries of the tests' projects for the image's Python, and what builds some of them."""
    listed = [word for lock in LOCKS for word in ("--requirement", lock)]
    machine = platform.machine()
    tags = [f"--platform={tag}_{machine}" for tag in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")]
    python = ["--python-version=3.11", "--abi=cp311", "--abi=abi3", "--abi=none", "--platform=any"]
    pip = [sys.executable, "-m", "uv", "tool", "run", "pip", "download", "--quiet", "--no-deps"]
    command = [*pip, *python, *tags, "--dest", folder, *listed, "setuptools", "wheel"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def emr(engine, tmp_path_factory):
    """A local EMR that runs images in the engine."""
    cache = Path(os.environ["EMRKIT_CACHE_DIR"])
    config = ServerConfig(data_dir=tmp_path_factory.mktemp("localemr") / "data", port=0, cache_dir=cache)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DOCKER_HOST", "EMRKIT_ENGINE"):
            patch.setenv(name, engine.environ[name])
        server = start_server(config, lambda _: None)
    yield server
    stop_server(server, lambda _: None)


@pytest.fixture(scope="module")
def ecr(emr):
    return aws_client("ecr", emr.url, "us-east-1")


@pytest.fixture(scope="module")
def token(ecr):
    """The login that ECR gives, ``user:password`` in base64."""
    return ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]


@pytest.fixture
def registry(place, ecr, token):
    """The registry behind ECR: it asks for ECR's login, and ECR knows what it has."""
    registry, _ = place

    def told(name, tag, media_type, manifest):
        image = {"imageManifest": manifest.decode(), "imageManifestMediaType": media_type}
        with contextlib.suppress(ecr.exceptions.ImageAlreadyExistsException):
            ecr.put_image(repositoryName=name, imageTag=tag, imageDigest=registry.digest(name, tag), **image)

    registry.expected, registry.denied, registry.on_manifest = f"Basic {token}", "", told
    return registry


# --- the command ------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path):
    """The home of the user who packages."""
    (tmp_path / "home" / "tmp").mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture
def package(engine, emr, home):
    """Run ``emrkit package --push`` as a program, with a home and a directory for temporary files."""
    uv_cache = subprocess.check_output([sys.executable, "-m", "uv", "cache", "dir"], text=True).strip()
    own = {"HOME": str(home), "TMPDIR": str(home / "tmp"), "UV_CACHE_DIR": uv_cache}
    environ = {**engine.environ, **own}
    for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        environ.pop(name, None)
    emrkit = Path(sys.executable).with_name("emrkit")

    def run(root, name, *words):
        asked = ["--image", name, "--push", "--endpoint-url", emr.url, "--python", "3.11"]
        return subprocess.run(
            [emrkit, "package", root, *asked, "--release", RELEASE, *words],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    return run


@pytest.fixture
def project(tmp_path):
    """A small project with a library."""
    root = tmp_path / "project"
    package = root / "src" / "etl_jobs"
    package.mkdir(parents=True)
    (root / "pyproject.toml").write_text(PROJECT)
    (root / "listed.txt").write_text(LOCKS[1].read_text())
    (package / "__init__.py").write_text("")
    (package / "cli.py").write_text(JOB)
    return root


def digest_told(done):
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("digest ")]
    return line.removeprefix("digest ")


def manifest(root):
    return json.loads((root / "dist" / "emrkit" / "package.json").read_text())


def in_ecr(ecr, repository, tag):
    (image,) = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
    return image["imageDigest"]


@pytest.mark.parametrize("mutability", ["MUTABLE", "IMMUTABLE"])
def test_the_same_project_pushed_once_more_has_the_digest_it_had(package, project, registry, ecr, mutability):
    repository = f"team/{mutability.lower()}"
    ecr.create_repository(repositoryName=repository, imageTagMutability=mutability)
    name = f"{HOST}/{repository}:1"
    listed = ("--requirements", project / "listed.txt")
    first, again = (package(project, name, *listed) for _ in range(2))
    assert digest_told(again) == digest_told(first) == registry.digest(repository, "1")
    already = f"{name} is this image already; its tag can't be moved, and nothing was sent"
    assert (already in again.stderr) is (mutability == "IMMUTABLE")
    assert already not in first.stderr

    (project / "src" / "etl_jobs" / "cli.py").write_text(JOB + "# changed\n")
    changed = package(project, name, *listed)
    if mutability == "MUTABLE":
        assert digest_told(changed) == registry.digest(repository, "1") != digest_told(first)
        return
    assert (changed.returncode, changed.stdout) == (1, "")
    assert f"{name} is another image already ({digest_told(first)})" in changed.stderr
    assert "push this one under a new tag" in changed.stderr
    assert manifest(project)["image_digest"] == digest_told(first)


@pytest.mark.parametrize("wrong", ["login", "rights"])
def test_a_push_that_is_refused_ends_with_the_reason_and_a_mend(package, project, registry, home, wrong):
    denied = f"User: arn:aws:iam::{ACCOUNT}:user/me is not authorized to perform: ecr:InitiateLayerUpload"
    if wrong == "login":
        registry.expected = "Basic of-somebody-else"
    else:
        registry.denied = denied
    name = f"{HOST}/team/refused-{wrong}:1"
    done = package(project, name, "--create", "--requirements", project / "listed.txt")
    assert (done.returncode, done.stdout) == (1, "")
    assert {"login": "unauthorized", "rights": f"denied: {denied}"}[wrong] in done.stderr
    last = done.stderr.splitlines()[-1]
    mend = "see above; what a push needs in IAM: emrkit image push NAME --policies"
    assert last == f"emrkit: docker could not push {name}; {mend}"
    assert not (project / "dist" / "emrkit").exists()
    assert not (home / ".docker").exists()
    assert list((home / "tmp").glob("emrkit-*")) == []


def test_what_is_pushed_is_what_is_told_and_what_is_pulled_by_its_digest(
    package, project, registry, engine, ecr, token, home
):
    name = f"{HOST}/team/etl"
    refused = registry.refused
    done = package(project, f"{name}:1", "--create", "--requirements", project / "listed.txt")
    digest = digest_told(done)
    assert digest == registry.digest("team/etl", "1") == in_ecr(ecr, "team/etl", "1")
    assert manifest(project)["image_digest"] == digest
    assert PythonProject.read(project / "dist" / "emrkit").image == f"{name}@{digest}"
    # The registry has asked for a login, and it was ECR's; no trace of it is left.
    assert registry.refused > refused
    said = done.stdout + done.stderr
    assert token not in said
    assert base64.b64decode(token).decode().partition(":")[2] not in said
    assert [path for path in home.rglob("*") if path.is_file() and token in path.read_text("latin-1")] == []
    assert not (home / ".docker").exists()
    assert list((home / "tmp").glob("emrkit-*")) == []

    pushed = engine.run("image", "inspect", "--format", "{{.Id}}", f"{name}:1")
    engine.run("rmi", "--force", pushed)
    with logged_in(HOST, token, engine.environ) as login:
        type(engine)("docker", login).run("pull", "--quiet", f"{name}@{digest}")
    assert engine.run("image", "inspect", "--format", "{{.Id}}", f"{name}@{digest}") == pushed
    program = ("sh", "-c", '"$PYSPARK_PYTHON" -c "from etl_jobs.cli import main; main()"')
    assert engine.run("run", "--rm", "--network=none", "--entrypoint=", f"{name}@{digest}", *program) == "392"


# --- what was pushed, as a job run ------------------------------------------------------------------------


def test_a_pipeline_of_a_kedro_project_runs_in_the_image_that_was_pushed(
    package, registry, emr, ecr, tmp_path
):
    root = tmp_path / "kedro_project"
    shutil.copytree(ROOT / "example_dags" / "kedro_project", root, ignore=shutil.ignore_patterns("dist"))
    digest = digest_told(package(root, f"{HOST}/team/flights:1", "--create", "--requirements", LOCKS[0]))
    project = KedroProject.read(root / "dist" / "emrkit")
    assert project.image == f"{HOST}/team/flights@{digest}"

    s3, logs = aws_client("s3", emr.url, "us-east-1"), aws_client("logs", emr.url, "us-east-1")
    serverless = aws_client("emr-serverless", emr.url, "us-east-1")
    s3.create_bucket(Bucket="data")
    s3.put_object(Bucket="data", Key="nycflights13/flights.csv", Body=FLIGHTS)
    job = project.job(pipeline="delays", params={"bucket": "data"}, variables={"DO_NOT_TRACK": 1})
    pause = threading.Event().wait
    job = stage(job, root, "s3://data/staging", lambda: s3, print, pause)
    services = {"s3": s3, "logs": logs, "ecr": ecr}
    runs = ServerlessRuns(clients_of(serverless, **services), ApplicationDefaults(), pause, lambda _: False)
    spec = ApplicationSpec("flights", RELEASE, image=project.image)
    compute = ServerlessApplication(spec=spec, execution_role_arn=ROLE)
    started = runs.submit(job, compute, RunToken("dag", "run", "task", -1, 0, 1), NO_WISHES)
    asked = {"applicationId": started.application_id, "jobRunId": started.job_run_id}
    ended = ("SUCCESS", "FAILED", "CANCELLED")
    wait_until(lambda: serverless.get_job_run(**asked)["jobRun"]["state"] in ended, "its end", 600)

    run = serverless.get_job_run(**asked)["jobRun"]
    assert run["state"] == "SUCCESS", run["stateDetails"]
    assert run["imageConfiguration"]["resolvedImageDigest"] == digest
    arguments = run["jobDriver"]["sparkSubmit"]["entryPointArguments"]
    assert arguments[arguments.index("--pipeline") + 1] == "delays"
    written = [one["Key"] for one in s3.list_objects_v2(Bucket="data", Prefix="kedro_flights/")["Contents"]]
    assert {key.split("/")[1] for key in written} == {"delays"}
    parts = [s3.get_object(Bucket="data", Key=key)["Body"].read() for key in written if ".parquet" in key]
    delays = pd.concat(pd.read_parquet(io.BytesIO(part)) for part in parts).set_index("month")
    assert delays["mean_delay"].to_dict() == {1: 15.0, 2: -4.0}
