"""A Spark, a Java and a Python that fit together."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from airflow_provider_emrkit.localemr.spark import python as python_module
from airflow_provider_emrkit.localemr.spark import software as module
from airflow_provider_emrkit.localemr.spark.install import InstallError, NotPublishedError
from airflow_provider_emrkit.localemr.spark.java import Java
from airflow_provider_emrkit.localemr.spark.python import find_python
from airflow_provider_emrkit.localemr.spark.software import check_label, install_software
from airflow_provider_emrkit.localemr.spark.versions import UnsupportedReleaseError, candidates
from airflow_provider_emrkit.releases import known_labels

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = {"PATH": ""}


def make_java_8(home: Path) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_412\"' >&2\n")
    (home / "bin" / "java").chmod(0o755)
    return home


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine that has every Java, Spark and Python, except what a test takes away."""
    missing: dict[str, Exception] = {}

    def find_java(majors, *_):
        if "java" in missing:
            raise missing["java"]
        return Java(tmp_path, majors[0], str(majors[0]))

    def spark_home(spark, *_):
        if spark.version in missing:
            raise missing[spark.version]
        return tmp_path / spark.version

    monkeypatch.setattr(module, "find_java", find_java)
    monkeypatch.setattr(module, "spark_home", spark_home)
    monkeypatch.setattr(module, "has_java", lambda majors, environ: True)
    monkeypatch.setattr(module, "find_python", lambda spark: tmp_path / "python")
    return missing


@pytest.mark.parametrize("label", ["emr-5.36.2", "emr-6.0.0"])
def test_a_release_that_needs_java_8_is_refused_with_the_mend(label, monkeypatch):
    monkeypatch.setattr("airflow_provider_emrkit.localemr.spark.java._system_homes", lambda env: [])
    with pytest.raises(UnsupportedReleaseError, match=r"Java 8: .* EMRKIT_JAVA_8_HOME .* emr-6\.1\.0"):
        check_label(label, NOTHING)


@pytest.mark.parametrize("variable", ["EMRKIT_JAVA_8_HOME", "EMRKIT_JAVA_HOME", "JAVA_HOME"])
def test_it_runs_where_a_java_8_is_named(variable, tmp_path):
    home = make_java_8(tmp_path / "jre8")
    check_label("emr-5.36.2", {**NOTHING, variable: str(home)})


def test_what_is_named_as_java_8_must_be_one(tmp_path):
    home = make_java_8(tmp_path / "jre")
    (home / "release").write_text('JAVA_VERSION="17.0.1"\n')
    with pytest.raises(UnsupportedReleaseError, match=r"EMRKIT_JAVA_8_HOME: .* is Java 17"):
        check_label("emr-5.36.2", {**NOTHING, "EMRKIT_JAVA_8_HOME": str(home)})


def test_every_later_release_runs_without_any_setting():
    for label in known_labels():
        if not label.startswith(("emr-4.", "emr-5.", "emr-6.0.")):
            check_label(label, NOTHING)


def test_the_exact_spark_needs_no_notice(machine, tmp_path):
    told: list[str] = []
    software = install_software("emr-6.9.0", tmp_path, told.append)
    assert (software.spark.version, software.notice, told) == ("3.3.0", "", [])


def test_the_nearest_runs_when_the_exact_one_is_not_published_and_it_is_said(machine, tmp_path):
    machine["3.3.0"] = NotPublishedError("no 3.3.0")
    told: list[str] = []
    software = install_software("emr-6.9.0", tmp_path, told.append)
    assert software.spark.version == "3.3.4"
    assert told == [software.notice]
    assert software.notice == (
        "emr-6.9.0 holds Spark 3.3.0; Spark 3.3.4 runs instead, the nearest that can run here"
    )


@pytest.mark.parametrize("what", ["3.3.0", "java"])
def test_a_network_that_is_away_does_not_change_the_spark(machine, tmp_path, what):
    machine[what] = InstallError("the package index can't be reached")
    with pytest.raises(InstallError, match="can't be reached"):
        install_software("emr-6.9.0", tmp_path, lambda _: None)


def test_the_first_thing_that_is_missing_is_said_when_nothing_can_be_had(machine, tmp_path):
    machine["java"] = NotPublishedError("no Java")
    with pytest.raises(InstallError, match="no Java"):
        install_software("emr-6.9.0", tmp_path, lambda _: None)


def test_a_spark_without_its_python_gives_way_to_a_later_one(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_python", lambda spark: (spark.version == "3.5.9" and tmp_path) or None)
    assert install_software("emr-6.9.0", tmp_path, lambda _: None).spark.version == "3.5.9"


def test_no_python_at_all_is_said_with_the_mend(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_python", lambda spark: None)
    with pytest.raises(InstallError, match=r"no Python 3\.7 to 3\.10 .* 'uv python install 3\.10'"):
        install_software("emr-6.9.0", tmp_path, lambda _: None)


def test_spark_2_runs_jars_without_a_python_of_its_time(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_python", lambda spark: None)
    software = install_software("emr-5.36.2", tmp_path, lambda _: None)
    assert software.spark.version == "2.4.8"
    assert "jars run, PySpark doesn't" in software.notice


def test_pyenvs_pythons_are_found_whichever_it_is_switched_to(tmp_path, monkeypatch):
    monkeypatch.setattr(python_module, "_known_to_uv", lambda spark, env: None)
    for version in ("3.6.15", "3.9.2", "3.10.1", "3.10.13", "3.11.7", "pypy-7"):
        program = tmp_path / "versions" / version / "bin" / "python"
        program.parent.mkdir(parents=True)
        program.touch(0o755)
    environ = {"PYENV_ROOT": str(tmp_path)}
    found = find_python(candidates("emr-6.9.0")[0], environ)
    assert found == tmp_path / "versions" / "3.10.13" / "bin" / "python"
    assert find_python(candidates("emr-6.9.0")[0], {"HOME": str(tmp_path)}) is None


@pytest.mark.skipif(sys.version_info[:2] > (3, 13), reason="Spark 3.5 takes Python up to 3.13")
def test_our_own_python_is_used_when_it_fits():
    assert find_python(candidates("emr-7.11.0")[0]) == python_module.own_python()
