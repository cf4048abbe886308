"""The walls between the rooms of the package, and what no file may hold."""

from __future__ import annotations

import ast
import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "airflow_provider_emrkit"
AWS = ("boto3", "botocore", "aiobotocore", "moto")

# Not part of the project: see .gitignore.
IGNORED = {".git", ".venv", ".cache", ".local", "build", "dist", "__pycache__"}


@dataclass(frozen=True)
class Import:
    """One imported module.

    :param at_import: Whether it runs when the file is imported: not in a function, nor for types only.
    """

    file: Path
    line: int
    module: str
    at_import: bool

    @property
    def room(self) -> str:
        return self.file.relative_to(ROOT / PACKAGE).parts[0].removesuffix(".py")

    def names(self, *packages: str) -> bool:
        return any(self.module == package or self.module.startswith(f"{package}.") for package in packages)

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"


def imports_of(file: Path) -> list[Import]:
    """All imports of a file, with ``from package import module`` as ``package.module``."""
    return list(_walk(file, ast.parse(file.read_text()), at_import=True))


def _walk(file: Path, node: ast.AST, *, at_import: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(file, child.lineno, alias.name, at_import) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            base = _base(file, child)
            yield from (
                Import(file, child.lineno, f"{base}.{alias.name}", at_import) for alias in child.names
            )
        else:
            later = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) or _for_types_only(child)
            yield from _walk(file, child, at_import=at_import and not later)


def _base(file: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = file.relative_to(ROOT).parent.parts
    return ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])


def _for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


@functools.cache
def package_imports() -> list[Import]:
    return [found for file in sorted((ROOT / PACKAGE).rglob("*.py")) for found in imports_of(file)]


def listed(imports: list[Import]) -> list[str]:
    return [str(found) for found in imports]


def test_jobs_and_compute_know_neither_aws_nor_airflow() -> None:
    pure = [found for found in package_imports() if found.room in ("jobs", "compute")]
    assert pure
    assert listed([found for found in pure if found.names("airflow", *AWS)]) == []


def test_what_is_decided_about_a_pool_knows_neither_aws_nor_airflow() -> None:
    names = ("decision", "order", "record", "selection", "survey", "words")
    pure = [found for found in package_imports() if found.room == "pools" and found.file.stem in names]
    assert {found.file.stem for found in pure} == set(names)
    assert listed([found for found in pure if found.names("airflow", f"{PACKAGE}._compat", *AWS)]) == []


def test_airflow_is_imported_through_the_compatibility_seam_only() -> None:
    def allowed(found: Import) -> bool:
        return found.room == "_compat" or (found.room == "hooks" and found.names("airflow.providers.amazon"))

    assert (
        listed([found for found in package_imports() if found.names("airflow") and not allowed(found)]) == []
    )


def test_importing_the_provider_loads_no_aws_client() -> None:
    free = ("hooks", "localemr")
    early = [found for found in package_imports() if found.at_import and found.room not in free]
    assert early
    assert listed([found for found in early if found.names(*AWS)]) == []


def test_localemr_knows_of_the_package_only_the_table_of_releases() -> None:
    inside = [found for found in package_imports() if found.room == "localemr" and found.names(PACKAGE)]
    assert inside
    allowed = (f"{PACKAGE}.localemr", f"{PACKAGE}.releases", f"{PACKAGE}.__version__")
    crossing = [found for found in inside if found.module != PACKAGE and not found.names(*allowed)]
    assert listed(crossing) == []


def test_the_provider_does_not_know_localemr() -> None:
    outside = [found for found in package_imports() if found.room not in ("localemr", "cli", "testing")]
    assert listed([found for found in outside if found.names(f"{PACKAGE}.localemr")]) == []


