from __future__ import annotations

import copy
import dataclasses
import pickle
import re

import pytest

from airflow_provider_emrkit.jobs.docker_image import DockerImage
from airflow_provider_emrkit.jobs.spark_job import SparkJob
from airflow_provider_emrkit.jobs.spark_submit import spark_conf
from airflow_provider_emrkit.templating import map_strings
from airflow_provider_emrkit.validation import InvalidValueError

FULL = SparkJob(
    "s3://code/etl.jar",
    args=["--day", 3, 0.5],
    main_class="com.example.Etl$Main",
    conf={
        "spark.executor.cores": 4,
        "spark.sql.adaptive.enabled": True,
        "spark.hadoop.fs.s3a.secret.key": "hunter2",
    },
    py_files=["lib.zip"],
    jars=["a.jar"],
    files=["app.conf#settings"],
    archives=["env.tar.gz#env"],
    packages=["io.delta:delta-spark_2.12:3.3.0"],
    env={"STAGE": "prod", "RETRIES": 3, "DB_PASSWORD": "hunter2"},
    deploy_mode="client",
    name="etl",
)


def refused(message: str):
    return pytest.raises(InvalidValueError, match=re.escape(message))


def test_the_entry_point_alone_makes_a_job():
    job = SparkJob("jobs/a.py")
    assert (job.args, job.deploy_mode, dict(job.conf), job.name) == ((), "cluster", {}, None)


@pytest.mark.parametrize(
    "entry_point", ["a.py", "s3://b/k.py", "local:/usr/lib/spark/a.py", "{{ path }}", "{{ x }}.txt"]
)
def test_entry_points_that_can_be_right(entry_point):
    assert SparkJob(entry_point).entry_point == entry_point


@pytest.mark.parametrize(
    ("entry_point", "message"),
    [
        ("", "SparkJob.entry_point: '' is empty"),
        (None, "SparkJob.entry_point: None is of type NoneType; give a string"),
        (
            "job.sh",
            "SparkJob.entry_point: 'job.sh' is neither a Python file nor a jar; give a path ending in",
        ),
        (
            "a\0.py",
            "SparkJob.entry_point: 'a\\x00.py' holds the character '\\x00', which EMR's API does not take",
        ),
    ],
)
def test_entry_points_that_can_not(entry_point, message):
    with refused(message):
        SparkJob(entry_point)


def test_a_jar_needs_its_class_and_a_python_file_has_none():
    with refused("SparkJob.main_class: None is missing; name the class whose main method is to run"):
        SparkJob("a.jar")
    with refused("SparkJob.main_class: 'com.A' does not go with a Python file"):
        SparkJob("a.py", main_class="com.A")
    with refused("SparkJob.main_class: 'com..A' is not well formed; write it like com.example.DailySales"):
        SparkJob("a.jar", main_class="com..A")
    assert SparkJob("{{ jar }}").main_class is None
    assert SparkJob("{{ jar }}", main_class="com.A").main_class == "com.A"


def test_numbers_become_strings():
    assert FULL.args == ("--day", "3", "0.5")
    assert FULL.conf["spark.executor.cores"] == "4"
    assert FULL.env["RETRIES"] == "3"


def test_switches_of_spark_are_written_as_spark_reads_them():
    assert SparkJob("a.py", conf={"spark.a": True, "spark.b": False}).conf == {
        "spark.a": "true",
        "spark.b": "false",
    }


@pytest.mark.parametrize("value", [None, True, {"a": 1}, ["x"], b"x"])
def test_an_argument_that_is_no_text_is_named_by_its_place(value):
    with refused(f"SparkJob.args[1]: {value!r} is of type {type(value).__name__}; give a string"):
        SparkJob("a.py", args=["ok", value])


def test_an_argument_may_be_empty_and_hold_anything_that_can_be_sent():
    args = ["", " ", "a b", "$HOME", "line\nbreak", "ü", '"', "'"]
    assert SparkJob("a.py", args=args).args == tuple(args)


