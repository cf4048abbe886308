"""What a HadoopJarStep runs."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.run.commands import (
    CommandError,
    CommandPlanner,
    has_main_class,
    localise,
    read_properties,
    script_command,
    split_env,
)
from airflow_provider_emrkit.localemr.run.contract import StepRequest
from airflow_provider_emrkit.localemr.run.environment import Place
from airflow_provider_emrkit.localemr.run.fetch import S3Fetch
from airflow_provider_emrkit.localemr.spark.submit import Machine, Submission

PLACE = Place(Path("/c/j-1"), Path("/spark"), Path("/java"), "http://127.0.0.1:1", "us-east-1", ("/s3.jar",))
FETCH = S3Fetch(None)


def plan(tmp_path, *args, jar="command-runner.jar", defaults=None, **fields):
    planner = CommandPlanner(PLACE, Machine(2, 4096), defaults or {}, FETCH)
    return planner.plan(StepRequest("s-1", "name", jar, args, **fields), tmp_path)


def make_jar(path: Path, manifest: str | None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "")
        if manifest is not None:
            archive.writestr("META-INF/MANIFEST.MF", manifest)
    return path


@pytest.mark.parametrize(
    "program", ["spark-submit", "/usr/bin/spark-submit", "/usr/lib/spark/bin/spark-submit"]
)
def test_spark_submit_is_ours_however_it_is_named(tmp_path, program):
    command = plan(tmp_path, program, "--deploy-mode", "cluster", "job.py", "a b")
    assert command.argv[0] == "/spark/bin/spark-submit"
    assert command.argv[-2:] == ("job.py", "a b")
    assert command.cluster_mode


def test_variables_before_spark_submit_are_its_environment(tmp_path):
    command = plan(tmp_path, "env", "DAY=2025-01-01", "X=a=b", "spark-submit", "job.py")
    assert command.env == {"DAY": "2025-01-01", "X": "a=b"}
    assert not command.cluster_mode


@pytest.mark.parametrize(
    "args",
    [["bash", "-c", "spark-submit x; echo 'a b'"], ["hadoop", "fs", "-ls", "s3://b/"], ["env", "-i", "sh"]],
)
def test_any_other_program_is_run_as_it_is(tmp_path, args):
    assert plan(tmp_path, *args).argv == tuple(args)


@pytest.mark.parametrize(
    ("args", "argv"),
    [
        (["/usr/bin/hadoop", "fs", "-ls"], ("hadoop", "fs", "-ls")),
        (["/usr/lib/spark/bin/spark-sql", "-e", "select 1"], ("spark-sql", "-e", "select 1")),
        (["env", "A=1", "/usr/bin/s3-dist-cp", "--src"], ("env", "A=1", "s3-dist-cp", "--src")),
        (["/usr/bin/sudo", "-u", "hadoop", "x"], ("sudo", "-u", "hadoop", "x")),
    ],
)
def test_a_program_of_emr_is_the_one_in_path(tmp_path, args, argv):
    assert plan(tmp_path, *args).argv == argv


@pytest.mark.parametrize(
    "jar", ["/usr/share/aws/emr/s3-dist-cp/lib/s3-dist-cp.jar", "/home/hadoop/lib/emr-s3distcp-1.0.jar"]
)
def test_s3_dist_cp_as_a_jar_is_the_program(tmp_path, jar):
    assert plan(tmp_path, "--src", "a b", jar=jar).argv == ("s3-dist-cp", "--src", "a b")


@pytest.mark.parametrize("tool", ["hive-script", "pig-script", "hadoop-streaming", "/usr/bin/hive"])
def test_a_program_that_is_not_here_is_named(tmp_path, tool):
    with pytest.raises(CommandError, match=f"{tool.rpartition('/')[2]}: .* is not part of localemr"):
        plan(tmp_path, tool, "--args", "x")


def test_the_step_that_the_aws_cli_adds_for_debugging_does_no_harm(tmp_path):
    command = plan(tmp_path, "state-pusher-script")
    assert command.argv == ("true",)
    assert "nothing to do" in command.note


def test_an_example_is_a_spark_submit_that_can_be_in_cluster_mode(tmp_path):
    folder = tmp_path / "examples" / "src" / "main" / "python"
    folder.mkdir(parents=True)
    (folder / "pi.py").touch()
    planner = CommandPlanner(PLACE, Machine(2, 4096, spark_home=str(tmp_path)), {}, FETCH)
    args = ["spark-example", "--deploy-mode", "cluster", "SparkPi", "10"]
    command = planner.plan(StepRequest("s-1", "name", "command-runner.jar", args), tmp_path)
    assert command.argv[0] == "/spark/bin/spark-submit"
    assert command.argv[-2:] == (str(folder / "pi.py"), "10")
    assert command.cluster_mode
    with pytest.raises(CommandError, match="can't run here"):
        plan(tmp_path, "run-example", "LogQuery")


@pytest.mark.parametrize(
    "jar", ["command-runner.jar", "/var/lib/x/command-runner.jar", "s3://b/script-runner.jar"]
)
def test_nothing_to_run_is_said(tmp_path, jar):
    with pytest.raises(CommandError, match="Args is empty"):
        plan(tmp_path, jar=jar)


def test_script_runner_fetches_the_script(tmp_path):
    script = tmp_path / "do.sh"
    script.write_text("echo hi")
    work = tmp_path / "work"
    work.mkdir()
    jar = "s3://us-east-1.elasticmapreduce/libs/script-runner/script-runner.jar"
    assert plan(work, str(script), "a b", jar=jar).argv == ("/bin/bash", str(work / "do.sh"), "a b")


def test_a_script_with_its_own_interpreter_is_run_by_it(tmp_path):
    script = tmp_path / "x.py"
    script.write_text("#!/usr/bin/env python3\n")
    assert script_command(script) == (str(script),)


@pytest.mark.parametrize(
    ("manifest", "front"),
    [
        pytest.param("Main-Class: org.Main\n", [], id="the-manifests-class"),
        pytest.param("Manifest-Version: 1.0\n", ["org.Mine"], id="ours"),
        pytest.param(None, ["org.Mine"], id="no-manifest"),
    ],
)
def test_a_custom_jar_runs_as_hadoop_would_run_it(tmp_path, manifest, front):
    jar = make_jar(tmp_path / "app.jar", manifest)
    work = tmp_path / "work"
    work.mkdir()
    argv = plan(work, "a b", jar=str(jar), main_class="org.Mine", properties={"k": "v w"}).argv
    assert argv[0] == "/java/bin/java"
    assert "-Dk=v w" in argv
    assert list(argv[argv.index("org.apache.hadoop.util.RunJar") + 1 :]) == [
        str(work / "app.jar"),
        *front,
        "a b",
    ]


def test_files_come_from_the_clusters_hdfs_too(tmp_path):
    (tmp_path / "hdfs" / "jobs").mkdir(parents=True)
    (tmp_path / "hdfs" / "jobs" / "do.sh").write_text("echo hi")
    work = tmp_path / "work"
    work.mkdir()
    fetch = S3Fetch(None, tmp_path)
    assert fetch("hdfs:///jobs/do.sh", work).read_text() == "echo hi"
    with pytest.raises(CommandError, match="can't be read"):
        fetch("hdfs://node:8020/jobs/none.sh", work)
    with pytest.raises(CommandError, match="leads out"):
        fetch("hdfs:///../x", work)


def test_a_jar_that_is_none_is_said(tmp_path):
    path = tmp_path / "x.jar"
    path.write_text("no")
    with pytest.raises(CommandError, match=r"x\.jar is not a jar file"):
        has_main_class(path)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("/no/such/file", "can't be read"),
        ("hdfs:///x", "use an s3:// URI"),
        ("s3://bucket/", "names no file"),
        ("..", "names no file"),
    ],
)
def test_what_cannot_be_fetched_is_named(tmp_path, uri, message):
    with pytest.raises(CommandError, match=message):
        FETCH(uri, tmp_path)


@pytest.mark.parametrize(
    ("args", "split"),
    [
        (["env", "A=1", "x", "B=2"], ({"A": "1"}, ["x", "B=2"])),
        (["x", "A=1"], ({}, ["x", "A=1"])),
        (["env", "-u", "A"], ({}, ["-u", "A"])),
        (["env", "A=1"], ({"A": "1"}, [])),
        ([], ({}, [])),
    ],
)
def test_env_is_taken_apart(args, split):
    env, rest = split_env(args)
    assert (env, list(rest)) == split


def test_a_jobs_own_properties_file_replaces_the_clusters_defaults(tmp_path):
    path = tmp_path / "my.conf"
    path.write_text("# comment\nspark.submit.deployMode   cluster\nspark.yarn.appMasterEnv.A=b c\n\n")
    assert read_properties(path) == {"spark.submit.deployMode": "cluster", "spark.yarn.appMasterEnv.A": "b c"}
    command = plan(
        tmp_path,
        "spark-submit",
        "--properties-file",
        str(path),
        "job.py",
        defaults={"spark.submit.deployMode": "x"},
    )
    assert command.cluster_mode
    assert command.env == {"A": "b c"}


def test_a_cluster_whose_defaults_name_a_collector_gets_no_second_one(tmp_path):
    defaults = {"spark.driver.extraJavaOptions": "-XX:+UseG1GC"}
    assert plan(tmp_path, "bash", "x.sh", defaults=defaults).own_collector
    assert plan(tmp_path, "spark-submit", "x.py", defaults=defaults).own_collector
    assert not plan(tmp_path, "spark-submit", "x.py").own_collector


def test_files_and_archives_are_in_the_working_directory(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    with tarfile.open(tmp_path / "lib.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("x.txt"), io.BytesIO())
    work = tmp_path / "work"
    (work / "tmp").mkdir(parents=True)
    files, archives = (f"{tmp_path}/a.json#conf.json",), (f"{tmp_path}/lib.tar.gz#lib",)
    localise(Submission((), "cluster", files=files, archives=archives), work, FETCH)
    assert (work / "conf.json").read_text() == "{}"
    assert (work / "lib" / "x.txt").exists()


def test_an_alias_cannot_lead_out_of_the_working_directory(tmp_path):
    (tmp_path / "a").write_text("")
    work = tmp_path / "work"
    (work / "tmp").mkdir(parents=True)
    with pytest.raises(CommandError, match="leads out"):
        localise(Submission((), files=(f"{tmp_path}/a#../../evil",)), work, FETCH)
