"""Several Sparks side by side, in Python and in Scala, and all programs that an EMR machine has."""

from __future__ import annotations

import contextlib
import gzip
import os
import random
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.contract import ClusterRequest, StepRequest
from airflow_provider_emrkit.localemr.run.runner import SparkClusterRunner
from airflow_provider_emrkit.localemr.spark.python import find_python
from airflow_provider_emrkit.localemr.spark.software import check_label
from airflow_provider_emrkit.localemr.spark.versions import UnsupportedReleaseError, candidates

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.localemr.run.cluster import SparkCluster

# Some Sparks, one after the other, the first of which may have to be downloaded.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SPARK_3_3, SPARK_3, SPARK_4 = "emr-6.9.0", "emr-7.11.0", "emr-spark-8.0.0"

VERSION = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("yarn").appName("version").getOrCreate()
rows = spark.sparkContext.parallelize(range(10), 2).map(lambda number: number * 2).sum()
spark.createDataFrame([(rows,)], ["n"]).write.mode("overwrite").csv("hdfs:///user/hadoop/numbers")
print("SPARK", spark.version, spark.read.csv("numbers").first()[0], spark.sparkContext.master.split("[")[0])
"""

SCALA = """
import org.apache.spark.sql.SparkSession

object Words {
  def main(args: Array[String]): Unit =
    println("TOLD " + args.map(_.getBytes("UTF-8").map("%02x".format(_)).mkString).mkString(","))
}

object Tell {
  def main(args: Array[String]): Unit = {
    val spark = SparkSession.builder.getOrCreate()
    Words.main(args.drop(2))
    spark.read.text(args(0)).write.mode("overwrite").parquet(args(1))
    println("SPARK " + spark.version + " " + spark.read.parquet(args(1)).count())
  }
}
"""
WORDS = [
    "a b",
    "",
    "'\"",
    "line\nbreak",
    "é ß 漢 🎈",
    "$HOME",
    "`x`",
    "*",
    "\\",
    "--conf",
    "-x",
    "a=b;c",
    "\t",
]

SUBMITTED = re.compile(r"Submitted application (application_\d+_\d+)")


class Ran(NamedTuple):
    """A step that has ended, with the lines of its log and of its driver's."""

    stdout: list[str]
    stderr: list[str]
    succeeded: bool
    directory: Path


class Cluster(NamedTuple):
    """A cluster, and what runs a step on it."""

    spark: SparkCluster
    run: Callable[..., Ran]


@pytest.fixture(scope="module")
def s3(endpoint):
    client = aws_client("s3", endpoint, "us-east-1")
    client.create_bucket(Bucket="data")
    for name, text in {"version.py": VERSION, "words.txt": "a\nb\nc"}.items():
        client.put_object(Bucket="data", Key=name, Body=text.encode())
    return client


@pytest.fixture(scope="module")
def make(endpoint, s3, tmp_path_factory, server_config):
    """Start clusters, which are stopped in the end."""
    directory = tmp_path_factory.mktemp("localemr")
    runner = SparkClusterRunner(server_config(endpoint, directory))
    started: dict[str, Cluster] = {}

    def log(place: str) -> list[str]:
        body = s3.get_object(Bucket="data", Key=f"logs/{place}.gz")["Body"].read()
        return gzip.decompress(body).decode().splitlines()

    def cluster(label: str) -> Cluster:
        if label not in started:
            cluster_id = f"j-{label.upper().replace('.', '')}"
            request = ClusterRequest(cluster_id, label, log_uri="s3://data/logs/")
            spark = runner.start(request, print)
            started[label] = Cluster(spark, lambda *args, **fields: run(cluster_id, spark, *args, **fields))
        return started[label]

    def run(
        cluster_id: str, spark: SparkCluster, *args: str, jar: str = "command-runner.jar", **fields
    ) -> Ran:
        step_id = f"s-{random.randrange(10**9)}"
        succeeded = spark.start_step(StepRequest(step_id, "e2e", jar, args, **fields)).wait().succeeded
        stdout, stderr = (log(f"{cluster_id}/steps/{step_id}/{name}") for name in ("stdout", "stderr"))
        found = next((one for line in stderr if (one := SUBMITTED.search(line))), None)
        if found:
            application = found[1]
            place = f"{cluster_id}/containers/{application}/{application.replace('application', 'container')}"
            stdout += log(f"{place}_01_000001/stdout")
            stderr += log(f"{place}_01_000001/stderr")
        return Ran(stdout, stderr, succeeded, directory / "clusters" / cluster_id / "steps" / step_id)

    yield cluster
    for one in started.values():
        one.spark.stop()


