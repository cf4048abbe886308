"""What is judged of an image for EMR Serverless, by facts alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_provider_emrkit.images.findings import Target
from airflow_provider_emrkit.images.probe_script import SERVERLESS_JARS, SERVERLESS_PROGRAMS
from airflow_provider_emrkit.images.probing import ImageFacts, Inside, Program, read_inside
from airflow_provider_emrkit.images.serverless_findings import serverless_findings
from airflow_provider_emrkit.releases import release

PYTHON = "/opt/python/current/bin/python3"
EMR7 = Target(release("emr-7.11.0"), python=PYTHON, kind="serverless")
JARS = {"core": "spark-core_2.12-3.5.6-amzn-1.jar", "hadoop": "hadoop-client-api-3.4.1-amzn-2.jar"}


def python(version=(3, 11, 9), path=PYTHON, **changes):
    told = {"version": list(version), "executable": path, "missing": [], "pyspark": ""}
    return replace(Program(path, 0, json.dumps({**told, **changes})))


def jars(core=JARS["core"], hadoop=JARS["hadoop"], *more):
    return tuple(
        (next(start for start in SERVERLESS_JARS if start.rpartition("/")[2] in name), name)
        for name in (core, hadoop, *more)
    )


def image(inside=None, env=None, **facts):
    known = {
        "os": "linux",
        "architecture": "amd64",
        "size": 2_000_000_000,
        "user": "hadoop:hadoop",
        "workdir": "/home/hadoop",
        "entrypoint": ("/usr/bin/entrypoint.sh",),
        "env": {"SPARK_HOME": "/usr/lib/spark", "JAVA_HOME": "/etc/alternatives/jre", **(env or {})},
        **facts,
    }
    found = {
        "bash": "/bin/bash",
        "system": "Amazon Linux 2023.7",
        "java": Program("/etc/alternatives/jre/bin/java", 0, 'openjdk version "17.0.15"'),
        "pythons": (python(),),
        "jars": jars(),
        **(inside or {}),
    }
    return ImageFacts("etl:1", **known, inside=Inside(**found))


def problems(facts, target=EMR7):
    return [(one.level, one.subject) for one in serverless_findings(facts, target) if one.level != "ok"]


def the_problem(facts, target=EMR7):
    found = [one for one in serverless_findings(facts, target) if one.level != "ok"]
    assert len(found) == 1, found
    assert found[0].mend
    return found[0]


def test_emrs_own_has_nothing_to_mend():
    found = serverless_findings(image(), EMR7)
    assert {one.level for one in found} == {"ok"}
    subjects = {"architecture", "size", "system", "user", "workdir", "entrypoint", "environment"}
    assert {one.subject for one in found} == subjects | {"files", "spark", "java", "python"}


def test_a_python_that_is_not_emrs_is_told_to_be_named_by_the_job():
    found = next(one for one in serverless_findings(image(), EMR7) if one.subject == "python")
    assert 'SparkJob(env={"PYSPARK_PYTHON": "/opt/python/current/bin/python3"' in found.text


def test_a_huge_image_is_worth_a_word_and_emrs_own_is_not():
    assert problems(image(size=9_000_000_000)) == []
    assert "which each worker fetches" in the_problem(image(size=11_000_000_000)).text


# --- the manifest -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["", "root", "0:0", "airflow", "hadoop:root", "999:1000"])
def test_another_user_than_hadoop_is_an_error(user):
    assert the_problem(image(user=user)).mend == "USER hadoop:hadoop at the end of the Dockerfile"
    assert problems(image(user=user)) == [("error", "user")]


def test_hadoop_without_its_group_is_worth_a_word():
    assert problems(image(user="hadoop")) == [("warning", "user")]


def test_an_image_without_hadoop_is_an_error_whatever_its_user_says():
    found = the_problem(image({"no_user": "unable to find user hadoop"}))
    assert (found.level, found.subject) == ("error", "user")
    assert "unable to find user hadoop" in found.text


@pytest.mark.parametrize(
    ("facts", "subject"),
    [
        ({"workdir": ""}, "workdir"),
        ({"workdir": "/build"}, "workdir"),
        ({"entrypoint": ()}, "entrypoint"),
        ({"entrypoint": ("python3", "main.py")}, "entrypoint"),
    ],
)
def test_what_else_the_manifest_says(facts, subject):
    assert problems(image(**facts)) == [("error", subject)]


def test_a_home_that_hadoop_can_not_write_to():
    assert "chown hadoop:hadoop /home/hadoop" in the_problem(image({"unwritable": "/home/hadoop"})).mend


def test_the_arguments_of_the_entrypoint_are_not_compared():
    assert problems(image(entrypoint=("/usr/bin/entrypoint.sh", "-x"), command=("driver",))) == []


@pytest.mark.parametrize("label", ["emr-spark-8.0.0", "emr-7.99.0"])
def test_where_aws_tells_no_manifest_what_differs_is_a_warning(label):
    target = replace(EMR7, release=release(label))
    odd = image({"absent": ("/usr/bin/tini",)}, entrypoint=("/sbin/init",), workdir="/")
    found = {one.subject: one.level for one in serverless_findings(odd, target)}
    assert (found["entrypoint"], found["workdir"], found["files"]) == ("warning",) * 3


def test_values_of_the_environment_may_have_an_equals_sign():
    facts = image(env={"SPARK_HOME": "/opt/a=b"})
    assert "SPARK_HOME=/opt/a=b" in [one.text for one in serverless_findings(facts, EMR7)]


def test_without_spark_home_nothing_more_is_said_of_what_is_in_it():
    absent = tuple(one for one in (*SERVERLESS_PROGRAMS, *SERVERLESS_JARS) if "SPARK_HOME" in one)
    facts = image({"absent": absent, "jars": ()}, env={"SPARK_HOME": ""})
    assert problems(facts) == [("error", "environment")]


def test_a_home_of_all_pythons_and_secrets_are_warned_of():
    facts = image(env={"PYTHONHOME": "/x", "DB_PASSWORD": "secret"})
    assert problems(facts) == [("warning", "environment"), ("warning", "settings")]
    assert "secret" not in {one.text for one in serverless_findings(facts, EMR7)}


# --- files ------------------------------------------------------------------------------------------------


# Java is started, which says more.
FILES = [one for one in (*SERVERLESS_PROGRAMS, *SERVERLESS_JARS) if one != "$JAVA_HOME/bin/java"]


@pytest.mark.parametrize("path", FILES)
def test_each_file_is_missed(path):
    found = the_problem(image({"absent": (path,)}))
    assert (found.level, found.subject) == ("error", "files")
    assert "/usr/" in found.text
    assert "$" not in found.text


def test_what_root_alone_can_read_is_not_called_missing():
    absent = ("/usr/bin/tini", "$SPARK_HOME/jars/py4j")
    found = the_problem(image({"absent": absent, "hidden": absent}))
    assert found.text == "hadoop can't use /usr/bin/tini, /usr/lib/spark/jars/py4j*.jar, which root can"
    assert "chmod -R a+rX" in found.mend


def test_many_files_that_are_missing_are_one_finding():
    found = the_problem(image({"absent": SERVERLESS_JARS}))
    assert f"and {len(SERVERLESS_JARS) - 5} more: missing" in found.text


# --- which release ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("core", "level", "words"),
    [
        ("spark-core_2.12-3.4.1-amzn-2.jar", "error", "emr-7.11.0 is Spark 3.5.6, Scala 2.12"),
        ("spark-core_2.13-3.5.6-amzn-1.jar", "error", "emr-7.11.0 is Spark 3.5.6, Scala 2.12"),
        ("spark-core_2.12-3.5.6.jar", "error", "it is not EMR's"),
        ("spark-core_mine.jar", "warning", "does not tell its version"),
    ],
)
def test_spark_has_to_be_emrs_and_of_the_release(core, level, words):
    found = the_problem(image({"jars": jars(core)}))
    assert (found.level, found.subject) == (level, "spark")
    assert words in found.text


def test_a_second_spark_is_found():
    found = the_problem(image({"jars": jars(JARS["core"], JARS["hadoop"], "spark-core_2.12-3.5.1.jar")}))
    assert "more than one Spark" in found.text


def test_releases_of_one_spark_are_told_apart_by_hadoop():
    found = the_problem(image(), replace(EMR7, release=release("emr-7.13.0")))
    assert (found.level, found.subject) == ("warning", "spark")
    assert "Hadoop 3.4.1, where that of emr-7.13.0 is 3.4.2" in found.text


def test_without_a_release_no_version_is_judged():
    assert problems(image(), replace(EMR7, release=None)) == []


def test_a_release_that_is_not_known_is_a_warning():
    assert ("warning", "release") in problems(image(), replace(EMR7, release=release("emr-7.99.0")))


# --- Java, Python, the project ----------------------------------------------------------------------------


def test_a_java_of_another_version_begins_with_emrs_image():
    java = Program("/opt/java/bin/java", 0, 'openjdk version "21.0.1"')
    found = the_problem(image({"java": java}))
    assert (found.level, found.subject) == ("error", "java")
    assert "FROM public.ecr.aws/emr-serverless/spark/emr-7.11.0:latest" in found.mend


def test_a_python_that_spark_does_not_take():
    found = the_problem(image({"pythons": (python((3, 12, 1)),)}))
    assert "Spark 3.5.6 of emr-7.11.0 takes 3.8 to 3.11" in found.text
    assert "emrkit image new --target serverless --release emr-7.11.0" in found.mend


def test_a_python_that_is_not_there_and_one_that_is():
    gone = Program(PYTHON, 127)
    found = the_problem(image({"pythons": (gone, python(path="/usr/bin/python3"))}))
    assert f"{PYTHON} is not there" in found.text
    assert found.mend.endswith("and check it with --python /usr/bin/python3")


def test_a_link_into_the_home_of_root_is_explained():
    root = replace(python(), real="/root/.local/share/uv/python/bin/python3")
    hidden = Program(PYTHON, 126, links=("/root/.local/share/uv/python/bin/python3",), for_root=root)
    assert "who can't see into /root" in the_problem(image({"pythons": (hidden,)})).text


@pytest.mark.parametrize(("version", "levels"), [("3.5.6", ["warning"]), ("3.5.6+amzn.1", [])])
def test_a_pyspark_beside_emrs_is_a_warning_and_emrs_own_is_none(version, levels):
    facts = image({"pythons": (python(pyspark=version),)})
    assert [one.level for one in serverless_findings(facts, EMR7) if one.subject == "pyspark"] == levels


def test_what_a_job_imports_is_told():
    works = Program("etl", 0)
    fails = Program("etl.io", 1, "ImportError: libgomp.so.1: cannot open shared object file")
    hidden = Program("other", 1, "PermissionError", for_root=Program("other", 0))
    found = serverless_findings(image({"imports": (works, fails, hidden)}), EMR7)
    told = [(one.level, one.text) for one in found if one.subject == "import"]
    assert told[0] == ("ok", "etl")
    assert told[1] == ("error", "etl.io: ImportError: libgomp.so.1: cannot open shared object file")
    assert told[2] == ("error", "other: only root can import it, and jobs run as hadoop")


def test_a_python_that_does_not_start_imports_nothing_and_that_is_said_once():
    facts = image({"pythons": (Program(PYTHON, 127),), "imports": (Program("etl", 127),)})
    assert problems(facts) == [("error", "python")]


# --- not looked into --------------------------------------------------------------------------------------


def test_what_the_engine_knows_is_judged_where_nothing_can_be_started():
    facts = image({"problem": "exec format error"}, architecture="arm64", user="root", env={"JAVA_HOME": ""})
    found = problems(facts)
    assert found == [("warning", "inside"), ("error", "user"), ("error", "environment")]


def test_what_an_image_prints_is_its_word_and_no_more():
    text = "\n".join(
        (
            "emrkit:absent=/usr/bin/tini",
            "emrkit:absent=/etc/shadow",
            "emrkit:jar=$SPARK_HOME/jars/spark-core_ spark-core_2.12-3.5.6-amzn-1.jar",
            "emrkit:jar=$SPARK_HOME/jars/other other.jar",
            "noise",
            "emrkit:program=import etl",
            "emrkit:code=1",
            "emrkit:out=ImportError: no",
            "emrkit:end=",
        )
    )
    found = read_inside(text)
    assert found.absent == ("/usr/bin/tini",)
    assert found.jars == (("$SPARK_HOME/jars/spark-core_", "spark-core_2.12-3.5.6-amzn-1.jar"),)
    assert found.imports == (Program("etl", 1, "ImportError: no"),)
