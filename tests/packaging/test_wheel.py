"""The wheel is what users get: all of the package, and it works where nothing else is installed."""

from __future__ import annotations

import email
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest
import uv

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "airflow_provider_emrkit"


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def content(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def empty_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter whose only package is ours."""
    home = tmp_path_factory.mktemp("empty") / "venv"
    run(uv.find_uv_bin(), "venv", "--quiet", "--python", sys.executable, home, cwd=home.parent)
    python = home / "bin" / "python"
    run(
        uv.find_uv_bin(),
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--python",
        python,
        wheel,
        cwd=home,
    )
    return python


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_every_file_of_the_package_is_in_it(content: set[str]) -> None:
    files = {
        str(file.relative_to(ROOT))
        for file in (ROOT / PACKAGE).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.name != ".gitignore"
    }
    assert files - content == set()


@pytest.mark.parametrize(
    "file",
    [
        "py.typed",
        "releases.json",
        "compute/sizes.json",
        "localemr/jars/emrkit-s3.jar",
        "localemr/java/org/emrkit/s3/LocalS3FileSystem.java",
    ],
)
def test_it_has_more_than_python_files(content: set[str], file: str) -> None:
    assert f"{PACKAGE}/{file}" in content


def test_it_has_nothing_else(content: set[str]) -> None:
    assert {name.split("/")[0] for name in content if ".dist-info/" not in name} == {PACKAGE}
    assert [name for name in content if name.endswith((".pyc", ".class"))] == []


def test_the_licence_is_in_it(wheel: Path, content: set[str]) -> None:
    assert metadata(wheel)["License-Expression"] == "Apache-2.0"
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in content)


def test_its_requirements_are_declared(wheel: Path) -> None:
    required = metadata(wheel).get_all("Requires-Dist") or []
    assert sorted(line for line in required if "extra ==" not in line) == [
        "apache-airflow-providers-amazon>=8.28.0",
        "apache-airflow>=2.10",
    ]
    assert metadata(wheel).get_all("Provides-Extra") == ["local"]
    assert metadata(wheel)["Requires-Python"] == ">=3.10"


def test_its_entry_points_are_declared(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        text = archive.read(name).decode()
    assert [section.splitlines() for section in text.strip().split("\n\n")] == [
        ["[airflow.plugins]", f"emrkit = {PACKAGE}.ui.plugin:EmrKitPlugin"],
        ["[apache_airflow_provider]", f"provider_info = {PACKAGE}.get_provider_info:get_provider_info"],
        ["[console_scripts]", f"emrkit = {PACKAGE}.cli:main"],
        ["[pytest11]", f"localemr = {PACKAGE}.testing.plugin"],
    ]


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(
            f"""
            import {PACKAGE}
            from importlib.metadata import version
            assert {PACKAGE}.__version__ == version("airflow-provider-emrkit")
            """,
            id="version",
        ),
        pytest.param(
            f"""
            from {PACKAGE}.get_provider_info import get_provider_info
            assert get_provider_info()["package-name"] == "airflow-provider-emrkit"
            """,
            id="provider info",
        ),
        pytest.param(
            f"""
            from {PACKAGE} import SparkJob
            SparkJob("s3://bucket/job.py")
            """,
            id="jobs",
        ),
        pytest.param(
            f"""
            from {PACKAGE} import ClusterSpec
            ClusterSpec(release_label="emr-7.11.0")
            """,
            id="compute",
        ),
        pytest.param(
            f"""
            from {PACKAGE}.releases import release
            assert release("emr-7.11.0").spark == "3.5.6"
            """,
            id="releases",
        ),
        pytest.param(
            f"""
            from importlib.resources import files
            jar = files("{PACKAGE}") / "localemr" / "jars" / "emrkit-s3.jar"
            assert jar.read_bytes()[:2] == b"PK"
            """,
            id="jar",
        ),
        pytest.param(
            """
            from importlib.util import find_spec
            assert not find_spec("airflow") and not find_spec("boto3")
            """,
            id="really empty",
        ),
    ],
)
def test_it_works_where_neither_airflow_nor_boto3_is_installed(empty_python: Path, code: str) -> None:
    run(empty_python, "-I", "-c", textwrap.dedent(code), cwd=empty_python.parent)
