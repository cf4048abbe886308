"""A wheel of modules that no build backend knows."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import zipfile

import pytest

from airflow_provider_emrkit.projects.detect import Project
from airflow_provider_emrkit.projects.errors import PackagingError
from airflow_provider_emrkit.projects.plain_wheel import plain_code, plain_wheel


def held(wheel):
    with zipfile.ZipFile(wheel.path) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_modules_and_packages_are_taken_and_what_is_beside_them_is_not(folder, tmp_path):
    taken = ("main.py", "etl/__init__.py", "etl/deep/steps.py", "etl/query.sql")
    for name in (*taken, "setup.py", "conftest.py", "not-a-name.py", "tests/__init__.py", "plain/x.py"):
        folder.write(name)
    for name in (
        ".hidden.py",
        "etl/.env",
        "etl/.git/config",
        "etl/__pycache__/a.pyc",
        "etl/old.pyc",
        "data.csv",
    ):
        folder.write(name)
    wheel = plain_wheel(Project(folder.root), tmp_path)
    assert held(wheel) == set(taken)
    assert wheel.top_level == ("etl", "main")


def test_those_of_src_are_taken_with_those_beside_it(folder, tmp_path):
    taken = ("src/etl/__init__.py", "src/etl/steps.py", "src/lib.py", "main.py")
    for name in (*taken, "src/not-a-name.py", "src/tests/__init__.py", "src/setup.py"):
        folder.write(name)
    assert held(plain_wheel(Project(folder.root), tmp_path)) == {name.removeprefix("src/") for name in taken}


def test_a_src_that_is_a_package_is_one(folder, tmp_path):
    taken = {"main.py", "src/__init__.py", "src/helpers.py", "src/etl/steps.py"}
    for name in taken:
        folder.write(name)
    wheel = plain_wheel(Project(folder.root), tmp_path)
    assert held(wheel) == taken
    assert wheel.top_level == ("main", "src")
    code = plain_code(folder.root)
    assert (code.left_out, code.has_src) == ((), False)


def test_a_src_that_is_imported_as_a_package_and_is_none_is_told(folder):
    folder.write("src/helpers.py")
    folder.write("main.py", '"""Copies\nfrom src to dst."""\nimport helpers  # not src\n')
    assert plain_code(folder.root).left_out == ()
    folder.write("main.py", "import sys\nfrom src.helpers import work\n")
    (told,) = plain_code(folder.root).left_out
    assert (told.path, told.mend) == ("src", "put an __init__.py into src")
    folder.write("src/__init__.py")
    assert plain_code(folder.root).left_out == ()


@pytest.mark.parametrize(
    ("beside", "of_src"),
    [
        ("main.py", "src/main.py"),
        ("etl/__init__.py", "src/etl.py"),
        ("etl.py", "src/etl/__init__.py"),
        ("etl/__init__.py", "src/etl/__init__.py"),
    ],
)
def test_of_two_of_one_name_that_of_src_is_taken_and_the_other_one_told(folder, tmp_path, beside, of_src):
    folder.write(beside, "import other\n")
    folder.write(of_src, "import this\n")
    wheel = plain_wheel(Project(folder.root), tmp_path)
    name = of_src.removeprefix("src/")
    assert held(wheel) == {name}
    with zipfile.ZipFile(wheel.path) as archive:
        assert archive.read(name) == b"import this\n"
    (told,) = plain_code(folder.root).left_out
    place = of_src.removesuffix("/__init__.py")
    assert (told.path, told.why) == (
        beside.removesuffix("/__init__.py"),
        f"has the name of {place}, which is taken",
    )
    assert not told.may_be_the_job


def test_a_package_is_taken_before_a_module_of_its_name_as_python_does(folder, tmp_path):
    folder.write("etl.py")
    folder.write("etl/__init__.py")
    assert held(plain_wheel(Project(folder.root), tmp_path)) == {"etl/__init__.py"}
    assert [one.path for one in plain_code(folder.root).left_out] == ["etl.py"]


def test_where_each_is_is_known(folder):
    for name in ("main.py", "src/etl/__init__.py", "src/lib.py", "src/main.py"):
        folder.write(name)
    code = plain_code(folder.root)
    assert code.places == {"etl": "src/etl", "lib": "src/lib.py", "main": "src/main.py"}
    assert code.has_src
    assert code.in_src("main")


@pytest.mark.parametrize("name", ["dags", "notebooks", "scripts", "sql", "bin"])
def test_what_is_beside_a_job_is_none_of_it_unless_it_is_a_package(folder, tmp_path, name):
    folder.write("sales.py")
    folder.write(f"{name}/other.py")
    why = "is by its name no part of the job, as it has no __init__.py"
    assert [(one.path, one.why, one.mend) for one in plain_code(folder.root).left_out] == [(name, why, "")]
    assert held(plain_wheel(Project(folder.root), tmp_path)) == {"sales.py"}
    folder.write(f"{name}/__init__.py")
    assert plain_code(folder.root).left_out == ()
    assert f"{name}/other.py" in held(plain_wheel(Project(folder.root), tmp_path))


@pytest.mark.parametrize("place", ["", "src/"])
def test_no_wheel_is_a_package_itself(folder, tmp_path, place):
    folder.write("__init__.py")
    folder.write(f"{place}main.py")
    assert held(plain_wheel(Project(folder.root), tmp_path)) == {"main.py"}
    assert [one.path for one in plain_code(folder.root).left_out] == ["__init__.py"]


def test_code_that_is_left_out_is_told_with_its_reason(folder):
    for name in ("main.py", "etl/__init__.py", "lib/a.py", "src/steps/b.py", "data/x.csv", "daily-job.py"):
        folder.write(name)
    for name in ("tests/test_a.py", "setup.py", "src/1.py", "not-a-name/e.py", "__main__.py"):
        folder.write(name)
    # What is nobody's code, and what an earlier call has written.
    for name in (
        "venv/pyvenv.cfg",
        "venv/c.py",
        ".git/d.py",
        ".x.py",
        "out/package.json",
        "out/entrypoint.py",
    ):
        folder.write(name)
    unnamed = "has a name that Python can't import"
    not_inside = "has no __init__.py: nothing can import from it"
    other = "is by its name no part of the job"
    left_out = plain_code(folder.root).left_out
    assert {one.path for one in left_out if one.may_be_the_job} == {"__main__.py", "daily-job.py", "src/1.py"}
    assert {one.path: (one.why, one.mend) for one in left_out} == {
        "__main__.py": (unnamed, "rename it to main.py"),
        "daily-job.py": (unnamed, "rename it to daily_job.py"),
        "lib": (not_inside, "put an __init__.py into lib"),
        "not-a-name": (unnamed, "rename it to not_a_name"),
        "setup.py": (other, ""),
        "src/1.py": (unnamed, "rename it to job_1.py"),
        "src/steps": (not_inside, "put an __init__.py into steps"),
        "tests": (other, ""),
    }


def test_it_says_what_the_project_says(folder, tmp_path):
    folder.write("main.py")
    project = Project(
        folder.root,
        name="My.ETL_jobs",
        version="1.2",
        requires_python=">=3.10",
        dependencies=("pandas>=2", "broken\nRequires-Dist: evil"),
    )
    wheel = plain_wheel(project, tmp_path)
    assert wheel.path.name == "my_etl_jobs-1.2-py3-none-any.whl"
    assert (wheel.name, wheel.version, wheel.requires_python) == ("my-etl-jobs", "1.2", ">=3.10")
    assert wheel.requires == ("pandas>=2",)


@pytest.mark.parametrize("name", ["../../x", "a b", "é", "-", ""])
def test_a_hostile_name_does_not_lead_out_of_the_directory(folder, tmp_path, name):
    folder.write("main.py")
    wheel = plain_wheel(Project(folder.root, name=name, version="../1"), tmp_path)
    assert wheel.path.parent == tmp_path
    assert wheel.version == "0"


def test_a_link_out_of_a_package_is_not_followed(folder, tmp_path):
    (tmp_path / "secret.txt").write_text("hunter2")
    folder.write("etl/__init__.py")
    (folder.root / "etl/data.txt").symlink_to(tmp_path / "secret.txt")
    assert held(plain_wheel(Project(folder.root), tmp_path)) == {"etl/__init__.py"}


def test_the_same_files_give_the_same_bytes(folder, tmp_path):
    for name in ("b.py", "a.py", "etl/__init__.py"):
        folder.write(name, name)
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    first = plain_wheel(Project(folder.root), tmp_path / "1").path.read_bytes()
    for path in folder.root.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    assert plain_wheel(Project(folder.root), tmp_path / "2").path.read_bytes() == first


def test_pip_takes_it_with_hostile_names_inside(folder, tmp_path):
    folder.write("main.py", "VALUE = 3\n")
    folder.write('etl/a, "b".txt', "x")
    folder.write("etl/__init__.py")
    wheel = plain_wheel(Project(folder.root), tmp_path)
    with zipfile.ZipFile(wheel.path) as archive:
        record = next(name for name in archive.namelist() if name.endswith("/RECORD"))
        rows = list(csv.reader(archive.read(record).decode().splitlines()))
        assert {row[0] for row in rows} == set(archive.namelist())
    there = tmp_path / "there"
    uv = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--target",
        there,
    ]
    subprocess.run([*uv, "--python", sys.executable, wheel.path], check=True)
    assert (there / 'etl/a, "b".txt').read_text() == "x"
    program = "import sys; sys.path.insert(0, sys.argv[1]); import main; print(main.VALUE)"
    ran = subprocess.run([sys.executable, "-c", program, there], capture_output=True, text=True, check=True)
    assert ran.stdout == "3\n"


def test_a_directory_without_modules_is_told(folder, tmp_path):
    folder.write("requirements.txt")
    with pytest.raises(PackagingError, match="holds no modules; put a module there"):
        plain_wheel(Project(folder.root), tmp_path)
    folder.write("conftest.py")
    folder.write("daily-job.py")
    told = "no modules but daily-job.py, which has a name that Python can't import; rename it to daily_job.py"
    with pytest.raises(PackagingError, match=told):
        plain_wheel(Project(folder.root), tmp_path)


def test_its_commands_are_those_that_the_project_lists(folder, tmp_path):
    folder.write("main.py")
    scripts = {
        "etl": "etl.cli:main",
        "a\n[evil]\nb": "x:y",
        "c": "x:y\n[evil]\nd=e:f",
        "my.etl-2": "main:run",
    }
    wheel = plain_wheel(Project(folder.root, scripts=scripts), tmp_path)
    assert dict(wheel.scripts) == {"etl": "etl.cli:main", "my.etl-2": "main:run"}