@pytest.fixture(scope="module")
def compile_scala(tmp_path_factory):
    """Compile the Scala program with the compiler that comes with a cluster's Spark."""
    made: dict[Path, Path] = {}

    def jar(cluster: Cluster) -> Path:
        place = cluster.spark.context.place
        if place.spark_home not in made:
            folder = tmp_path_factory.mktemp("scala")
            (folder / "Tell.scala").write_text(SCALA)
            java = [str(place.java_home / "bin" / "java"), "-cp", f"{place.spark_home}/jars/*"]
            scalac = ["scala.tools.nsc.Main", "-usejavacp", "-nowarn", "-d", "tell.jar", "Tell.scala"]
            subprocess.run([*java, *scalac], cwd=folder, check=True, env={"PATH": os.defpath}, timeout=120)
            made[place.spark_home] = folder / "tell.jar"
        return made[place.spark_home]

    return jar


def told(ran: Ran) -> list[str]:
    """Give the arguments that a job received."""
    line = next(line for line in ran.stdout if line.startswith("TOLD "))
    return [bytes.fromhex(word).decode() for word in line.removeprefix("TOLD ").split(",")]


def line_of(ran: Ran, start: str) -> str:
    assert ran.succeeded, ran.stderr
    return next(line for line in ran.stdout if line.startswith(start))


def test_two_clusters_run_different_sparks_at_the_same_time(make):
    steps = [
        make(label).spark.start_step(
            StepRequest("s-SAMETIME", "e2e", "command-runner.jar", ["spark-submit", "s3://data/version.py"])
        )
        for label in (SPARK_3, SPARK_4)
    ]
    assert not [step for step in steps if step.is_over]
    assert [step.wait().succeeded for step in steps] == [True, True]


def spark_folder() -> Path:
    return Path(os.environ["EMRKIT_CACHE_DIR"]) / "spark"


@pytest.mark.parametrize("label", ["emr-5.36.2", "emr-6.3.0", SPARK_3_3, SPARK_3, SPARK_4])
@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_every_spark_runs_python_with_hdfs_and_a_master_named_in_code(make, label, mode):
    exact = candidates(label)[0]
    with contextlib.suppress(UnsupportedReleaseError):
        check_label(label)
        # Another file's tests fetch it in any case.
        installed = label == SPARK_3_3 or (spark_folder() / exact.version).is_dir()
        if label in (SPARK_3, SPARK_4) or (installed and find_python(exact)):
            ran = make(label).run("spark-submit", "--deploy-mode", mode, "s3://data/version.py")
            assert line_of(ran, "SPARK") == f"SPARK {exact.version} 90 local"
            return
    pytest.skip(f"Spark {exact.version}, its Java or its Python is not here")


@pytest.mark.parametrize("label", [SPARK_3, SPARK_4])
@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_a_scala_jar_reads_and_writes_s3_and_gets_its_arguments_byte_for_byte(
    make, compile_scala, s3, label, mode
):
    cluster = make(label)
    s3.upload_file(str(compile_scala(cluster)), "data", f"{label}/tell.jar")
    out = f"s3://data/{label}/{mode}"
    ran = cluster.run(
        "spark-submit", "--deploy-mode", mode, "--class=Tell", f"s3://data/{label}/tell.jar",
        "s3://data/words.txt", out, *WORDS,
    )  # fmt: skip
    assert line_of(ran, "SPARK") == f"SPARK {candidates(label)[0].version} 3"
    assert told(ran) == WORDS


def test_arguments_arrive_byte_for_byte_on_every_other_way(make, compile_scala, s3):
    cluster = make(SPARK_3)
    s3.upload_file(str(compile_scala(cluster)), "data", "way/tell.jar")
    s3.put_object(Bucket="data", Key="way/go.sh", Body=b'exec spark-submit --class Tell "$@"\n')
    args = ["s3://data/way/tell.jar", "s3://data/words.txt", "s3://data/way/out", *WORDS]
    bash = ["bash", "-c", 'spark-submit -c spark.submit.deployMode=cluster --class Tell "$@"', "bash"]
    for ran in (
        cluster.run("/usr/bin/sudo", "-u", "hadoop", "spark-submit", "--class", "Tell", *args),
        cluster.run("env", "A=1", "/usr/lib/spark/bin/spark-submit", "--class", "Tell", *args),
        cluster.run(*bash, *args),
        cluster.run(
            "s3://data/way/go.sh", *args, jar="s3://elasticmapreduce/libs/script-runner/script-runner.jar"
        ),
        cluster.run(*WORDS, jar=args[0], main_class="Words", properties={"a": "b c"}),
        cluster.run("bash", "-c", 'hadoop fs -get $0 . && hadoop jar tell.jar Words "$@"', args[0], *WORDS),
    ):
        assert told(ran) == WORDS, ran.stderr


