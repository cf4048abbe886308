from __future__ import annotations

import copy
import itertools
import json
import pickle
import re
from pathlib import Path

import pytest

from airflow_provider_emrkit import KedroProject, PythonProject
from airflow_provider_emrkit.jobs.serverless_submit import spark_submit_parameters
from airflow_provider_emrkit.jobs.spark_submit import spark_submit
from airflow_provider_emrkit.localemr.spark.serverless import split_parameters
from airflow_provider_emrkit.templating import map_strings
from airflow_provider_emrkit.validation import InvalidValueError

DIGEST = "sha256:" + "a" * 64
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sales"
ARCHIVED = PythonProject("dist/entrypoint.py", archive="dist/environment.tar.gz")
KEDRO = KedroProject(
    "dist/entrypoint.py", archive="dist/environment.tar.gz", conf_source="dist/conf-sales.tar.gz"
)


def refused(message: str):
    return pytest.raises(InvalidValueError, match=re.escape(message))


# --- which Python runs it, on each compute ----------------------------------------------------------------


def settings(arguments: list[str]) -> dict[str, str]:
    """The Spark properties of a command that name a Python."""
    values = [value for flag, value in itertools.pairwise(arguments) if flag in ("--conf", "--archives")]
    return dict(value.split("=", 1) for value in values if "PYTHON" in value)


@pytest.mark.parametrize("project", [ARCHIVED, KEDRO], ids=["python", "kedro"])
def test_the_archives_python_runs_driver_and_executors_on_emr_serverless(project):
    words = split_parameters(spark_submit_parameters(project.job(), "sales"))
    found = settings(words)
    for name in (
        "spark.emr-serverless.driverEnv.PYSPARK_PYTHON",
        "spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON",
        "spark.executorEnv.PYSPARK_PYTHON",
    ):
        assert found[name] == "./environment/bin/python"
    assert "dist/environment.tar.gz#environment" in words[words.index("--archives") + 1].split(",")


@pytest.mark.parametrize("project", [ARCHIVED, KEDRO], ids=["python", "kedro"])
def test_the_archives_python_runs_driver_and_executors_on_yarn(project):
    words = spark_submit(project.job())
    found = settings(words)
    for name in (
        "spark.yarn.appMasterEnv.PYSPARK_PYTHON",
        "spark.yarn.appMasterEnv.PYSPARK_DRIVER_PYTHON",
        "spark.executorEnv.PYSPARK_PYTHON",
    ):
        assert found[name] == "./environment/bin/python"
    assert words[words.index("--deploy-mode") + 1] == "cluster"


def test_an_image_brings_the_python_that_is_named():
    project = PythonProject("entrypoint.py", image=f"{IMAGE}:1", python="/opt/python/bin/python")
    job = project.job()
    assert job.env["PYSPARK_PYTHON"] == job.env["PYSPARK_DRIVER_PYTHON"] == "/opt/python/bin/python"
    assert job.docker is not None
    assert job.docker.uri == f"{IMAGE}:1"
    assert job.archives == ()


def test_where_nothing_is_brought_the_python_is_the_clusters():
    job = PythonProject("entrypoint.py", py_files=["lib.zip"]).job()
    assert (dict(job.env), job.py_files) == ({}, ("lib.zip",))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"archive": "a.tar.gz", "image": IMAGE},
            "PythonProject.archive: 'a.tar.gz' does not go with an image",
        ),
        ({"image": IMAGE}, "PythonProject.python: None is missing beside an image; give the path"),
        (
            {"archive": "a.tar.gz#env"},
            "PythonProject.archive: 'a.tar.gz#env' names a directory to be unpacked",
        ),
        (
            {"archive": "a.tar.gz", "python": "/usr/bin/python3"},
            "PythonProject.python: '/usr/bin/python3' does not go with an archive; leave it out",
        ),
        (
            {"archive": "a.tar.gz", "variables": {"PYSPARK_PYTHON": "python3"}},
            "PythonProject.variables: 'PYSPARK_PYTHON' is set by emrkit; use python=",
        ),
        ({"files": "a"}, "PythonProject.files: 'a' is one string; pass a list: ['a']"),
    ],
)
def test_what_does_not_go_together_is_refused(fields, message):
    with refused(message):
        PythonProject("entrypoint.py", **fields)


