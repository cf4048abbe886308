"""Executors as processes of their own: how many, with what, and what the job has no say in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_emrkit.localemr.s3_access import S3Access
from airflow_provider_emrkit.localemr.spark.conf import ClusterConf
from airflow_provider_emrkit.localemr.spark.executors import FITTED, master_conf
from airflow_provider_emrkit.localemr.spark.own_home import WORK, make_own_home
from airflow_provider_emrkit.localemr.spark.submit import Machine, translate

MACHINE = Machine(
    cores=4,
    memory_mib=8192,
    class_path=("/s3.jar",),
    executors="processes",
    executor_jvm="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
)


def conf_of(*args: str, machine: Machine = MACHINE, **defaults: str) -> dict[str, str]:
    """Give what holds for a job that is submitted so: of each property its last value."""
    args = translate([*args, "job.py", "--conf", "mine=1"], machine, defaults).args
    assert args[-3:] == ("job.py", "--conf", "mine=1")
    options = list(zip(args[:-3:2], args[1:-3:2], strict=True))
    found = {"master": dict(options)["--master"], "driver": dict(options)["--driver-memory"]}
    return {**found, **dict(value.split("=", 1) for name, value in options if name == "--conf")}


@pytest.mark.parametrize(
    ("args", "master"),
    [
        pytest.param([], "local-cluster[2,2,", id="nothing-asked"),
        pytest.param(["--num-executors", "3", "--executor-cores", "1"], "local-cluster[3,1,", id="options"),
        pytest.param(["--conf", "spark.executor.instances=1"], "local-cluster[1,4,", id="properties"),
        pytest.param(
            ["--conf", "spark.executor.cores=1", "--executor-cores", "3"],
            "local-cluster[2,3,",
            id="option-wins",
        ),
        pytest.param(["--num-executors", "500"], "local-cluster[4,1,", id="more-than-the-machine-has"),
        pytest.param(["--executor-cores", "500"], "local-cluster[2,32,", id="many-cores"),
        pytest.param(["--num-executors", "0"], "local-cluster[2,2,", id="none"),
        pytest.param(["--num-executors", "9" * 5000], "local-cluster[2,2,", id="no-number"),
        pytest.param(
            ["--conf", "spark.task.cpus=3", "--executor-cores", "1"], "local-cluster[2,3,", id="task"
        ),
    ],
)
def test_a_job_gets_the_executors_it_asks_for_as_far_as_the_machine_goes(args, master):
    conf = conf_of(*args)
    count, cores = master.removeprefix("local-cluster[").rstrip(",").split(",")
    assert conf["master"].startswith(master)
    assert (conf["spark.executor.cores"], conf["spark.cores.max"]) == (cores, str(int(count) * int(cores)))


def test_what_would_wait_for_executors_for_ever_is_not_the_jobs_to_choose():
    asked = [word for key in FITTED for word in ("--conf", f"{key}=7")]
    conf = conf_of(*asked, "--properties-file", "theirs.conf")
    assert conf["spark.cores.max"] == "14"
    assert conf["spark.dynamicAllocation.enabled"] == conf["spark.shuffle.service.enabled"] == "false"
    assert set(FITTED) <= set(master_conf(MACHINE, {}))


@pytest.mark.parametrize(
    ("asked", "given"),
    [("2g", "2048m"), ("600m", "600m"), ("64m", "64m"), ("100g", "4096m"), ("much", "much"), (None, None)],
)
def test_an_executor_has_the_memory_it_asks_for_as_far_as_the_machine_goes(asked, given):
    args = ["--conf", f"spark.executor.memory={asked}"] if asked else []
    assert conf_of(*args).get("spark.executor.memory") == given


def test_the_driver_has_no_memory_for_executors_then():
    args = ["--driver-memory", "1g", "--executor-memory", "3g"]
    assert conf_of(*args)["driver"] == "1024m"
    assert conf_of(*args, machine=replace(MACHINE, executors="threads"))["driver"] == "3072m"


def test_threads_are_what_they_were():
    threads = replace(MACHINE, executors="threads")
    assert conf_of("--executor-cores", "3", machine=threads) == {"master": "local[4]", "driver": "2048m"}


@pytest.mark.parametrize(
    ("theirs", "options"),
    [
        ({}, "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"),
        (
            {"spark.executor.defaultJavaOptions": "-Da=1"},
            "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Da=1",
        ),
        ({"spark.executor.extraJavaOptions": "-XX:+UseG1GC"}, "-XX:TieredStopAtLevel=1"),
        (
            {"spark.executor.defaultJavaOptions": "-XX:+UseParallelGC"},
            "-XX:TieredStopAtLevel=1 -XX:+UseParallelGC",
        ),
    ],
)
def test_an_executors_jvm_starts_quickly_and_has_one_collector(theirs, options):
    assert conf_of(**theirs)["spark.executor.defaultJavaOptions"] == options


def test_s3_comes_first_on_an_executors_class_path():
    path = conf_of("--conf", "spark.executor.extraClassPath=/theirs.jar")["spark.executor.extraClassPath"]
    assert path == "/s3.jar:/theirs.jar"


def test_jobs_without_a_spark_submit_have_the_same(tmp_path):
    defaults = [{"Classification": "spark-defaults", "Properties": {"spark.executor.cores": "3"}}]
    conf = ClusterConf(
        tmp_path, tmp_path, tmp_path, None, "us-east-1", MACHINE, configurations=defaults
    ).spark_defaults
    assert conf["spark.master"].startswith("local-cluster[2,3,")
    assert conf["spark.cores.max"] == "6"


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("log4j2.properties", "logger.worker.level = OFF"),
        ("log4j.properties", "log4j.logger.org.apache.spark.deploy.worker=OFF"),
    ],
)
def test_what_starts_executors_is_silent_unless_the_cluster_wants_to_hear_it(tmp_path, file, line):
    def written(machine, **asked):
        classes = [{"Classification": name, "Properties": value} for name, value in asked.items()]
        s3 = S3Access("http://127.0.0.1:1")
        ClusterConf(tmp_path, tmp_path, tmp_path, s3, "us-east-1", machine, classes).write()
        return (tmp_path / file).read_text().splitlines()

    assert line in written(MACHINE)
    assert line not in written(replace(MACHINE, executors="threads"))
    key = line.split("=")[0].strip()
    asked = {"spark-log4j2": {key: "info"}, "spark-log4j": {key: "info"}}
    assert [one for one in written(MACHINE, **asked) if one.startswith(key)] == [line.replace("OFF", "info")]


def test_a_spark_of_a_commands_own_is_the_installed_one_but_for_executors_directories(tmp_path):
    shared = tmp_path / "spark"
    (shared / "jars").mkdir(parents=True)
    (shared / WORK / "app-1").mkdir(parents=True)
    home = make_own_home(tmp_path / "own" / "spark", shared)
    assert (home / "jars").resolve() == shared / "jars"
    (home / WORK / "app-2").mkdir()
    assert [one.name for one in (shared / WORK).iterdir()] == ["app-1"]
