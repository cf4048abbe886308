"""The Dockerfile's text: what it begins with, which Python it has, what it leaves out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from airflow_provider_emrkit import localemr
from airflow_provider_emrkit.images.dockerfile import dockerignore
from airflow_provider_emrkit.images.pythons import chosen_python, version_of
from airflow_provider_emrkit.images.requirements import Libraries
from airflow_provider_emrkit.images.spark_needs import needs_of, release_with_images
from airflow_provider_emrkit.images.yarn_dockerfile import Recipe, dockerfile
from airflow_provider_emrkit.releases import known_labels, release
from airflow_provider_emrkit.validation import InvalidValueError

LISTED = Libraries("requirements", "requirements.txt", ("requirements.txt",))


def text_of(label="emr-6.15.0", python="3.11", libraries=LISTED, **options):
    return dockerfile(Recipe(release(label), python, libraries, **options))


def instructions(text):
    joined = re.sub(r"\\\n\s*", "", text)
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


# --- which release, which Python --------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["emr-5.36.0", "emr-7.5.0", "emr-spark-8.0.0"])
def test_a_release_that_does_not_run_images_is_refused_with_what_to_use(label):
    with pytest.raises(InvalidValueError, match=r"does not run jobs in images of their own; use (an )?emr-6"):
        release_with_images(label)


def test_emr_7_is_taken_when_asked_for_explicitly():
    assert release_with_images("emr-7.5.0", experimental_emr7=True).java == "17"


@pytest.mark.parametrize(
    ("label", "python"),
    [
        ("emr-6.0.0", "3.7"),
        ("emr-6.2.0", "3.8"),
        ("emr-6.5.0", "3.9"),
        ("emr-6.10.0", "3.10"),
        ("emr-6.15.0", "3.11"),
    ],
)
def test_the_newest_python_that_the_releases_spark_takes_is_chosen(label, python):
    assert chosen_python(release(label), None) == python


def test_a_project_that_does_not_take_the_newest_gets_the_newest_it_takes():
    assert chosen_python(release("emr-6.15.0"), None, ">=3.9,<3.11") == "3.10"
    assert chosen_python(release("emr-6.15.0"), None, ">=3.11.4") == "3.11"


@pytest.mark.parametrize(
    ("wanted", "project", "told"),
    [
        ("3.12", "", r"Spark 3\.4\.1 of emr-6\.15\.0 takes; use one of 3\.7 to 3\.11"),
        ("3.6", "", "use one of"),
        ("3.11.9", "<3.11", "the project asks for <3.11"),
        (None, ">=3.12", r"leaves no Python that Spark 3\.4\.1"),
        (None, "three", "is no range of versions"),
    ],
)
def test_a_python_that_spark_or_the_project_does_not_take_is_refused(wanted, project, told):
    with pytest.raises(InvalidValueError, match=told):
        chosen_python(release("emr-6.15.0"), wanted, project)


def test_every_release_that_runs_images_has_a_dockerfile():
    labels = [label for label in known_labels() if release(label).supports("docker")]
    assert len(labels) > 20
    for label in labels:
        assert instructions(text_of(label, chosen_python(release(label), None)))


def test_what_spark_needs_is_within_what_localemr_runs_it_with():
    table = json.loads((Path(localemr.__file__).parent / "spark" / "versions.json").read_text())["minors"]
    for minor, told in table.items():
        needs = needs_of(f"{minor}.0")
        oldest, newest = map(version_of, told["python"])
        assert oldest == needs.oldest, minor
        assert needs.newest <= newest, minor


# --- the text ---------------------------------------------------------------------------------------------


def test_a_python_of_its_own_lies_where_any_user_sees_it_and_is_the_one_that_emr_starts():
    text = text_of()
    assert "UV_PYTHON_INSTALL_DIR=/opt/python" in text
    assert "uv python install 3.11" in text
    assert "chmod -R a+rX /opt/python" in text
    assert "ln -sf /opt/python/current/bin/python3 /usr/bin/python3" in text
    assert not [line for line in instructions(text) if "/root" in line]


def test_a_patch_of_python_is_pinned_where_it_is_given():
    assert "uv python install 3.11.9" in text_of(python="3.11.9")
    assert "uv python install 3.9.18" in text_of(python="3.9.18")


@pytest.mark.parametrize(
    ("label", "python", "base"),
    [
        ("emr-6.15.0", "3.11", "8-al2023-jdk"),
        ("emr-6.15.0", "3.9", "8-al2023-jdk"),
        ("emr-6.0.0", "3.7", "8-al2-jdk"),
        ("emr-7.5.0", "3.11", "17-al2023-jdk"),
    ],
)
def test_it_begins_with_the_releases_java(label, python, base):
    assert f"FROM public.ecr.aws/amazoncorretto/amazoncorretto:{base} AS base\n" in text_of(label, python)


@pytest.mark.parametrize(("label", "python"), [("emr-6.15.0", "3.9"), ("emr-6.0.0", "3.7")])
def test_the_systems_python_is_taken_where_it_is_what_is_wanted(label, python):
    text = text_of(label, python)
    assert "uv python install" not in text
    assert "--python /usr/bin/python3 --target /opt/libraries" in text
    assert "ln -sf" not in text
    assert "RUN test -x /usr/bin/python3 || (yum install -y python3 && yum clean all)" in text


def test_a_python_that_nobody_can_install_is_refused():
    with pytest.raises(InvalidValueError, match=r"use 3[.]7, which Amazon Linux 2 has"):
        text_of("emr-6.5.0", "3.6")
    with pytest.raises(InvalidValueError, match="without --base"):
        text_of("emr-6.0.0", "3.7", base="mine:1")


def test_pyspark_stays_out_also_where_another_library_asks_for_it():
    assert "--excludes /tmp/excluded.txt -r requirements.txt" in text_of()
    assert "printf '%s\\n' pyspark py4j > /tmp/excluded.txt" in text_of()


def test_nothing_stands_in_the_way_of_what_yarn_starts():
    for line in instructions(text_of()):
        assert not re.match(r"ENTRYPOINT|CMD|USER|ENV (SPARK|HADOOP|PYTHON)", line)


def test_the_last_stage_has_neither_uv_nor_caches_nor_the_files_of_the_build():
    last = text_of().rpartition("FROM base\n")[2]
    assert instructions(last)[0] == "COPY --from=libraries /opt/python /opt/python"
    assert len(instructions(last)) == 2


def test_a_mirror_can_be_given_to_the_build():
    for python in ("3.11", "3.9"):
        lines = instructions(text_of(python=python))
        assert lines.index("ARG UV_DEFAULT_INDEX") > lines.index("FROM base AS libraries")


def test_what_changes_seldom_comes_first():
    lines = instructions(text_of())
    order = [
        lines.index(next(line for line in lines if word in line))
        for word in ("python install", "COPY requ", "pip install")
    ]
    assert order == sorted(order)


def test_files_of_one_directory_are_copied_at_once_and_to_their_own_paths():
    copies = ("a/r.txt", "a/more.txt", "limits.txt", "wheels/etl.whl", "wheels/")
    lines = instructions(text_of(libraries=Libraries("requirements", "a/r.txt", copies)))
    assert [line for line in lines if line.startswith("COPY") and "--from" not in line] == [
        "COPY a/r.txt a/more.txt ./a/",
        "COPY limits.txt ./",
        "COPY wheels/ ./wheels/",
    ]


def test_a_lock_is_exported_as_it_is():
    text = text_of(
        libraries=Libraries("uv.lock", "app/pyproject.toml", ("app/pyproject.toml", "app/uv.lock"))
    )
    assert "uv export --quiet --project app --python /opt/python/current/bin/python3 --frozen" in text
    assert "-r /tmp/locked.txt" in text


def test_no_group_of_a_developers_environment_is_exported():
    files = ("pyproject.toml", "uv.lock")
    text = text_of(libraries=Libraries("uv.lock", files[0], files))
    assert "--no-default-groups --no-emit-project" in text


def test_git_is_only_in_the_stage_that_needs_it():
    text = text_of(libraries=Libraries("requirements", "r.txt", ("r.txt",), needs_git=True))
    assert "RUN yum install -y git" in text
    assert "git" not in text.rpartition("FROM base\n")[2]


def test_without_libraries_it_says_how_to_get_some():
    for python in ("3.11", "3.9"):
        text = text_of(python=python, libraries=Libraries())
        assert "emrkit image new --requirements requirements.txt --force" in text
        assert "pip install" not in text


def test_an_architecture_that_was_given_is_that_of_all_it_begins_with():
    stages = [line for line in instructions(text_of(arch="arm64")) if line.startswith("FROM")]
    assert [stage.split()[1] for stage in stages] == ["--platform=linux/arm64"] * 2 + ["base"] * 2


def test_another_base_is_taken_as_it_is():
    text = text_of(base="registry.example.com/java:8")
    assert "FROM registry.example.com/java:8 AS base" in text
    assert "It has to have bash, Java and JAVA_HOME" in text


def test_a_build_sees_nothing_that_is_not_copied():
    recipe = Recipe(release("emr-6.15.0"), "3.11", Libraries("requirements", "r.txt", ("r.txt", "wheels/")))
    assert dockerignore(recipe.libraries.copies).splitlines()[1:] == ["*", "!r.txt", "!wheels"]


def test_its_lines_are_short_enough_to_read():
    for python in ("3.11", "3.9"):
        assert max(map(len, text_of(python=python).splitlines())) <= 120
