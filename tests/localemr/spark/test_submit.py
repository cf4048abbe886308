"""What spark-submit arguments written for EMR become on one machine."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.localemr.spark.sizes import heap_mib, memory_mib
from airflow_provider_emrkit.localemr.spark.submit import (
    Machine,
    local_conf,
    own_collector,
    translate,
)

MACHINE = Machine(cores=2, memory_mib=8192, class_path=("/s3.jar",), spark_home="/opt/spark")
FRONT = ["--master", "local[2]", "--driver-memory"]


def submitted(*args: str, defaults: dict[str, str] | None = None) -> list[str]:
    """Give the arguments after the three that are always ours."""
    translated = translate(args, MACHINE, defaults).args
    assert list(translated[:3]) == FRONT
    return list(translated[4:])


@pytest.mark.parametrize(
    "option",
    [
        pytest.param(["--master", "yarn"], id="master"),
        pytest.param(["--master=yarn"], id="master-with-equals"),
        pytest.param(["--deploy-mode", "cluster"], id="deploy-mode"),
        pytest.param(["--queue", "etl"], id="queue"),
        pytest.param(["--num-executors", "10"], id="num-executors"),
        pytest.param(["--executor-memory", "8g"], id="executor-memory"),
        pytest.param(["--executor-cores", "4"], id="executor-cores"),
        pytest.param(["--total-executor-cores", "4"], id="total-executor-cores"),
        pytest.param(["--driver-memory", "4g"], id="driver-memory"),
        pytest.param(["--driver-cores", "2"], id="driver-cores"),
        pytest.param(["--principal", "me", "--keytab", "k"], id="kerberos"),
        pytest.param(["--supervise"], id="a-switch-takes-no-value"),
        pytest.param(["--conf", "spark.master=yarn"], id="conf-master"),
        pytest.param(["-c", "spark.submit.deployMode=cluster"], id="short-conf"),
        pytest.param(["--conf=spark.driver.memory=64g"], id="conf-with-equals"),
        pytest.param(["--conf", "spark.dynamicAllocation.enabled=true"], id="dynamic-allocation"),
        pytest.param(["--conf", "spark.yarn.jars=hdfs:///x"], id="yarn-jars"),
        pytest.param(
            ["--conf", "spark.hadoop.fs.s3a.impl=org.apache.hadoop.fs.s3a.S3AFileSystem"], id="file-system"
        ),
        pytest.param(
            [
                "--conf",
                "spark.hadoop.hive.metastore.client.factory.class="
                "com.amazonaws.glue.catalog.metastore.AWSGlueDataCatalogHiveClientFactory",
            ],
            id="glue",
        ),
    ],
)
def test_what_names_or_sizes_the_cluster_manager_is_left_out(option):
    assert submitted(*option, "job.py", "--day", "1") == ["job.py", "--day", "1"]


@pytest.mark.parametrize(
    "args",
    [
        pytest.param(["--name", "a b", "job.py"], id="name"),
        pytest.param(
            ["--class", "org.Main", "--jars", "s3://b/a.jar,s3://b/c.jar", "s3://b/app.jar"], id="jar"
        ),
        pytest.param(["--py-files", "s3://b/lib.zip", "--packages", "g:a:1", "job.py"], id="py-files"),
        pytest.param(["--conf", "spark.sql.shuffle.partitions=4", "job.py"], id="conf"),
        pytest.param(["--conf", "spark.x=a=b c", "job.py"], id="conf-value-with-equals-and-space"),
        pytest.param(["--conf", "spark.jars.packages=com.amazon.deequ:deequ:2.0.7", "job.py"], id="deequ"),
        pytest.param(["--verbose", "job.py"], id="switch"),
        pytest.param(["--new-option", "value", "job.py"], id="unknown-option-has-a-value"),
    ],
)
def test_everything_else_stays_in_its_order(args):
    assert submitted(*args) == args


@pytest.mark.parametrize(
    "text",
    ["--master", "yarn", "--conf", "", " ", "a b", "'\"", "line\nbreak", "é ß 漢", "$HOME", "*", "a,b", "\\"],
)
def test_the_applications_own_arguments_are_never_read(text):
    assert submitted("--name", "x", "job.py", text, "--deploy-mode", "cluster")[2:] == [
        "job.py",
        text,
        "--deploy-mode",
        "cluster",
    ]


@pytest.mark.parametrize(
    ("args", "defaults", "mode"),
    [
        pytest.param(["job.py"], {}, "client", id="emr-default"),
        pytest.param(["--deploy-mode", "cluster", "job.py"], {}, "cluster", id="option"),
        pytest.param(["--deploy-mode=cluster", "job.py"], {}, "cluster", id="option-with-equals"),
        pytest.param(["--conf", "spark.submit.deployMode=cluster", "job.py"], {}, "cluster", id="conf"),
        pytest.param(["job.py"], {"spark.submit.deployMode": "cluster"}, "cluster", id="defaults"),
        pytest.param(
            ["--deploy-mode", "client", "job.py"], {"spark.submit.deployMode": "cluster"}, "client", id="wins"
        ),
        pytest.param(["job.py", "--deploy-mode", "cluster"], {}, "client", id="an-application-argument"),
    ],
)
def test_the_deploy_mode_is_remembered(args, defaults, mode):
    assert translate(args, MACHINE, defaults).deploy_mode == mode


def test_variables_of_the_application_master_are_the_drivers_in_cluster_mode_only():
    args = ["--conf", "spark.yarn.appMasterEnv.DAY=2025-01-01", "job.py"]
    assert translate(["--deploy-mode", "cluster", *args], MACHINE).env == {"DAY": "2025-01-01"}
    assert translate(args, MACHINE).env == {}


def test_files_and_archives_are_told_to_whoever_fills_the_working_directory():
    done = translate(
        ["--files", "s3://b/a.json, s3://b/c", "--archives", "s3://b/env.tgz#env", "j.py"], MACHINE
    )
    assert done.files == ("s3://b/a.json", "s3://b/c")
    assert done.archives == ("s3://b/env.tgz#env",)


def test_spark_on_emr_is_spark_here():
    assert submitted("file:///usr/lib/spark/examples/pi.py")[0] == "/opt/spark/examples/pi.py"
    assert submitted("job.py", "/usr/lib/spark/x")[1] == "/usr/lib/spark/x"


def test_our_class_path_entries_come_before_the_jobs():
    assert submitted("--driver-class-path", "/a.jar", "j.py")[1] == "/s3.jar:/a.jar"
    assert submitted("--conf", "spark.driver.extraClassPath=/a.jar", "j.py")[1].endswith("=/s3.jar:/a.jar")
    assert local_conf({"spark.driver.extraClassPath": "/a.jar"}, ["/s3.jar"]) == {
        "spark.driver.extraClassPath": "/s3.jar:/a.jar"
    }


@pytest.mark.parametrize(
    ("wanted", "heap"),
    [
        pytest.param([None, None], 2048, id="default"),
        pytest.param(["4g", None], 4096, id="driver"),
        pytest.param(["1g", "6g"], 6144, id="executors-run-in-the-drivers-heap"),
        pytest.param(["64g", None], 8192, id="kept-to-the-machine"),
        pytest.param(["100m", None], 1024, id="enough-for-spark"),
        pytest.param(["rubbish", None], 2048, id="no-size"),
    ],
)
def test_the_heap_is_what_was_asked_for_within_reason(wanted, heap):
    assert heap_mib(8192, *wanted) == heap


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512", 512),
        ("512m", 512),
        ("2G", 2048),
        ("1t", 1048576),
        ("2048k", 2),
        ("4gb", 4096),
        ("x", None),
        (None, None),
    ],
)
def test_memory_sizes_are_read_as_spark_reads_them(text, size):
    assert memory_mib(text) == size


def test_a_job_that_names_its_collector_is_noticed():
    assert own_collector({"spark.driver.extraJavaOptions": "-Dx=1 -XX:+UseG1GC"})
    assert translate(["--driver-java-options", "-XX:+UseG1GC", "j.py"], MACHINE).own_collector
    assert not own_collector({"spark.executor.extraJavaOptions": "-XX:+UseG1GC"})
    assert not own_collector({"spark.driver.extraJavaOptions": "-XX:+UseStringDeduplication"})
