"""What is judged of an image, by facts alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_provider_emrkit.images.findings import Target
from airflow_provider_emrkit.images.probing import ImageFacts, Inside, Program, inspected_facts, read_inside
from airflow_provider_emrkit.images.yarn_findings import yarn_findings
from airflow_provider_emrkit.releases import release

EMR6 = Target(release("emr-6.15.0"))
PYTHON = "/usr/bin/python3"


def python(version=(3, 11, 9), path=PYTHON, missing=(), pyspark="", **changes):
    told = {"version": list(version), "executable": path, "missing": list(missing), "pyspark": pyspark}
    return replace(Program(path, 0, json.dumps(told)), **changes)


def java(version="1.8.0_402", **changes):
    return replace(Program("/usr/lib/jvm/bin/java", 0, f'openjdk version "{version}" OpenJDK …'), **changes)


def image(java=java(), pythons=(python(),), inside=None, **facts):  # noqa: B008 - values, never changed
    inside = {"bash": "/bin/bash", "system": "Amazon Linux 2023", **(inside or {})}
    known = {"os": "linux", "architecture": "amd64", "size": 500_000_000, **facts}
    return ImageFacts("etl:1", **known, inside=Inside(**inside, java=java, pythons=tuple(pythons)))


def judged(facts, target=EMR6):
    return yarn_findings(facts, target)


def problems(facts, target=EMR6):
    return [(one.level, one.subject) for one in judged(facts, target) if one.level != "ok"]


def the_problem(facts, target=EMR6):
    found = [one for one in judged(facts, target) if one.level != "ok"]
    assert len(found) == 1, found
    assert found[0].mend
    return found[0]


def test_a_good_image_has_nothing_to_mend():
    found = judged(image())
    assert {one.level for one in found} == {"ok"}
    subjects = {one.subject for one in found}
    assert subjects == {"architecture", "size", "system", "bash", "java", "python", "entrypoint"}


# --- what it is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("has", "arch", "level"),
    [
        ("amd64", None, "ok"),
        ("arm64", None, "ok"),
        ("arm64", "arm64", "ok"),
        ("arm64", "x86_64", "error"),
        ("amd64", "arm64", "error"),
        ("386", None, "error"),
        ("", None, "error"),
    ],
)
def test_the_architecture_has_to_be_that_of_the_instances(has, arch, level):
    found = judged(image(architecture=has), replace(EMR6, arch=arch))
    assert next(one.level for one in found if one.subject == "architecture") == level


def test_an_image_for_another_system_than_linux_runs_nowhere():
    assert problems(image(os="windows")) == [("error", "system")]


def test_a_huge_image_is_worth_a_word():
    assert the_problem(image(size=9_000_000_000)).text.startswith("9.0 GB, which each node fetches")


def test_an_image_of_another_architecture_that_can_t_run_here_is_not_held_against_it():
    facts = image(architecture="arm64", inside={"problem": "exec /bin/sh: exec format error"})
    assert the_problem(facts).level == "warning"
    assert "binfmt --install arm64" in the_problem(facts).mend


def test_an_image_without_a_shell_runs_no_job():
    found = the_problem(image(inside={"problem": 'exec: "sh": executable file not found in $PATH'}))
    assert (found.level, found.mend.split(",")[0]) == (
        "error",
        "begin with an image that has a shell and bash",
    )


def test_an_engine_that_starts_nothing_is_not_the_images_fault():
    found = the_problem(image(inside={"problem": "crun: setrlimit: Operation not permitted"}))
    assert (found.level, found.mend) == (
        "error",
        "see whether the engine can start other images, as hello-world",
    )


@pytest.mark.parametrize(
    ("inside", "subject"),
    [({"libc": "musl"}, "system"), ({"bash": ""}, "bash"), ({"lacks": ("ln",)}, "bash")],
)
def test_what_yarn_and_hadoop_ask_of_the_system(inside, subject):
    assert problems(image(inside=inside)) == [("error", subject)]


# --- Java -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "version", "level"),
    [
        ("emr-6.15.0", "1.8.0_402", "ok"),
        ("emr-6.15.0", "11.0.22", "warning"),
        ("emr-6.15.0", "17.0.9", "warning"),
        ("emr-6.15.0", "21", "error"),
        ("emr-6.5.0", "17.0.9", "error"),
        ("emr-7.5.0", "17", "ok"),
        ("emr-6.15.0", "99999999", "warning"),
    ],
)
def test_java_has_to_fit_the_releases_spark(label, version, level):
    found = judged(image(java=java(version)), Target(release(label)))
    assert next(one.level for one in found if one.subject == "java") == level


def test_a_java_without_java_home_is_named():
    found = the_problem(image(java=None, inside={"java_found": "/usr/bin/java"}))
    assert found.text == "JAVA_HOME is not set, though there is /usr/bin/java"
    assert found.mend.startswith("ENV JAVA_HOME=")


def test_no_java_at_all_is_an_error():
    assert the_problem(image(java=None)).text == "JAVA_HOME is not set, and there is no Java"


def test_a_java_home_that_leads_nowhere_is_an_error():
    gone = java(code=127, out="sh: not found")
    assert "is not there" in the_problem(image(java=replace(gone, for_root=gone))).text


# --- Python -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 6, 1), "error"), ((3, 7, 16), "ok"), ((3, 11, 9), "ok"), ((3, 12, 0), "error")],
)
def test_python_has_to_fit_the_releases_spark(version, level):
    found = judged(image(pythons=[python(version)]))
    assert next(one.level for one in found if one.subject == "python") == level


def test_without_a_release_no_version_is_judged():
    assert problems(image(java=java("25"), pythons=[python((3, 14, 0))]), Target()) == []


def test_a_link_into_the_home_of_root_is_explained():
    real = "/root/.local/share/uv/python/cpython-3.11/bin/python3.11"
    trapped = Program(
        PYTHON, 126, "sh: Permission denied", links=("/opt/python",), for_root=python(real=real)
    )
    found = the_problem(image(pythons=[trapped]))
    assert f"only root can start it ({PYTHON} -> {real})" in found.text
    assert "can't see into /root" in found.text
    assert "UV_PYTHON_INSTALL_DIR" in found.mend


def test_a_python_only_root_may_run_is_told_from_a_missing_one():
    closed = Program(PYTHON, 126, "Permission denied", for_root=python(real="/opt/python3.11"))
    assert the_problem(image(pythons=[closed])).mend.startswith("RUN chmod -R a+rX")
    gone = Program(PYTHON, 127, "not found", for_root=Program(PYTHON, 127, "not found"))
    assert "is not there" in the_problem(image(pythons=[gone])).text


def test_a_python_at_another_place_than_emr_looks_is_named_with_both_mends():
    gone = Program(PYTHON, 127, "not found", for_root=Program(PYTHON, 127))
    mend = the_problem(image(pythons=[gone, python(path="/usr/local/bin/python3")])).mend
    assert "ln -sf /usr/local/bin/python3 /usr/bin/python3" in mend
    assert 'SparkJob(env={"PYSPARK_PYTHON": "/usr/local/bin/python3"})' in mend


def test_a_program_that_is_no_python_is_none():
    assert "is no Python 3" in the_problem(image(pythons=[Program(PYTHON, 0, "hello")])).text


def test_a_python_with_half_its_library_is_an_error():
    found = the_problem(image(pythons=[python(missing=["pydoc", "zlib"])]))
    assert found.text == "its standard library lacks pydoc, zlib, which PySpark needs"


def test_a_missing_distutils_matters_to_pandas_alone_and_to_spark_3_alone():
    facts = image(pythons=[python(missing=["distutils"])])
    assert (the_problem(facts).level, the_problem(facts).subject) == ("warning", "python")
    assert problems(facts, Target()) == []


@pytest.mark.parametrize(("pyspark", "clashes"), [("3.4.1", False), ("3.5.0", True)])
def test_a_second_spark_is_worth_a_word(pyspark, clashes):
    found = the_problem(image(pythons=[python(pyspark=pyspark)]))
    assert (found.level, "clash" in found.text) == ("warning", clashes)


def test_the_images_pyspark_python_does_not_count():
    found = the_problem(image(env={"PYSPARK_PYTHON": "/opt/venv/bin/python"}))
    assert found.mend == 'SparkJob(env={"PYSPARK_PYTHON": "/opt/venv/bin/python"})'


# --- how it is started ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hands_on", "level"), [(True, "warning"), (False, "error"), (None, "warning")])
def test_an_entrypoint_has_to_start_what_it_is_given(hands_on, level):
    found = the_problem(image(entrypoint=("tini", "--"), inside={"hands_on": hands_on}))
    assert (found.level, found.subject) == (level, "entrypoint")
    assert "ENTRYPOINT []" in found.mend


def test_command_and_user_are_harmless():
    assert problems(image(command=("sleep", "9"), user="app")) == []


def test_settings_of_the_cluster_are_left_to_it():
    found = the_problem(image(env={"PATH": "/bin", "HADOOP_CONF_DIR": "/etc", "SPARK_HOME": "/opt/spark"}))
    assert found.text.startswith("the image sets HADOOP_CONF_DIR, SPARK_HOME")


def test_a_secret_is_named_and_not_shown():
    found = the_problem(
        image(env={"AWS_SECRET_ACCESS_KEY": "hunter2", "DB_PASSWORD": "hunter2", "TOKEN": ""})
    )
    assert "AWS_SECRET_ACCESS_KEY, DB_PASSWORD" in found.text
    assert "hunter2" not in repr(found)


# --- reading what the engine and the script say -----------------------------------------------------------


def test_an_engine_may_leave_anything_out():
    for told in (
        {},
        {"Config": None},
        {"Config": {"Env": None, "Entrypoint": None, "Cmd": "x"}, "Size": "1"},
    ):
        assert inspected_facts("etl:1", told) == ImageFacts("etl:1")


def test_what_the_engine_says_is_read():
    config = {"Env": ["A=b=c", "EMPTY="], "Entrypoint": ["tini"], "Cmd": ["bash"], "User": "app"}
    told = {"Os": "linux", "Architecture": "arm64", "Size": 7, "Config": config}
    facts = inspected_facts("etl:1", told)
    assert (facts.env, facts.entrypoint, facts.command) == ({"A": "b=c", "EMPTY": ""}, ("tini",), ("bash",))
    assert (facts.os, facts.architecture, facts.size, facts.user) == ("linux", "arm64", 7, "app")


def test_what_the_script_says_is_read():
    inside = read_inside(
        "noise\nemrkit:bash=/bin/bash\nemrkit:lacks=ln\nemrkit:lacks=made up\nemrkit:system='Debian'\n"
        "emrkit:program=java /j/bin/java\nemrkit:link=/k\nemrkit:real=/k/java\nemrkit:code=0\nemrkit:out=v\n"
        "emrkit:program=python /a\nemrkit:code=126\nemrkit:program=python /b\nemrkit:code=oh\n"
        "emrkit:program=python /a\nemrkit:code=1\nemrkit:end=\n"
    )
    assert (inside.bash, inside.lacks, inside.system) == ("/bin/bash", ("ln",), "Debian")
    assert inside.java == Program("/j/bin/java", 0, "v", ("/k",), "/k/java")
    assert [(one.path, one.code) for one in inside.pythons] == [("/a", 126), ("/b", None)]


@pytest.mark.parametrize("text", ["", "emrkit:bash=/bin/bash\n", "whatever\x00\n"])
def test_a_script_that_did_not_get_to_its_end_has_said_nothing(text):
    assert read_inside(text) is None


@pytest.mark.parametrize(
    "out",
    [
        "",
        '{"version"',
        '{"version": "x"}',
        '{"version": [], "missing": 3, "pyspark": 5}',
        '{"version": [9e99]}',
    ],
)
def test_a_python_that_lies_breaks_nothing(out):
    facts = image(pythons=[Program(PYTHON, 0, out)])
    assert all(isinstance(one.text, str) for one in judged(facts))
    assert "error" in {one.level for one in judged(facts)}