# --- jobs of it -------------------------------------------------------------------------------------------


def test_what_a_job_says_is_added_to_what_the_project_says():
    project = PythonProject(
        "entrypoint.py", archive="a.tar.gz", files=["one"], variables={"STAGE": "test", "LEVEL": 1}
    )
    job = project.job(
        args=["--day", "{{ ds }}"],
        variables={"STAGE": "prod"},
        conf={"spark.executor.cores": 4},
        name="sales",
        files=["two"],
        archives=["data.zip#data"],
        packages=["a:b:1"],
    )
    assert job.args == ("--day", "{{ ds }}")
    assert (job.env["STAGE"], job.env["LEVEL"]) == ("prod", "1")
    assert (job.files, job.archives) == (("one", "two"), ("a.tar.gz#environment", "data.zip#data"))
    assert (job.name, job.conf["spark.executor.cores"], job.packages) == ("sales", "4", ("a:b:1",))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"env": {"A": "b"}}, "PythonProject.job.env: {'A': 'b'} belongs to the project; use variables="),
        ({"docker": None}, "PythonProject.job.docker: None belongs to the project; use image="),
        (
            {"variables": {"PYSPARK_DRIVER_PYTHON": "python"}},
            "PythonProject.job.variables: 'PYSPARK_DRIVER_PYTHON' is set by emrkit; leave it out",
        ),
    ],
)
def test_what_the_project_decides_is_not_said_by_a_job(fields, message):
    with refused(message):
        ARCHIVED.job(**fields)


def test_projects_and_their_jobs_survive_what_airflow_does_to_operators():
    for project in (ARCHIVED, KEDRO):
        assert copy.deepcopy(project) == pickle.loads(pickle.dumps(project)) == project
        assert hash(project.job()) == hash(project.job())
    rendered = map_strings(KEDRO.job(pipeline="{{ p }}"), lambda text: text.replace("{{ p }}", "daily"))
    assert rendered.args[-2:] == ("--pipeline", "daily")


# --- Kedro ------------------------------------------------------------------------------------------------


def test_the_configuration_is_unpacked_beside_the_job():
    job = KEDRO.job(pipeline="daily")
    assert job.archives == ("dist/environment.tar.gz#environment", "dist/conf-sales.tar.gz#kedro_conf")
    assert job.args == ("--conf-source", "./kedro_conf/conf", "--pipeline", "daily")


def test_the_configuration_of_an_image_is_named_where_it_is():
    conf = "local:/home/hadoop/conf-sales.tar.gz"
    job = KedroProject("entrypoint.py", image=IMAGE, python="/opt/python", conf_source=conf).job()
    assert (job.archives, job.args) == ((), ("--conf-source", "/home/hadoop/conf-sales.tar.gz"))


def test_a_project_may_do_without_a_configuration():
    assert KedroProject("entrypoint.py", archive="a.tar.gz").job().args == ()


def test_further_arguments_come_last():
    assert KEDRO.job(env="prod", args=["--only-missing-outputs"]).args[2:] == (
        *("--env", "prod"),
        "--only-missing-outputs",
    )


# --- reading a package ------------------------------------------------------------------------------------

MANIFEST = {
    "format": 1,
    "kind": "kedro",
    "name": "sales",
    "version": "1.0",
    "module": "sales.__main__:main",
    "entry_point": "entrypoint.py",
    "wheel": "sales-1.0-py3-none-any.whl",
    "requirements": "requirements.txt",
    "conf_source": "conf-sales.tar.gz",
    "archive": "environment.tar.gz",
    "python": "3.11",
    "release": "emr-7.11.0",
    "architecture": "x86_64",
    "image": None,
    "image_digest": None,
    "image_python": None,
    "image_conf_source": None,
}
OF_IMAGE = {
    "archive": None,
    "image": f"{IMAGE}:1.0",
    "image_digest": DIGEST,
    "image_python": "/opt/python/bin/python3",
    "image_conf_source": "/home/hadoop/conf-sales.tar.gz",
}