@pytest.mark.parametrize(
    ("room", "users"),
    [
        ("jobs", ("compute", "runs", "pools", "triggers", "operators", "sensors", "links", "images")),
        ("compute", ("runs", "pools", "triggers", "operators", "sensors", "links", "images")),
        ("hooks", ("runs", "pools", "triggers", "operators", "sensors", "links", "images")),
        ("logs", ("runs", "pools", "triggers", "operators", "sensors", "links", "images")),
        ("runs", ("pools", "triggers", "operators", "sensors", "links", "images")),
        ("pools", ("triggers", "operators", "sensors", "links", "images")),
        ("triggers", ("operators", "sensors", "links")),
    ],
)
def test_a_room_loads_nothing_of_those_that_build_on_it(room: str, users: tuple[str, ...]) -> None:
    inside = [found for found in package_imports() if found.room == room and found.names(PACKAGE)]
    assert inside
    above = tuple(f"{PACKAGE}.{user}" for user in users)
    assert listed([found for found in inside if found.at_import and found.names(*above)]) == []


def test_what_makes_images_knows_jobs_and_clusters_and_nothing_that_runs_them() -> None:
    inside = [found for found in package_imports() if found.room == "images" and found.names(PACKAGE)]
    assert inside
    allowed = ("account", "compute", "console", "images", "jobs", "logs.text", "releases", "validation")
    names = tuple(f"{PACKAGE}.{name}" for name in allowed)
    assert listed([found for found in inside if not found.names(*names)]) == []


def test_only_the_command_line_knows_what_makes_images_and_packages() -> None:
    outside = [found for found in package_imports() if found.room not in ("images", "projects", "cli")]
    rooms = (f"{PACKAGE}.images", f"{PACKAGE}.projects")
    assert listed([found for found in outside if found.names(*rooms)]) == []


def test_what_helps_other_peoples_tests_knows_the_local_emr_alone() -> None:
    inside = [found for found in package_imports() if found.room == "testing" and found.names(PACKAGE)]
    assert inside
    assert (
        listed(
            [
                found
                for found in inside
                if not found.names(*(f"{PACKAGE}.{name}" for name in ("localemr", "testing")))
            ]
        )
        == []
    )


@pytest.mark.parametrize(
    ("source", "module", "at_import"),
    [
        pytest.param("import boto3", "boto3", True, id="plain"),
        pytest.param("from airflow import DAG", "airflow.DAG", True, id="from"),
        pytest.param("from ..compute import x", f"{PACKAGE}.compute.x", True, id="relative"),
        pytest.param("from . import x", f"{PACKAGE}.jobs.x", True, id="relative to the package itself"),
        pytest.param("def f():\n    import boto3", "boto3", False, id="in a function"),
        pytest.param("class C:\n    import boto3", "boto3", True, id="in a class"),
        pytest.param("if TYPE_CHECKING:\n    import boto3", "boto3", False, id="for types"),
        pytest.param("try:\n    import boto3\nexcept ImportError:\n    pass", "boto3", True, id="tried"),
    ],
)
def test_imports_are_found(
    source: str, module: str, at_import: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda self: source)
    (found,) = imports_of(ROOT / PACKAGE / "jobs" / "a_module.py")
    assert (found.module, found.at_import, found.room) == (module, at_import, "jobs")


def project_files() -> Iterator[Path]:
    def walk(folder: Path) -> Iterator[Path]:
        for entry in sorted(folder.iterdir()):
            if entry.name in IGNORED or entry.name.endswith((".egg-info", "_cache")):
                continue
            if entry.is_dir():
                yield from walk(entry)
            else:
                yield entry

    return walk(ROOT)


def places_of_this_machine() -> re.Pattern[str]:
    """This checkout, and the home of whoever runs the tests, unless many machines have the same."""
    own = [place for place in (ROOT, Path.home()) if place not in (Path("/"), Path("/root"))]
    return re.compile("|".join(re.escape(f"{place}/") for place in own))


PACKAGE_REGISTRIES = re.compile(
    r"\bpypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|\bmaven\.org|\bdebian\.org"
)


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(PACKAGE_REGISTRIES, id="package registries"),
        pytest.param(places_of_this_machine(), id="this machine"),
    ],
)
def test_no_file_names(pattern: re.Pattern[str]) -> None:
    named = []
    for file in project_files():
        text = file.read_bytes().decode(errors="ignore")
        named += [f"{file.relative_to(ROOT)}: {match[0]}" for match in pattern.finditer(text)]
    assert named == []
