"""The bundled ``s3://`` file system under real Spark, on moto's S3.

The checks are functions of the scripts in ``s3_filesystem/``. Starting Spark is what takes time, so each
script runs once, and every check is a test that reads its verdict.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from airflow_provider_emrkit.localemr.run.leftover_uploads import abort_leftover_uploads
from airflow_provider_emrkit.localemr.s3_access import S3Access
from airflow_provider_emrkit.localemr.spark.conf import ClusterConf
from airflow_provider_emrkit.localemr.spark.hadoop_aws import install_s3a
from airflow_provider_emrkit.localemr.spark.install import InstallError
from airflow_provider_emrkit.localemr.spark.launcher import make_java_home
from airflow_provider_emrkit.localemr.spark.prefetch import S3_JAR
from airflow_provider_emrkit.localemr.spark.software import install_software
from airflow_provider_emrkit.localemr.spark.submit import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_emrkit.localemr.config import S3FileSystem

# Some Sparks, one after the other, the first of which may have to be downloaded.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SCRIPTS = Path(__file__).parent / "s3_filesystem"
RELEASE = os.environ.get("EMRKIT_TEST_S3_RELEASE", "emr-7.11.0")
"""EMR release whose Spark runs the checks; set it to try another one."""


KEYS = ("the-key", "the/secret+of it")


def checks(script: str) -> list[str]:
    """The names of a script's checks, without importing it (it needs a Spark)."""
    body = ast.parse((SCRIPTS / script).read_text(encoding="utf-8")).body
    return [
        item.name for item in body if isinstance(item, ast.FunctionDef) and item.name.startswith("check_")
    ]


# Where hadoop-aws leaves Hadoop's specification, or says less about what was wrong.
DIFFERENCES = {
    "rename file below a file": "an error that says so, instead of False",
    "rename directory into empty directory": "into it, as HDFS does, instead of in its place",
    "rename directory into full directory": "into it, as HDFS does, instead of False",
    "mkdirs below a file": "ParentNotDirectoryException, as on HDFS, not FileAlreadyExistsException",
}