def test_sparks_examples_run(make):
    cluster = make(SPARK_3)
    jar = "/usr/lib/spark/examples/jars/spark-examples.jar"
    submit = ["spark-submit", "--deploy-mode", "cluster", "--class", "org.apache.spark.examples.SparkPi", jar]
    for args in (["spark-example", "SparkPi", "2"], ["bash", "-c", "run-example SparkPi 2"], [*submit, "2"]):
        assert line_of(cluster.run(*args), "Pi is roughly 3")


def test_sql_from_s3(make, s3):
    s3.put_object(
        Bucket="data", Key="q.sql", Body=b"create table t as select 41 + 1 as n;\nselect n from t;\n"
    )
    assert "42" in make(SPARK_3).run("spark-sql", "-f", "s3://data/q.sql").stdout


def test_one_hdfs_for_all_programs(make, s3):
    s3.put_object(Bucket="data", Key="in/1.txt", Body=b"one\n")
    s3.put_object(Bucket="data", Key="in/2.txt", Body=b"two\n")
    script = """set -ex
    s3-dist-cp --src s3://data/in --dest hdfs:///dist --groupBy '.*/(in)/.*'
    hdfs dfs -cat /dist/in0
    hadoop fs -mkdir -p dir && hadoop fs -mv /dist/in0 dir/ && hadoop fs -ls hdfs://anything:8020/user/hadoop/dir
    spark-sql -e 'select count(*) from text.`/user/hadoop/dir`'
    jar=/usr/share/aws/emr/s3-dist-cp/lib/s3-dist-cp.jar
    hadoop jar $jar --src=dir --dest=s3://data/back --deleteOnSuccess
    ! hadoop fs -test -e dir/in0
    hadoop version
    """
    ran = make(SPARK_3).run("bash", "-c", script)
    assert ran.succeeded, ran.stderr
    assert ran.stdout[:2] == ["one", "two"]
    assert "2" in ran.stdout
    assert any(line.startswith("Hadoop 3.3.4") for line in ran.stdout)
    assert s3.get_object(Bucket="data", Key="back/in0")["Body"].read() == b"one\ntwo\n"


BUSY = """
import subprocess, sys, tempfile
from pyspark.sql import SparkSession
spark = SparkSession.builder.enableHiveSupport().getOrCreate()
spark.sql("create table if not exists left_behind as select 1 as n")
spark.range(1000).repartition(7).groupBy("id").count().cache().count()
tempfile.mkdtemp()
for options in ({}, {"start_new_session": True}):
    subprocess.Popen(["sleep", "600"], **options)
subprocess.Popen("(setsid nohup sleep 601 >/dev/null 2>&1 &)", shell=True)
daemon = "import os, time\\nif os.fork(): os._exit(0)\\nos.setsid()\\ntime.sleep(602)"
subprocess.Popen([sys.executable, "-c", daemon])
print("BUSY")
"""


def children_of(directory: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(directory).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_nothing_is_left_behind(make, s3, wait_until, mode):
    s3.put_object(Bucket="data", Key="busy.py", Body=BUSY.encode())
    cluster = make(SPARK_3)
    ours = str(cluster.spark.context.place.directory)
    before = set(Path("/tmp").iterdir())
    ran = cluster.run("spark-submit", "--deploy-mode", mode, "s3://data/busy.py")
    assert line_of(ran, "BUSY")
    names = ("hsperfdata", "spark-", "blockmgr-", "hive", "hadoop", "tmp", "liblz4", "pip-", "jna")

    def nothing_new() -> bool:
        new = set(Path("/tmp").iterdir()) - before
        return not [path.name for path in new if path.name.startswith(names)]

    # What another program of this machine has there meanwhile goes away with it.
    wait_until(nothing_new, "no new files in /tmp", 30)
    assert children_of(Path(ours)) == []
