"""The ``java`` that Spark's scripts find."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from airflow_provider_emrkit.localemr.spark.java import Java
from airflow_provider_emrkit.localemr.spark.launcher import ARCHIVE_OPTIONS, make_java_home

if TYPE_CHECKING:
    from pathlib import Path


# Java writes it to /tmp, whatever TMPDIR says.
NO_PERFORMANCE_FILE = "-XX:-UsePerfData"


@pytest.fixture
def run(tmp_path: Path):
    """Run the launcher around a ``java`` that prints its arguments, one a line."""
    real = tmp_path / "real java"
    (real / "bin").mkdir(parents=True)
    (real / "bin" / "java").write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    (real / "bin" / "java").chmod(0o755)
    (real / "bin" / "jps").write_text("")
    (real / "release").write_text('JAVA_VERSION="17.0.9"\nMODULES="java.base"\n')
    (tmp_path / "conf").mkdir()
    home = make_java_home(Java(real, 17, "17.0.9"), tmp_path / "home", tmp_path / "an archive.jsa")

    def call(*args: str, **env: str) -> list[str]:
        done = subprocess.run(
            [home / "bin" / "java", *args],
            env={"PATH": os.defpath, **env},
            capture_output=True,
            text=True,
            check=True,
        )
        # The first one is always ours.
        assert done.stdout.splitlines()[0] == NO_PERFORMANCE_FILE
        return done.stdout.splitlines()[1:]

    return call


@pytest.mark.parametrize("args", [["-version"], ["-Dx=a b", "Main", "", "--master", "*"]])
def test_arguments_pass_as_they_are(run, args):
    assert run(*args) == args


def test_the_module_that_a_trimmed_java_lacks_is_not_asked_for(run):
    assert run("--add-modules=jdk.incubator.vector", "Main") == ["Main"]


def test_the_configuration_directory_goes_behind_the_jars(run, tmp_path):
    conf = f"{tmp_path}/conf"
    path = f"/s3.jar:{conf}/:/jars/*"
    assert run("-cp", path, "Main", SPARK_CONF_DIR=conf) == ["-cp", f"/s3.jar:/jars/*:{conf}/", "Main"]


def test_a_configuration_directory_that_is_not_there_is_dropped(run, tmp_path):
    conf = f"{tmp_path}/none"
    assert run("-cp", f"/s3.jar:{conf}/:/jars/*", "Main", SPARK_CONF_DIR=conf) == [
        "-cp",
        "/s3.jar:/jars/*",
        "Main",
    ]


def test_the_archive_is_named_once_it_is_there(run, tmp_path):
    conf = f"{tmp_path}/conf"
    assert not any("SharedArchiveFile" in arg for arg in run("-cp", "/a", "Main", SPARK_CONF_DIR=conf))
    (tmp_path / "an archive.jsa").touch()
    assert f"-XX:SharedArchiveFile={tmp_path}/an archive.jsa" in run("-cp", "/a", "Main", SPARK_CONF_DIR=conf)
    made = run("-cp", "/a", "Main", SPARK_CONF_DIR=conf, **{ARCHIVE_OPTIONS: "-XX:ArchiveClassesAtExit=x"})
    assert "-XX:ArchiveClassesAtExit=x" in made
    assert not any("SharedArchiveFile" in arg for arg in made)


def test_temporary_files_go_where_the_environment_says(run):
    assert run("-Djava.io.tmpdir=/mine", "Main", TMPDIR="/a b") == [
        "-Djava.io.tmpdir=/a b",
        "-Djava.io.tmpdir=/mine",
        "Main",
    ]


def test_the_rest_of_java_is_there(run, tmp_path):
    assert (tmp_path / "home" / "bin" / "jps").exists()
    assert (tmp_path / "home" / "release").exists()


def test_of_a_spark_of_a_commands_own_the_shared_jars_are_named(run, tmp_path):
    conf, own = f"{tmp_path}/conf", f"{tmp_path}/own spark"
    path = f"/s3.jar:{conf}/:{own}/jars/*:/last.jar"
    named = run("-cp", path, "Main", SPARK_CONF_DIR=conf, SPARK_HOME=own, EMRKIT_SPARK_HOME="/shared/spark")
    assert named == ["-cp", f"/s3.jar:/shared/spark/jars/*:/last.jar:{conf}/", "Main"]
