from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from airflow_provider_emrkit.projects.errors import PackagingError
from airflow_provider_emrkit.projects.interpreter import Interpreter, copy_interpreter, find_interpreter


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path):
    """A machine whose uv knows what a test says; gives uv's program, and what uv was asked."""
    facts = json.dumps(["/opt/managed", "3.11", "3.11.9", "linux", "x86_64"])
    managed = script(tmp_path / "managed", f"echo '{facts}'")
    other = script(tmp_path / "other", f"echo '{facts.replace('managed', 'other')}'")

    def make(*, has_managed=False, installs=False, has_other=False):
        ready = tmp_path / "installed"
        if has_managed:
            ready.touch()
        uv = script(
            tmp_path / "uv",
            f"""echo "$*" >> {tmp_path}/asked
case "$*" in
  *install*) {"touch " + str(ready) if installs else "echo 'no way there' >&2; exit 2"} ;;
  *--managed-python*) test -e {ready} && echo {managed} || exit 2 ;;
  *) {"echo " + str(other) if has_other else "exit 2"} ;;
esac""",
        )
        return str(uv), tmp_path / "asked"

    return make


def test_a_python_of_uvs_is_taken_before_all_others(machine):
    uv, asked = machine(has_managed=True, has_other=True)
    found = find_interpreter(uv, "3.11", os.environ, lambda _: None)
    assert (found.prefix, found.version, found.full_version) == (Path("/opt/managed"), "3.11", "3.11.9")
    assert found.managed
    assert len(asked.read_text().splitlines()) == 1


def test_one_that_is_not_there_is_installed(machine):
    uv, _ = machine(installs=True, has_other=True)
    said: list[str] = []
    assert find_interpreter(uv, "3.11", os.environ, said.append).managed
    assert said == ["no Python 3.11 of uv's here: uv python install 3.11"]


def test_one_of_this_machine_is_taken_where_it_can_not_be_installed(machine):
    uv, _ = machine(has_other=True)
    said: list[str] = []
    found = find_interpreter(uv, "3.11", os.environ, said.append)
    assert (found.prefix, found.managed) == (Path("/opt/other"), False)
    assert said[-1] == "uv could not install it, one of this machine is taken instead (no way there)"


def test_where_there_is_none_the_mend_is_told(machine):
    uv, _ = machine()
    with pytest.raises(
        PackagingError, match=r"there is no Python 3\.11 on this machine; .*uv python install"
    ):
        find_interpreter(uv, "3.11", os.environ, lambda _: None)


def test_a_path_names_a_python_and_its_environment_stands_for_it():
    found = find_interpreter("uv", sys.executable, os.environ, lambda _: None)
    assert found.prefix == Path(sys.base_prefix)
    assert found.version == f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.mark.parametrize(("machine_name", "architecture"), [("aarch64", "arm64"), ("x86_64", "x86_64")])
def test_the_architecture_is_named_as_emr_does(machine_name, architecture):
    assert Interpreter(Path("/p"), "3.11", "3.11.9", "linux", machine_name).architecture == architecture


# --- the copy ---------------------------------------------------------------------------------------------


@pytest.fixture
def prefix(tmp_path):
    """A Python that is installed, with what a copy leaves behind."""
    root = tmp_path / "prefix"
    library = root / "lib" / "python3.11"
    for name in (
        "os.py",
        "json/decoder.py",
        "json/__pycache__/x.pyc",
        "test/test_os.py",
        "unittest/test/a.py",
    ):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).touch()
    for name in ("site-packages/pip/x.py", "config-3.11/libpython.a", "tkinter/a.py", "EXTERNALLY-MANAGED"):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).touch()
    (root / "bin").mkdir()
    script(root / "bin" / "python3.11", "true")
    script(root / "bin" / "pip", "true")
    (library / "absolute.py").symlink_to(library / "os.py")
    return root


def interpreter(prefix: Path) -> Interpreter:
    return Interpreter(prefix, "3.11", "3.11.9", "linux", "x86_64")


def test_a_copy_has_what_a_job_needs(prefix, tmp_path):
    copy = tmp_path / "copy"
    copy_interpreter(interpreter(prefix), copy)
    files = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if not path.is_dir()}
    assert files == {
        *("bin/python", "bin/python3", "bin/python3.11"),
        *(f"lib/python3.11/{name}" for name in ("os.py", "absolute.py", "json/decoder.py")),
    }
    assert (copy / "bin" / "python").readlink() == Path("python3.11")
    assert (copy / "lib" / "python3.11" / "absolute.py").readlink() == Path("os.py")
    assert (copy / "lib" / "python3.11" / "site-packages").is_dir()


def test_a_program_that_is_a_link_is_copied_itself(prefix, tmp_path):
    real = (prefix / "bin" / "python3.11").rename(tmp_path / "elsewhere")
    (prefix / "bin" / "python3.11").symlink_to(real)
    copy_interpreter(interpreter(prefix), tmp_path / "copy")
    assert not (tmp_path / "copy" / "bin" / "python3.11").is_symlink()


def test_the_systems_python_and_one_without_a_library_are_refused(tmp_path):
    with pytest.raises(
        PackagingError, match="is the system's own, and can't be taken along; take one of uv's"
    ):
        copy_interpreter(interpreter(Path("/usr")), tmp_path / "copy")
    with pytest.raises(PackagingError, match="has no standard library in"):
        copy_interpreter(interpreter(tmp_path), tmp_path / "copy")
