"""What ``make demo`` and ``make test`` install is decided by the lock files, for every supported Python."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from environments.catalog import ENVIRONMENTS, Layout
from environments.relock import LOCKS

ROOT = Path(__file__).resolve().parents[2]
LAYOUT = Layout(ROOT)
PYTHONS = ((3, 10), (3, 11), (3, 12), (3, 13))


def lines(file: Path) -> list[str]:
    stripped = (line.partition(" #")[0].strip() for line in file.read_text().splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def requirements(file: Path) -> list[Requirement]:
    """What a file asks for, with the files it includes."""
    found = []
    for line in lines(file):
        if line.startswith("-r "):
            found += requirements(file.parent / line.removeprefix("-r "))
        elif not line.startswith("-"):
            found.append(Requirement(line))
    return found


def pins(file: Path, python: tuple[int, int]) -> dict[str, list[str]]:
    """The versions a lock file gives to each package under one Python."""
    version = f"{python[0]}.{python[1]}"
    environment = {**default_environment(), "python_version": version, "python_full_version": f"{version}.9"}
    found: dict[str, list[str]] = {}
    for line in lines(file):
        requirement = Requirement(line)
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", line
        if requirement.marker is None or requirement.marker.evaluate(environment):
            found.setdefault(canonicalize_name(requirement.name), []).append(specifier.version)
    return found


def declared(section: str, option: str) -> list[Requirement]:
    """Requirements of the package, as ``setup.cfg`` has them."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return [Requirement(line) for line in config[section][option].split("\n") if line]


def unsatisfied(wanted: list[Requirement], pinned: dict[str, list[str]]) -> list[str]:
    return [
        str(requirement)
        for requirement in wanted
        if not any(
            requirement.specifier.contains(v) for v in pinned.get(canonicalize_name(requirement.name), ())
        )
    ]


def environments_with_pythons() -> list[object]:
    return [
        pytest.param(name, python, id=f"{name} on {python[0]}.{python[1]}")
        for name, environment in ENVIRONMENTS.items()
        for python in PYTHONS
        if environment.supports(python)
    ]


@pytest.mark.parametrize(("name", "python"), environments_with_pythons())
def test_the_lock_gives_what_its_input_asks_for(name: str, python: tuple[int, int]) -> None:
    assert unsatisfied(requirements(LAYOUT.lock_input(name)), pins(LAYOUT.lock(name), python)) == []


@pytest.mark.parametrize(("name", "python"), environments_with_pythons())
def test_the_lock_leaves_no_choice(name: str, python: tuple[int, int]) -> None:
    several = {package: found for package, found in pins(LAYOUT.lock(name), python).items() if len(found) > 1}
    assert several == {}


@pytest.mark.parametrize(
    ("name", "python"),
    [row for row in environments_with_pythons() if row.values[0] in ("airflow-3.3", "airflow-2.11", "test")],
)
def test_the_provider_can_be_installed_beside_each_airflow(name: str, python: tuple[int, int]) -> None:
    assert unsatisfied(declared("options", "install_requires"), pins(LAYOUT.lock(name), python)) == []


@pytest.mark.parametrize(
    ("name", "python"),
    [row for row in environments_with_pythons() if row.values[0] in ("localemr", "airflow-2.11", "test")],
)
def test_the_extra_can_be_installed_beside_each_airflow(name: str, python: tuple[int, int]) -> None:
    assert unsatisfied(declared("options.extras_require", "local"), pins(LAYOUT.lock(name), python)) == []


def test_the_input_of_localemr_is_the_extra() -> None:
    extra = declared("options.extras_require", "local")
    assert sorted(map(str, requirements(LAYOUT.lock_input("localemr")))) == sorted(map(str, extra))


def test_the_provider_needs_airflow_and_the_amazon_provider_and_nothing_else() -> None:
    assert sorted(map(str, declared("options", "install_requires"))) == [
        "apache-airflow-providers-amazon>=8.28.0",
        "apache-airflow>=2.10",
    ]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("smaller", ["airflow-3.3", "localemr"])
def test_what_is_tested_is_what_the_demo_runs(smaller: str, python: tuple[int, int]) -> None:
    tested = pins(LAYOUT.lock("test"), python)
    assert {name: tested.get(name) for name in pins(LAYOUT.lock(smaller), python)} == pins(
        LAYOUT.lock(smaller), python
    )


def test_every_input_has_a_lock_that_make_lock_renews() -> None:
    folder = ROOT / "requirements"
    assert (
        {file.stem for file in folder.glob("*.in")}
        == {file.stem for file in folder.glob("*.txt")}
        == set(LOCKS)
    )
    assert set(ENVIRONMENTS) <= set(LOCKS)


@pytest.mark.parametrize("file", sorted((ROOT / "requirements").iterdir()), ids=lambda file: file.name)
def test_no_lock_says_where_it_was_made(file: Path) -> None:
    text = file.read_text()
    assert re.findall(r"://|--(?:extra-)?index-url|--find-links|(?m:^\s*[^#\s].*(?<!\w)/\w)", text) == []
    assert re.findall(r"\b[a-z0-9-]+\.(?:org|com|net|io|dev)\b", text) == []
    assert str(ROOT) not in text
