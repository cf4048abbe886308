"""Which kind of project a directory holds."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.projects.detect import detect
from airflow_provider_emrkit.validation import InvalidValueError

SETUPTOOLS = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
PROJECT = '[project]\nname = "etl"\nversion = "1.2"\nrequires-python = ">=3.10"\ndependencies = ["pandas"]\n'


def test_a_project_says_what_it_is_called(folder):
    folder.write("pyproject.toml", SETUPTOOLS + PROJECT)
    found = detect(folder.root)
    assert (found.kind, found.builds, found.lock) == ("python", True, "")
    assert (found.name, found.version, found.requires_python) == ("etl", "1.2", ">=3.10")
    assert found.dependencies == ("pandas",)
    assert found.lists_libraries
    assert found.found == ("[build-system]: setuptools.build_meta builds the wheel",)


def test_a_lock_pins_its_libraries(folder):
    folder.write("pyproject.toml", SETUPTOOLS + PROJECT)
    folder.write("poetry.lock")
    assert detect(folder.root).lock == "poetry.lock"
    folder.write("uv.lock")
    assert detect(folder.root).lock == "uv.lock"


def test_poetrys_own_table_names_it_too(folder):
    folder.write("pyproject.toml", SETUPTOOLS + '[tool.poetry]\nname = "old"\nversion = "0.3"\n')
    found = detect(folder.root)
    assert (found.name, found.version) == ("old", "0.3")
    assert "[tool.poetry], without a poetry.lock" in found.found


def test_a_kedro_project_is_one_by_its_table(folder):
    folder.kedro()
    found = detect(folder.root)
    assert found.kind == "kedro"
    assert found.kedro.package == "sales"
    assert "[tool.kedro]: a Kedro project" in found.found


@pytest.mark.parametrize(
    "text",
    [
        PROJECT,
        SETUPTOOLS + PROJECT + "[tool.uv]\npackage = false\n",
        SETUPTOOLS + "[tool.poetry]\npackage-mode = false\n",
    ],
)
def test_what_no_backend_builds_is_taken_as_it_is(folder, text):
    folder.write("pyproject.toml", text)
    found = detect(folder.root)
    assert not found.builds
    assert "the modules are taken as they are" in found.found[0]


@pytest.mark.parametrize("where", ["[project.scripts]", "[tool.poetry.scripts]"])
def test_its_commands_are_known_where_no_backend_lists_them(folder, where):
    folder.write("pyproject.toml", f'{where}\netl = "etl.cli:main"\nbroken = 3\n[tool.uv]\npackage = false\n')
    assert dict(detect(folder.root).scripts) == {"etl": "etl.cli:main"}


@pytest.mark.parametrize(
    ("line", "lists"), [("dependencies = []", True), ("", False), ('dynamic = ["dependencies"]', False)]
)
def test_an_empty_list_of_libraries_is_one(folder, line, lists):
    folder.write("pyproject.toml", f'[project]\nname = "etl"\n{line}\n')
    assert detect(folder.root).lists_libraries == lists


@pytest.mark.parametrize("name", ["setup.py", "setup.cfg"])
def test_setuptools_needs_no_pyproject(folder, name):
    folder.write(name)
    assert detect(folder.root).builds


@pytest.mark.parametrize("name", ["requirements.txt", "job.py"])
def test_modules_need_nothing_beside_them(folder, name):
    folder.write(name)
    assert not detect(folder.root).builds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[project", "is no TOML"),
        ("[tool.poetry]\nname = 'x'\n", "'[tool.poetry]' comes without [build-system]; add: requires"),
        (SETUPTOOLS + "[tool.kedro]\nproject_name = 'Sales'\n", "[tool.kedro] package_name: None is no name"),
        (SETUPTOOLS + "[tool.kedro]\npackage_name = '../x'\n", "'../x' is no name of a package"),
    ],
)
def test_a_pyproject_that_can_not_be_right_is_told(folder, text, told):
    folder.write("pyproject.toml", text)
    with pytest.raises(InvalidValueError) as raised:
        detect(folder.root)
    assert told in str(raised.value)
    assert str(raised.value).startswith("package.")


def test_older_kedro_projects_keep_their_requirements_beside_the_package(folder):
    folder.write("pyproject.toml", '[tool.kedro]\npackage_name = "sales"\n')
    kept = folder.write("src/requirements.txt")
    assert (detect(folder.root).requirements, detect(folder.root).builds) == (kept, False)
    nearer = folder.write("requirements.txt")
    assert detect(folder.root).requirements == nearer


def test_libraries_that_poetry_alone_reads_are_not_forgotten(folder):
    table = SETUPTOOLS + "[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\npython = '^3.11'\n"
    folder.write("pyproject.toml", table)
    assert not detect(folder.root).builds
    folder.write("pyproject.toml", f"{table}pandas = '^2'\n")
    with pytest.raises(InvalidValueError, match=r"'pandas' is read by Poetry alone.*poetry export"):
        detect(folder.root)


def test_a_directory_without_a_project_is_told(folder):
    with pytest.raises(InvalidValueError, match="holds no Python project"):
        detect(folder.root)
    with pytest.raises(InvalidValueError, match="is no directory"):
        detect(folder.root / "missing")


def test_a_file_that_is_no_text_is_told(folder):
    (folder.root / "pyproject.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidValueError, match="is no text in UTF-8"):
        detect(folder.root)


def test_a_hostile_value_of_another_kind_is_as_good_as_none(folder):
    folder.write(
        "pyproject.toml",
        '[project]\nname = 3\nversion = []\ndependencies = "pandas"\nscripts = 1\n[tool]\nuv = 1\n',
    )
    found = detect(folder.root)
    assert (found.name, found.version, found.dependencies) == ("", "", ())
    assert not found.scripts


def test_the_lock_of_a_workspace_is_that_of_its_members_alone(folder):
    folder.write("pyproject.toml", '[tool.uv.workspace]\nmembers = ["packages/*"]\n')
    folder.write("packages/etl/pyproject.toml")
    folder.write("others/etl/pyproject.toml")
    assert detect(folder.root / "packages/etl").lock == ""
    folder.write("uv.lock")
    member = detect(folder.root / "packages/etl")
    assert (member.lock, member.workspace) == ("uv.lock", folder.root)
    assert detect(folder.root / "others/etl").lock == ""


def test_what_is_above_a_project_does_not_matter_otherwise(folder):
    folder.write("pyproject.toml", "broken [")
    folder.write("etl/pyproject.toml")
    assert detect(folder.root / "etl").workspace is None
