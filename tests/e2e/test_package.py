"""``emrkit package`` with the build backends that people use, from PyPI; and with Kedro."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile

import pytest

from airflow_provider_emrkit import cli

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

UV = (sys.executable, "-m", "uv")
PROJECT = """
[project]
name = "etl-jobs"
version = "1.2"
description = "Jobs."
requires-python = ">=3.9"
dependencies = ["haversine>=2", "pyspark>=3.5"]
[project.optional-dependencies]
dev = ["pytest"]
[project.scripts]
etl-jobs = "etl_jobs.cli:main"
"""
BACKENDS = {
    "setuptools": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
    "hatchling": '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
    "poetry": '[build-system]\nrequires = ["poetry-core>=2"]\nbuild-backend = "poetry.core.masonry.api"\n',
    "flit": '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n',
    "uv": '[build-system]\nrequires = ["uv_build"]\nbuild-backend = "uv_build"\n',
}
CLI = "import sys\nimport haversine\ndef main():\n    print('ran', sys.argv[1:])\n    return 3\n"


@pytest.fixture
def project(tmp_path):
    """A project of a backend's, with a package in ``src``."""

    def made(backend):
        root = tmp_path / "project"
        package = root / "src" / "etl_jobs"
        package.mkdir(parents=True)
        (root / "pyproject.toml").write_text(BACKENDS[backend] + PROJECT)
        (package / "__init__.py").write_text('"""ETL."""\n')
        (package / "cli.py").write_text(CLI)
        return root

    return made


def package(root, *words):
    assert cli.main(["package", str(root), *map(str, words)]) == 0
    output = root / "dist" / "emrkit"
    return output, json.loads((output / "package.json").read_text())


def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        files = (name for name in archive.namelist() if not name.endswith("/"))
        return {name for name in files if ".dist-info" not in name}


def libraries(output):
    lines = (output / "requirements.txt").read_text().splitlines()
    return [line.split("==")[0] for line in lines if line[:1] not in ("#", " ", "")]


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_builds_the_same_bytes_each_time_and_leaves_the_project_alone(project, backend):
    root = project(backend)
    sources = sorted(path for path in root.rglob("*"))
    output, manifest = package(root)
    first = {path.name: path.read_bytes() for path in output.iterdir()}
    assert names(output / manifest["wheel"]) == {"etl_jobs/__init__.py", "etl_jobs/cli.py"}
    assert manifest["module"] == "etl_jobs.cli:main"
    assert libraries(output) == ["haversine"]
    kept = [path for path in sorted(root.rglob("*")) if "dist" not in path.relative_to(root).parts]
    assert kept == sources
    for path in sources:
        os.utime(path, (1_700_000_000, 1_700_000_000))
    package(root)
    assert {path.name: path.read_bytes() for path in output.iterdir()} == first


def test_a_module_that_was_deleted_is_not_in_the_next_wheel(project):
    root = project("setuptools")
    extra = root / "src" / "etl_jobs" / "extra.py"
    extra.write_text("")
    # As an earlier build by other means leaves it.
    left = root / "build" / "lib" / "etl_jobs"
    left.mkdir(parents=True)
    (left / "extra.py").write_text("")
    extra.unlink()
    output, manifest = package(root)
    assert names(output / manifest["wheel"]) == {"etl_jobs/__init__.py", "etl_jobs/cli.py"}


def test_without_uv_build_makes_the_wheel(project, monkeypatch):
    monkeypatch.setattr("airflow_provider_emrkit.projects.wheels.find_uv", lambda environ: None)
    output, manifest = package(project("flit"))
    assert names(output / manifest["wheel"]) == {"etl_jobs/__init__.py", "etl_jobs/cli.py"}


def test_uvs_lock_is_what_is_installed(project, capsys):
    root = project("uv")
    text = (root / "pyproject.toml").read_text()
    (root / "pyproject.toml").write_text(text.replace("haversine>=2", "haversine<2.9"))
    subprocess.run([*UV, "lock", "--quiet", "--project", root], check=True)
    # Whatever is published meanwhile, and though the project would take it.
    lock = (root / "uv.lock").read_text()
    assert 'name = "haversine"\nversion = "2.8' in lock
    output, _ = package(root)
    assert "haversine==2.8" in (output / "requirements.txt").read_text()
    assert libraries(output) == ["haversine"]
    (root / "pyproject.toml").write_text(text.replace("haversine>=2", "haversine>=2.9"))
    assert cli.main(["package", str(root)]) == 1
    assert "lockfile" in capsys.readouterr().err
    assert "haversine==2.8" in (output / "requirements.txt").read_text()


def test_the_archives_python_runs_the_entry_point(project):
    root = project("setuptools")
    output, manifest = package(root, "--archive")
    there = root / "there"
    with tarfile.open(output / manifest["archive"]) as archive:
        archive.extractall(there, filter="fully_trusted")
    python = there / "bin" / "python"
    ran = subprocess.run(
        [python, output / "entrypoint.py", "--day", "a b"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (3, "ran ['--day', 'a b']\n")


def test_what_kedro_itself_makes_is_packaged_and_runs(tmp_path):
    environment = tmp_path / "environment"
    subprocess.run([*UV, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    install = [*UV, "pip", "install", "--quiet", "--python", environment / "bin" / "python", "kedro"]
    subprocess.run(install, check=True)
    kedro = [environment / "bin" / "kedro", "new", "--name", "my sales", "--tools", "none", "--example", "n"]
    environ = {**os.environ, "DO_NOT_TRACK": "1", "KEDRO_DISABLE_TELEMETRY": "1"}
    subprocess.run([*kedro, "--telemetry", "no"], cwd=tmp_path, env=environ, capture_output=True, check=True)
    root = tmp_path / "my-sales"
    (root / "conf" / "local" / "credentials.yml").write_text("db: {password: hunter2}\n")
    registry = root / "src" / "my_sales" / "pipeline_registry.py"
    registry.write_text(
        "from kedro.pipeline import node, pipeline\n"
        "def add(a, b):\n    print('added', a + b)\n    return a + b\n"
        "def register_pipelines():\n"
        "    daily = pipeline([node(add, ['params:a', 'params:b'], 'sum')])\n"
        "    return {'__default__': daily, 'daily': daily}\n"
    )
    (root / "conf" / "base" / "parameters.yml").write_text("a: 1\nb: 2\n")
    libraries_of = root / "libraries.txt"
    libraries_of.write_text("kedro\n")
    output, manifest = package(root, "--archive", "--requirements", libraries_of)
    assert (manifest["kind"], manifest["conf_source"]) == ("kedro", "conf-my_sales.tar.gz")
    there, empty = root / "there", tmp_path / "empty"
    empty.mkdir()
    with tarfile.open(output / manifest["archive"]) as archive:
        archive.extractall(there, filter="fully_trusted")
    run = [
        there / "bin" / "python",
        output / "entrypoint.py",
        "--conf-source",
        output / manifest["conf_source"],
    ]
    ran = subprocess.run(
        [*run, "--pipeline", "daily", "--params", "b=40"],
        cwd=empty,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "added 41" in ran.stdout
    for path in output.iterdir():
        assert b"hunter2" not in path.read_bytes()
