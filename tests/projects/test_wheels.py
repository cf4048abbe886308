"""A project's wheel, built by the backend that it names, and what the wheel says."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from airflow_provider_emrkit.projects import programs
from airflow_provider_emrkit.projects.errors import PackagingError
from airflow_provider_emrkit.projects.wheels import EPOCH, build_wheel, read_wheel


@pytest.fixture
def build(folder, tmp_path, scratch, environ):
    made = tmp_path / "made"
    made.mkdir()
    return lambda **more: build_wheel(folder.root, made, scratch, {**environ, **more})


def test_the_projects_own_backend_builds_it(folder, build, tmp_path):
    folder.pyproject(requires=["pandas>=2", "pytest ; extra == 'dev'"], scripts={"etl": "etl.cli:main"})
    for name in ("etl/__init__.py", "etl/cli.py", "other.py"):
        folder.write(f"src/{name}")
    wheel = build()
    assert wheel.path == tmp_path / "made" / "etl-1.0-py3-none-any.whl"
    assert (wheel.name, wheel.version, wheel.tags) == ("etl", "1.0", "py3-none-any")
    assert wheel.requires == ("pandas>=2", "pytest ; extra == 'dev'")
    assert wheel.needs == ("pandas>=2",)
    assert wheel.modules == {"etl", "etl.cli", "other"}
    assert wheel.packages == {"etl"}
    assert wheel.top_level == ("etl", "other")
    assert dict(wheel.scripts) == {"etl": "etl.cli:main"}


@pytest.fixture
def other_disk(tmp_path):
    """A directory on another disk than the tests' own."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other disk")
    with tempfile.TemporaryDirectory(prefix="emrkit-test-", dir=memory) as made:
        yield Path(made)


def test_what_is_left_over_may_be_on_another_disk(folder, tmp_path, other_disk, environ):
    folder.pyproject()
    folder.write("src/etl.py")
    wheel = build_wheel(folder.root, tmp_path, other_disk, environ)
    assert wheel.path == tmp_path / "etl-1.0-py3-none-any.whl"
    assert wheel.modules == {"etl"}


def test_the_project_is_left_as_it_was(folder, build):
    folder.pyproject()
    folder.write("src/etl.py")
    before = folder.names()
    build()
    assert [name for name in folder.names() if "__pycache__" not in name] == before


def test_the_backend_works_outside_of_the_users_environment(folder, build):
    folder.pyproject(backend="import os\nraise SystemExit(repr(sorted(os.environ.items())))\n")
    with pytest.raises(PackagingError) as raised:
        build(PYTHONPATH="/users", VIRTUAL_ENV="/users/venv", SOURCE_DATE_EPOCH="")
    told = str(raised.value)
    assert "/users" not in told


def test_a_date_of_its_own_is_kept(folder, build):
    folder.pyproject(backend="import os\nraise SystemExit('at ' + os.environ['SOURCE_DATE_EPOCH'])\n")
    with pytest.raises(PackagingError, match=f"at {EPOCH}"):
        build()


def test_what_a_failing_backend_wrote_is_told_and_can_do_nothing_to_the_terminal(folder, build):
    folder.pyproject(backend="raise SystemExit('\\x1b[2J ::error:: no header etl.h')\n")
    with pytest.raises(PackagingError) as raised:
        build()
    told = str(raised.value)
    assert told.startswith(f"could not build the wheel of {folder.root}")
    assert "no header etl.h" in told
    assert "\x1b" not in told


def test_a_build_that_makes_no_wheel_is_told(folder, build):
    folder.pyproject(backend="def build_wheel(wheel_directory, *more):\n    return 'x.whl'\n")
    with pytest.raises(PackagingError):
        build()