@pytest.mark.parametrize("field", ["args", "py_files", "jars", "files", "archives", "packages"])
def test_one_string_is_not_taken_for_a_list(field):
    with refused(f"SparkJob.{field}: 'abc' is one string; pass a list: ['abc']"):
        SparkJob("a.py", **{field: "abc"})


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            "spark.master",
            "'spark.master' belongs to emrkit; leave it out; where a job runs is said by compute=",
        ),
        ("spark.submit.deployMode", "'spark.submit.deployMode' has a field of its own; use deploy_mode="),
        ("spark.app.name", "'spark.app.name' has a field of its own; use name="),
        ("spark.submit.pyFiles", "'spark.submit.pyFiles' has a field of its own; use py_files="),
        ("spark.jars.packages", "'spark.jars.packages' has a field of its own; use packages="),
        (
            "executor.memory",
            "'executor.memory' is not a Spark property; Spark ignores keys that do not start with",
        ),
        ("spark.a=b", "'spark.a=b' is not a Spark property"),
        ("spark.a b", "'spark.a b' is not a Spark property"),
        ("", "SparkJob.conf key: '' is empty"),
        (3, "SparkJob.conf key: 3 is of type int; give a string"),
    ],
)
def test_conf_keys_that_are_refused(key, message):
    with refused(message):
        SparkJob("a.py", conf={key: "x"})


def test_conf_keys_may_be_templates():
    assert SparkJob("a.py", conf={"{{ key }}": "x"}).conf == {"{{ key }}": "x"}


@pytest.mark.parametrize("value", ["false", "False", False])
def test_a_step_must_last_as_long_as_its_job(value):
    with refused("conf['spark.yarn.submit.waitAppCompletion']: 'false' is not allowed; leave it out"):
        SparkJob("a.py", conf={"spark.yarn.submit.waitAppCompletion": value})


def test_a_value_of_conf_or_env_is_never_shown_in_an_error():
    for field, key in (("conf", "spark.x"), ("env", "X")):
        with pytest.raises(InvalidValueError, match=re.escape(f"{field}['{key}']")) as caught:
            SparkJob("a.py", **{field: {key: "hunter2\0"}})
        assert "hunter2" not in str(caught.value)
        assert "hunter2" not in repr(caught.value)


@pytest.mark.parametrize("name", ["1A", "A-B", "A B", "A=B", "Ä"])
def test_env_names_follow_the_grammar_of_shells(name):
    with refused("SparkJob.env name"):
        SparkJob("a.py", env={name: "x"})


@pytest.mark.parametrize("prefix", ["spark.executorEnv.", "spark.yarn.appMasterEnv."])
def test_a_variable_can_not_be_set_twice(prefix):
    with refused(f"SparkJob.env name: 'A' is set by conf['{prefix}A'] too; keep one"):
        SparkJob("a.py", conf={f"{prefix}A": "1"}, env={"A": "2"})


@pytest.mark.parametrize("package", ["a:b", "a:b:c:d", "a:b:", "a b:c:d", "a:b:c,d:e:f"])
def test_packages_are_maven_coordinates(package):
    with refused(f"SparkJob.packages[0]: {package!r} is not well formed; write it as group:artifact:version"):
        SparkJob("a.py", packages=[package])


def test_a_comma_would_part_a_path_in_two():
    with refused("SparkJob.jars[1]: 'b,c.jar' holds a comma; give one list item per file"):
        SparkJob("a.py", jars=["a.jar", "b,c.jar"])


def test_a_wheel_is_refused_where_spark_could_not_import_it():
    with refused(
        "SparkJob.py_files[0]: 'x.whl' is a wheel, which Spark can't import; give the package's directory"
    ):
        SparkJob("a.py", py_files=["x.whl"])
    assert SparkJob("a.py", files=["x.whl"]).files == ("x.whl",)


def test_only_the_two_deploy_modes_are_known():
    with refused("SparkJob.deploy_mode: 'local' is not known; use one of cluster, client"):
        SparkJob("a.py", deploy_mode="local")


