from __future__ import annotations

import subprocess

import pytest

from airflow_provider_emrkit.jobs.docker_image import DockerImage
from airflow_provider_emrkit.jobs.spark_job import SparkJob
from airflow_provider_emrkit.jobs.spark_submit import spark_conf, spark_submit

# What breaks where somebody quotes, splits or decodes on the way.
NASTY = [
    pytest.param(text, id=name)
    for name, text in {
        "empty": "",
        "spaces": "  a  b ",
        "double quotes": '"a" "b',
        "single quotes": "it's 'quoted",
        "dollars": "$HOME ${x} $(date) `date`",
        "newlines": "a\nb\r\nc\td\n",
        "backslashes": "\\n \\ \\\\",
        "shell": "a; b && c | d > e < f & # g",
        "globs": "* ? [a] {b,c} ~",
        "equals": "=a==b=",
        "commas": ",a,,b,",
        "unicode": "Zürich 日本 😀 \u2028",
        "flags": "--conf",
        "json": '{"a": ["b c", "d\\"e"]}',
        "100 KB": "x'\" $" * 20_000,
    }.items()
]


def test_a_python_job():
    job = SparkJob("s3://code/a.py", args=["--day", "1"], py_files=["s3://code/b.zip"])
    assert spark_submit(job, name="sales") == [
        "spark-submit",
        *("--deploy-mode", "cluster"),
        *("--name", "sales"),
        *("--py-files", "s3://code/b.zip"),
        "s3://code/a.py",
        *("--day", "1"),
    ]


def test_every_option_in_its_place():
    job = SparkJob(
        "s3://code/a.jar",
        args=["x"],
        main_class="com.example.A",
        conf={"spark.b": "2", "spark.a": "1"},
        py_files=["s3://c/1.py", "s3://c/2.zip"],
        jars=["s3://c/1.jar", "s3://c/2.jar"],
        files=["s3://c/f#g"],
        archives=["s3://c/e.tgz#env", "s3://c/h.zip"],
        packages=["a:b:1", "c:d:2"],
        name="own",
    )
    assert spark_submit(job, name="the step's") == [
        "spark-submit",
        *("--deploy-mode", "cluster", "--name", "own", "--class", "com.example.A"),
        *("--conf", "spark.b=2", "--conf", "spark.a=1"),
        *("--py-files", "s3://c/1.py,s3://c/2.zip"),
        *("--jars", "s3://c/1.jar,s3://c/2.jar"),
        *("--files", "s3://c/f#g"),
        *("--archives", "s3://c/e.tgz#env,s3://c/h.zip"),
        *("--packages", "a:b:1,c:d:2"),
        *("s3://code/a.jar", "x"),
    ]


def test_without_a_name_spark_chooses_one():
    assert "--name" not in spark_submit(SparkJob("s3://c/a.py"))


def test_in_cluster_mode_driver_and_executors_get_the_environment_from_yarn():
    argv = spark_submit(SparkJob("s3://c/a.py", conf={"spark.z": "1"}, env={"A": "1 2"}))
    assert argv[:3] == ["spark-submit", "--deploy-mode", "cluster"]
    assert argv[3:-1] == [
        *("--conf", "spark.z=1"),
        *("--conf", "spark.yarn.appMasterEnv.A=1 2"),
        *("--conf", "spark.executorEnv.A=1 2"),
    ]


def test_in_client_mode_the_driver_gets_it_from_its_process():
    argv = spark_submit(SparkJob("s3://c/a.py", env={"A": "1 2", "B": "$x"}, deploy_mode="client"))
    assert argv[:6] == ["env", "A=1 2", "B=$x", "spark-submit", "--deploy-mode", "client"]
    assert "spark.executorEnv.A=1 2" in argv
    assert not [item for item in argv if "appMasterEnv" in item]


def test_in_client_mode_without_environment_nothing_comes_first():
    assert spark_submit(SparkJob("s3://c/a.py", deploy_mode="client"))[0] == "spark-submit"


@pytest.mark.parametrize("text", NASTY)
def test_an_argument_arrives_as_it_was_written(text):
    assert spark_submit(SparkJob("s3://c/a.py", args=["before", text, "after"]))[-3:] == [
        "before",
        text,
        "after",
    ]


@pytest.mark.parametrize("text", NASTY)
def test_a_property_arrives_as_it_was_written(text):
    argv = spark_submit(SparkJob("s3://c/a.py", conf={"spark.x": text}))
    assert argv[argv.index("--conf") + 1] == f"spark.x={text}"


@pytest.mark.parametrize("text", NASTY)
def test_a_variable_arrives_as_it_was_written(text):
    job = SparkJob("s3://c/a.py", env={"X": text})
    assert spark_conf(job) == {"spark.yarn.appMasterEnv.X": text, "spark.executorEnv.X": text}


@pytest.mark.parametrize("text", NASTY)
def test_the_env_command_of_client_mode_hands_a_variable_on(text):
    argv = spark_submit(SparkJob("s3://c/a.py", env={"X": text}, deploy_mode="client"))
    prefix = argv[: argv.index("spark-submit")]
    done = subprocess.run([*prefix, "printenv", "X"], capture_output=True, check=True)
    assert done.stdout == text.encode() + b"\n"


def test_arguments_that_look_like_options_come_after_the_entry_point():
    argv = spark_submit(SparkJob("s3://c/a.py", args=["--conf", "spark.master=local"]))
    assert argv.index("s3://c/a.py") < argv.index("--conf")


IMAGE = DockerImage("user/etl:1.4", mounts=["/m:/m:ro"], client_config="hdfs:///c.json")
RUNTIME = {
    "YARN_CONTAINER_RUNTIME_TYPE": "docker",
    "YARN_CONTAINER_RUNTIME_DOCKER_IMAGE": "user/etl:1.4",
    "YARN_CONTAINER_RUNTIME_DOCKER_MOUNTS": "/etc/passwd:/etc/passwd:ro,/m:/m:ro",
    "YARN_CONTAINER_RUNTIME_DOCKER_CLIENT_CONFIG": "hdfs:///c.json",
}


def test_in_cluster_mode_driver_and_executors_run_in_the_image():
    assert spark_conf(SparkJob("s3://c/a.py", docker=IMAGE)) == {
        prefix + name: value
        for name, value in RUNTIME.items()
        for prefix in ("spark.yarn.appMasterEnv.", "spark.executorEnv.")
    }


def test_in_client_mode_only_executors_do():
    job = SparkJob("s3://c/a.py", docker=IMAGE, deploy_mode="client")
    assert spark_conf(job) == {f"spark.executorEnv.{name}": value for name, value in RUNTIME.items()}
    assert spark_submit(job)[0] == "spark-submit"


def test_the_image_comes_beside_what_the_job_sets():
    job = SparkJob("s3://c/a.py", docker=IMAGE, env={"STAGE": "prod"}, conf={"spark.x": 1})
    assert spark_conf(job)["spark.executorEnv.STAGE"] == "prod"
    assert spark_conf(job)["spark.x"] == "1"
    assert len(spark_conf(job)) == 1 + 2 + 2 * len(RUNTIME)


def test_without_an_image_nothing_is_said_about_containers():
    assert not any("YARN_CONTAINER_RUNTIME" in text for text in spark_submit(SparkJob("s3://c/a.py")))