@pytest.fixture
def package(tmp_path):
    """Writes a manifest; gives its folder."""

    def write(**changes):
        text = json.dumps({**MANIFEST, **changes})
        (tmp_path / "package.json").write_text(text)
        return tmp_path

    return write


def test_a_package_with_an_archive_is_read(package):
    folder = package()
    assert KedroProject.read(folder) == KedroProject(
        f"{folder}/entrypoint.py",
        archive=f"{folder}/environment.tar.gz",
        conf_source=f"{folder}/conf-sales.tar.gz",
    )


def test_an_image_is_taken_by_its_digest_so_that_it_is_the_pushed_one_that_runs(package):
    project = KedroProject.read(package(**OF_IMAGE))
    assert project.image == f"{IMAGE}@{DIGEST}"
    assert project.python == "/opt/python/bin/python3"
    assert project.conf_source == "local:/home/hadoop/conf-sales.tar.gz"


@pytest.mark.parametrize(
    ("image", "digest", "taken"),
    [
        ("localhost:5000/sales", DIGEST, f"localhost:5000/sales@{DIGEST}"),
        ("localhost:5000/sales:1", DIGEST, f"localhost:5000/sales@{DIGEST}"),
        ("sales", DIGEST, f"sales@{DIGEST}"),
        (f"sales@{DIGEST}", DIGEST, f"sales@{DIGEST}"),
        ("sales:1", None, "sales:1"),
    ],
)
def test_a_digest_takes_the_place_of_the_tag(package, image, digest, taken):
    assert KedroProject.read(package(**{**OF_IMAGE, "image": image, "image_digest": digest})).image == taken


def test_a_plain_project_is_read(package):
    folder = package(kind="python", conf_source=None)
    assert PythonProject.read(folder).archive == f"{folder}/environment.tar.gz"


def test_a_relative_folder_is_looked_up_from_the_file_that_calls(package, tmp_path, monkeypatch):
    package()
    monkeypatch.chdir(Path(__file__).parent)
    (tmp_path / "dags").mkdir()
    dag = tmp_path / "dags" / "dag.py"
    dag.write_text("from airflow_provider_emrkit import KedroProject\nproject = KedroProject.read('..')\n")
    names: dict = {}
    exec(compile(dag.read_text(), str(dag), "exec"), names)
    assert Path(names["project"].entry_point).resolve() == tmp_path / "entrypoint.py"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "has the format 2, not 1; package the project again with this emrkit"),
        ({"kind": "python"}, "is of a 'python' project; use PythonProject.read"),
        ({"kind": "scala"}, "is of a 'scala' project; take the emrkit that packaged it"),
        (
            {"archive": None},
            "has neither an archive nor an image with the dependencies; package it with --archive",
        ),
        ({"entry_point": None}, "names no entry_point"),
        ({"archive": ["a"]}, "has archive ['a'], which is no text"),
    ],
)
def test_a_package_that_no_job_can_be_made_of_is_refused(package, changes, message):
    folder = package(**changes)
    with refused(f"KedroProject.read.folder: '{folder}/package.json' {message}"):
        KedroProject.read(folder)


def test_a_folder_without_a_package_is_refused_with_what_makes_one(tmp_path):
    with refused("is not there; run emrkit package, and ship its output folder with the DAGs"):
        KedroProject.read(tmp_path)
    (tmp_path / "package.json").write_text("{")
    with refused("is no JSON of emrkit package; package the project again"):
        KedroProject.read(tmp_path)
    (tmp_path / "package.json").unlink()
    (tmp_path / "package.json").mkdir()
    with refused("can't be read: Is a directory"):
        KedroProject.read(tmp_path)


@pytest.mark.parametrize("name", ["spark.pyspark.python", "spark.pyspark.driver.python"])
def test_what_spark_heeds_before_the_projects_python_is_refused(name):
    with refused(f"KedroProject.job.conf key: '{name}' takes the place of the project's Python"):
        KEDRO.job(conf={name: "python3"})
    assert PythonProject("entrypoint.py").job(conf={name: "python3"}).conf[name] == "python3"