def test_uv_is_asked_first_then_build_then_pip(tmp_path, monkeypatch):
    there = {"build", "pip"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in there or None)
    project, target = tmp_path / "p", tmp_path / "t"
    assert programs.wheel_builder("/bin/uv", project, target)[:3] == ["/bin/uv", "build", "--wheel"]
    assert programs.wheel_builder(None, project, target)[:4] == [sys.executable, "-m", "build", "--wheel"]
    there.discard("build")
    assert programs.wheel_builder(None, project, target)[:4] == [sys.executable, "-m", "pip", "wheel"]
    there.discard("pip")
    with pytest.raises(PackagingError, match=r"neither uv nor build nor pip is here.*; pip install uv"):
        programs.wheel_builder(None, project, target)


@pytest.mark.parametrize(
    ("told", "is_taken"),
    [
        ("uv 0.9.5", False),
        ("uv 0.6.14 (a4cec56dc 2025-04-09)", False),
        ("uv 0.9.6", True),
        ("uv 0.10.0", True),
    ],
)
def test_a_uv_that_lacks_options_is_told(tmp_path, environ, told, is_taken):
    uv = tmp_path / "uv"
    uv.write_text(f"#!/bin/sh\necho '{told}'\n")
    uv.chmod(0o755)
    there = {**environ, "PATH": f"{tmp_path}:{environ['PATH']}"}
    if is_taken:
        assert programs.find_uv(there) == str(uv)
        return
    with pytest.raises(
        PackagingError, match=rf"uv is {told[:6]}.*, and 0.9.6 or newer is needed; pip install -U uv"
    ):
        programs.find_uv(there)


def test_the_extra_brings_a_uv_that_is_new_enough():
    setup = Path(__file__).parents[2] / "setup.cfg"
    assert f"uv>={programs.OLDEST_UV}" in setup.read_text().split()


def test_a_program_that_hangs_is_ended_and_told(environ, monkeypatch):
    monkeypatch.setattr(programs, "TIMEOUT", 0.2)
    with pytest.raises(PackagingError, match=r"could not wait: .* took longer than 0 s; run it by hand"):
        programs.run_program([sys.executable, "-c", "import time; time.sleep(60)"], environ, "wait")


def test_a_program_that_can_not_be_started_is_told(environ, tmp_path):
    with pytest.raises(PackagingError, match=r"could not run it: .*No such file"):
        programs.run_program([str(tmp_path / "none")], environ, "run it")


# --- reading ----------------------------------------------------------------------------------------------


def written(tmp_path, files):
    path = tmp_path / "etl-1.0-cp311-cp311-linux_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_a_wheel_for_some_machines_says_so(tmp_path):
    path = written(
        tmp_path, {"etl-1.0.dist-info/METADATA": "Name: etl\nVersion: 1.0\nRequires-Python: >=3.11\n"}
    )
    wheel = read_wheel(path)
    assert wheel.tags == "cp311-cp311-linux_x86_64"
    assert wheel.requires_python == ">=3.11"


def test_names_that_python_can_not_import_are_no_modules(tmp_path):
    metadata = {"etl-1.0.dist-info/METADATA": "Name: etl\n"}
    names = ("../evil.py", "etl-1.0.data/scripts/run.py", "a b.py", "etl/1.py", "etl/ok.py", "etl/data.txt")
    wheel = read_wheel(written(tmp_path, {**metadata, **dict.fromkeys(names, "")}))
    assert wheel.modules == {"etl.ok"}


@pytest.mark.parametrize("more", [" [aws]\n", "\n[gui_scripts]\nb = c:d\n"])
def test_scripts_are_read_without_their_extras(tmp_path, more):
    points = f"[console_scripts]\na = x.y:z{more}"
    files = {"e.dist-info/METADATA": "Name: e\n", "e.dist-info/entry_points.txt": points}
    assert dict(read_wheel(written(tmp_path, files)).scripts) == {"a": "x.y:z"}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken"])
def test_what_is_no_wheel_is_told(tmp_path, content):
    path = tmp_path / "etl.whl"
    path.write_bytes(content)
    with pytest.raises(PackagingError, match=r"etl.whl is no wheel that can be read"):
        read_wheel(path)