class S3AndSpark:
    """An S3 server with faults on demand, and a Spark configured for it."""

    def __init__(self, server: Any, directory: Path, kind: S3FileSystem = "builtin") -> None:
        self.server, self.directory, self.kind = server, directory, kind
        self.temporary = directory / "tmp"
        self.temporary.mkdir()
        self.cache = Path(os.environ["EMRKIT_CACHE_DIR"])
        self.software = install_software(RELEASE, self.cache, print)
        self.java_home = make_java_home(self.software.java, directory / "java", directory / "no archive")
        machine = Machine(2, 2048, class_path=(str(S3_JAR),))
        places = directory / "conf", directory, directory / "ivy"
        s3 = S3Access(server.url, *KEYS)
        ClusterConf(*places, s3, "us-east-1", machine, s3_filesystem=kind).write()

    def hadoop_aws(self) -> str:
        """The class path of this Spark's hadoop-aws; skips the test where no Maven repository is reached."""
        try:
            return ":".join(map(str, install_s3a(self.software, self.cache, print)))
        except InstallError as error:
            if "can't be reached" not in str(error):
                raise
            pytest.skip(str(error))

    def client(self) -> Any:
        """A boto3 client of the same S3."""
        return boto3.client(
            "s3", endpoint_url=self.server.url, aws_access_key_id=KEYS[0], aws_secret_access_key=KEYS[1]
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start spark-submit in a session of its own."""
        env = {
            **os.environ,
            "SPARK_HOME": str(self.software.spark_home),
            "SPARK_CONF_DIR": str(self.directory / "conf"),
            "JAVA_HOME": str(self.java_home),
            "PYSPARK_PYTHON": os.environ.get("EMRKIT_TEST_S3_PYTHON", sys.executable),
            "AWS_ACCESS_KEY_ID": KEYS[0],
            "AWS_SECRET_ACCESS_KEY": KEYS[1],
            "TEST_S3_ENDPOINT": self.server.url,
            "TEST_DIR": str(self.directory),
            "SPARK_SUBMIT_OPTS": f"-Djava.io.tmpdir={self.temporary}",
            **({"SPARK_DIST_CLASSPATH": self.hadoop_aws()} if self.kind == "s3a" else {}),
        }
        with (self.directory / "stderr").open("w") as errors:
            return subprocess.Popen(
                [str(self.software.spark_home / "bin" / "spark-submit"), *arguments],
                env=env,
                cwd=self.directory,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    def verdicts(self, *arguments: str) -> dict[str, Any]:
        """Run a script of checks to its end."""
        process = self.start(*arguments)
        try:
            output, _ = process.communicate(timeout=800)
        finally:
            kill(process)
        found = [line for line in output.splitlines() if line.startswith("VERDICTS ")]
        refused = self.server.signed.refused
        assert found, f"{output[-2000:]}\n{refused}\n{(self.directory / 'stderr').read_text()[-5000:]}"
        return dict(json.loads(found[0].removeprefix("VERDICTS ")))


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL a process with its whole group; it may have ended."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def until(condition: Callable[[], Any], seconds: float = 200) -> None:
    """Wait until another process has come to a point that only S3 shows."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def s3_and_spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3AndSpark]:
    spec = importlib.util.spec_from_file_location("faulty_s3", SCRIPTS / "faulty_s3.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server = module.FaultyS3(*KEYS).start()
    yield S3AndSpark(server, tmp_path_factory.mktemp("s3-filesystem"))
    server.stop()


@pytest.fixture(scope="module")
def contract(s3_and_spark: S3AndSpark) -> dict[str, str]:
    return s3_and_spark.verdicts(str(SCRIPTS / "contract_checks.py"))


@pytest.fixture(scope="module")
def data(s3_and_spark: S3AndSpark, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Verdicts of a job that comes from S3 itself, with its modules and files."""
    client = s3_and_spark.client()
    client.create_bucket(Bucket="data-bucket")
    for name in ("data_checks.py", "verdicts.py", "hello_from_s3.py"):
        client.upload_file(str(SCRIPTS / name), "data-bucket", f"code/{name}")
    client.put_object(Bucket="data-bucket", Key="code/settings.txt", Body=b"settings from --files")
    code = "s3://data-bucket/code"
    modules = f"{code}/verdicts.py,{code}/hello_from_s3.py"
    files = f"{code}/settings.txt"
    return s3_and_spark.verdicts("--py-files", modules, "--files", files, f"{code}/data_checks.py")


@pytest.mark.parametrize("check", checks("contract_checks.py"))
def test_contract(contract: dict[str, str], check: str) -> None:
    assert contract[check] == ""


@pytest.mark.parametrize("check", checks("data_checks.py"))
def test_data(data: dict[str, str], check: str) -> None:
    assert data[check] == ""


@pytest.fixture(scope="module")
def oracle(s3_and_spark: S3AndSpark) -> dict[str, Any]:
    class_path = ":".join([str(S3_JAR), s3_and_spark.hadoop_aws()])
    return s3_and_spark.verdicts("--driver-class-path", class_path, str(SCRIPTS / "oracle_operations.py"))


def test_what_hadoop_aws_does_is_done_here(oracle: dict[str, Any]) -> None:
    differing = {
        name: found for name, found in oracle.items() if found["LocalS3FileSystem"] != found["S3AFileSystem"]
    }
    assert len(oracle) > 50
    assert differing.keys() == DIFFERENCES.keys(), differing


def test_a_killed_job_leaves_nothing_half_written(s3_and_spark: S3AndSpark) -> None:
    client = s3_and_spark.client()
    client.create_bucket(Bucket="killed")
    process = s3_and_spark.start(str(SCRIPTS / "killed_writer.py"))

    def keys() -> list[str]:
        return [item["Key"] for item in client.list_objects_v2(Bucket="killed").get("Contents", ())]

    try:
        until(lambda: client.list_multipart_uploads(Bucket="killed").get("Uploads"))
        until(lambda: [key for key in keys() if key.endswith(".parquet")])
    finally:
        kill(process)
    assert "large" not in keys()
    # What localemr does when the processes of a step are gone.
    abort_leftover_uploads(client, s3_and_spark.temporary)
    assert "Uploads" not in client.list_multipart_uploads(Bucket="killed")
    # What finished tasks wrote waits below _temporary, where no reader looks, and is whole.
    assert [key for key in keys() if not key.startswith("table/_temporary/")] == []
    for key in keys():
        if key.endswith(".parquet"):
            body = client.get_object(Bucket="killed", Key=key)["Body"].read()
            assert body[-4:] == b"PAR1", key
