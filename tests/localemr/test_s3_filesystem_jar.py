"""The committed jar of the ``s3://`` file system: what is in it, and that it fits its sources."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]


@pytest.fixture
def build_jar(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_jar", ROOT / "dev" / "build_jar.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "build_jar", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copies(build_jar: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script, working on copies of jar and sources, on a machine without javac."""
    shutil.copytree(build_jar.SOURCES, tmp_path / "java")
    shutil.copy(build_jar.JAR, tmp_path)
    monkeypatch.setattr(build_jar, "SOURCES", tmp_path / "java")
    monkeypatch.setattr(build_jar, "JAR", tmp_path / build_jar.JAR.name)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return build_jar


def test_the_jar_was_built_from_these_sources(build_jar: ModuleType) -> None:
    build_jar.check_sources(build_jar.entries_of(build_jar.JAR))


def test_the_jar_is_small_and_in_order(build_jar: ModuleType) -> None:
    with zipfile.ZipFile(build_jar.JAR) as jar:
        names = jar.namelist()
        times = {info.date_time for info in jar.infolist()}
    assert names[0] == "META-INF/MANIFEST.MF"
    assert names == sorted(names)
    assert times == {(1980, 1, 1, 0, 0, 0)}
    assert build_jar.JAR.stat().st_size < 100 * 1024


def test_every_class_runs_on_java_8(build_jar: ModuleType) -> None:
    entries = build_jar.entries_of(build_jar.JAR)
    classes = {name: content for name, content in entries.items() if name.endswith(".class")}
    assert {"org/emrkit/s3/LocalS3FileSystem.class", "org/emrkit/s3/LocalS3.class"} <= set(classes)
    assert {int.from_bytes(content[6:8], "big") for content in classes.values()} == {52}


def test_the_jar_holds_nothing_but_our_classes(build_jar: ModuleType) -> None:
    names = set(build_jar.entries_of(build_jar.JAR)) - {build_jar.MANIFEST, build_jar.DIGESTS}
    assert [name for name in names if not name.startswith(("org/emrkit/hdfs/", "org/emrkit/s3/"))] == []


def test_the_same_entries_give_the_same_bytes(build_jar: ModuleType, tmp_path: Path) -> None:
    entries = build_jar.entries_of(build_jar.JAR)
    build_jar.write_jar(tmp_path / "one.jar", entries)
    build_jar.write_jar(tmp_path / "two.jar", dict(reversed(entries.items())))
    assert (tmp_path / "one.jar").read_bytes() == (tmp_path / "two.jar").read_bytes()


def test_check_passes_without_a_compiler(copies: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert copies.main(["--check"]) == 0
    assert "no javac here to compare the classes" in capsys.readouterr().out


def change(sources: Path) -> str:
    (sources / "org/emrkit/s3/Body.java").write_text("package org.emrkit.s3;\n")
    return "org/emrkit/s3/Body.java"


def add(sources: Path) -> str:
    (sources / "org/emrkit/s3/New.java").write_text("package org.emrkit.s3;\n")
    return "org/emrkit/s3/New.java"


def remove(sources: Path) -> str:
    (sources / "org/emrkit/s3/Body.java").unlink()
    return "org/emrkit/s3/Body.java"


@pytest.mark.parametrize("edit", [change, add, remove])
def test_check_names_the_source_that_is_newer(
    copies: ModuleType, capsys: pytest.CaptureFixture[str], edit: object
) -> None:
    name = edit(copies.SOURCES)  # type: ignore[operator]
    assert copies.main(["--check"]) == 1
    assert f"is older than its sources ({name}); run: python dev/build_jar.py" in capsys.readouterr().err


def test_line_ends_of_another_system_do_not_matter(copies: ModuleType) -> None:
    source = copies.SOURCES / "org/emrkit/s3/Body.java"
    source.write_bytes(source.read_bytes().replace(b"\n", b"\r\n"))
    assert copies.main(["--check"]) == 0


def test_check_names_a_class_that_was_tampered_with(build_jar: ModuleType) -> None:
    entries = build_jar.entries_of(build_jar.JAR)
    other = {**entries, "org/emrkit/s3/Body.class": b"other"}
    with pytest.raises(build_jar.BuildError, match=r"differs from a rebuild \(org/emrkit/s3/Body.class\)"):
        build_jar.check_classes(other, entries)


def test_classes_of_another_compiler_are_compared_by_name(build_jar: ModuleType) -> None:
    entries = build_jar.entries_of(build_jar.JAR)
    newer = {**entries, build_jar.MANIFEST: b"Build-Jdk-Spec: 99", "org/emrkit/s3/Body.class": b"other"}
    assert build_jar.check_classes(entries, newer) == "it holds the classes of a rebuild"


def test_building_without_a_compiler_says_what_to_install(
    copies: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert copies.main([]) == 1
    assert "no javac; install a JDK 11 or newer" in capsys.readouterr().err


def test_a_missing_jar_is_named(copies: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    copies.JAR.unlink()
    assert copies.main(["--check"]) == 1
    assert "emrkit-s3.jar does not exist" in capsys.readouterr().err