def test_what_was_given_is_copied():
    args, conf = ["x"], {"spark.a": "1"}
    job = SparkJob("a.py", args=args, conf=conf)
    args.append("y")
    conf["spark.b"] = "2"
    assert job == SparkJob("a.py", args=["x"], conf={"spark.a": "1"})


def test_a_job_can_not_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        FULL.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda job: pickle.loads(pickle.dumps(job))])
def test_airflow_can_copy_and_pickle_a_job(clone):
    assert clone(FULL) == FULL
    assert hash(clone(FULL)) == hash(FULL)
    assert repr(clone(FULL)) == repr(FULL)


def test_lists_and_tuples_make_equal_jobs():
    assert SparkJob("a.py", args=["x"]) == SparkJob("a.py", args=("x",))
    assert len({SparkJob("a.py", args=["x"]), SparkJob("a.py", args=("x",))}) == 1


def test_the_repr_is_short_and_hides_secrets():
    assert repr(SparkJob("a.py", args=["x"])) == "SparkJob(entry_point='a.py', args=('x',))"
    assert "hunter2" not in repr(FULL)
    assert "'STAGE': 'prod'" in repr(FULL)
    assert "'spark.executor.cores': '4'" in repr(FULL)


def test_replacing_a_field_checks_the_whole_job_again():
    assert dataclasses.replace(FULL, name="other").args == FULL.args
    with refused("SparkJob.main_class: None is missing"):
        dataclasses.replace(FULL, main_class=None)


@pytest.mark.parametrize("docker", ["user/etl", {"uri": "user/etl"}])
def test_an_image_is_a_docker_image(docker):
    with refused(f"SparkJob.docker: {docker!r} is of type {type(docker).__name__}; give DockerImage(…)"):
        SparkJob("a.py", docker=docker)


@pytest.mark.parametrize("prefix", ["spark.executorEnv.", "spark.yarn.appMasterEnv."])
@pytest.mark.parametrize("name", ["TYPE", "DOCKER_IMAGE", "DOCKER_MOUNTS", "DOCKER_CLIENT_CONFIG"])
def test_what_an_image_sets_is_not_set_otherwise_too(prefix, name):
    variable = f"YARN_CONTAINER_RUNTIME_{name}"
    with refused(f"SparkJob.conf key: '{prefix}{variable}' is set by docker; leave it out"):
        SparkJob("a.py", conf={prefix + variable: "x"}, docker=DockerImage("user/etl"))
    with refused(f"SparkJob.env name: '{variable}' is set by docker; leave it out"):
        SparkJob("a.py", env={variable: "x"}, docker=DockerImage("user/etl"))
    assert SparkJob("a.py", conf={prefix + variable: "x"}, env={})


@pytest.mark.parametrize("name", ["DOCKER_RUN_PRIVILEGED_CONTAINER", "DOCKER_CONTAINER_NETWORK"])
def test_what_else_yarn_knows_of_containers_is_the_job_s_to_ask(name):
    variable = f"YARN_CONTAINER_RUNTIME_{name}"
    job = SparkJob("a.py", env={variable: "x"}, docker=DockerImage("user/etl"))
    assert spark_conf(job)[f"spark.executorEnv.{variable}"] == "x"
    assert spark_conf(job)[f"spark.yarn.appMasterEnv.{variable}"] == "x"
    assert SparkJob("a.py", conf={f"spark.executorEnv.{variable}": "x"}, docker=DockerImage("user/etl"))


def test_a_job_with_an_image_can_be_copied_rendered_and_shown():
    job = SparkJob("a.py", docker=DockerImage("user/etl:{{ tag }}"))
    assert pickle.loads(pickle.dumps(job)) == job
    assert map_strings(job, lambda text: text.replace("{{ tag }}", "1.4")).docker == DockerImage(
        "user/etl:1.4"
    )
    assert repr(job) == "SparkJob(entry_point='a.py', docker=DockerImage(uri='user/etl:{{ tag }}'))"
