"""What kind of Python project a directory holds, and what says so."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_emrkit.images.pyproject import table, toml_tables
from airflow_provider_emrkit.logs.text import one_line
from airflow_provider_emrkit.projects.indexes import indexes_of
from airflow_provider_emrkit.projects.kedro_settings import KedroSettings, kedro_settings
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OWNER = "package"
PYPROJECT, SETUP, REQUIREMENTS = "pyproject.toml", "setup.py", "requirements.txt"
UV_LOCK, POETRY_LOCK = "uv.lock", "poetry.lock"
MAX_BYTES = 20_000_000

Kind = Literal["kedro", "python"]


@dataclass(frozen=True)
class Project:
    """A Python project.

    :param root: Its directory.
    :param kind: ``kedro`` or ``python``.
    :param builds: Whether a build backend makes its wheel; otherwise its modules are taken as they are.
    :param lock: ``uv.lock`` or ``poetry.lock``; empty for neither.
    :param workspace: Directory whose uv.lock that is, where it is of a workspace around the project.
    :param name: As its pyproject.toml has it; empty where that does not say.
    :param version: The same of its version.
    :param requires_python: The same of its Python, as ``>=3.10``.
    :param dependencies: The libraries it lists there, for a project that no build backend knows.
    :param requirements: Its requirements.txt; None for none.
    :param kedro: What Kedro has to know of it.
    :param indexes: Where its libraries come from besides PyPI.
    :param found: What was found and what it means, in sentences.
    :param lists_libraries: Whether ``[project] dependencies`` is there, be it empty.
    :param scripts: The commands that its pyproject.toml lists, for a project that no build backend knows.

    >>> detect(Path("etl")).kind  # doctest: +SKIP
    'kedro'
    """

    root: Path
    kind: Kind = "python"
    builds: bool = True
    lock: str = ""
    name: str = ""
    version: str = ""
    requires_python: str = ""
    dependencies: tuple[str, ...] = ()
    requirements: Path | None = None
    kedro: KedroSettings | None = None
    indexes: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    workspace: Path | None = None
    lists_libraries: bool = False
    scripts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def detect(root: Path) -> Project:
    """Look at a directory, and tell what project it holds.

    :raises InvalidValueError: when it holds none.
    """
    if not root.is_dir():
        raise InvalidValueError(OWNER, "DIR", str(root), "is no directory", "name that of a Python project")
    # Older Kedro projects have it beside their package.
    places = (root / REQUIREMENTS, root / "src" / REQUIREMENTS)
    requirements = next((path for path in places if path.is_file()), None)
    text = read_text(root / PYPROJECT)
    if text is not None:
        return _of_tables(root, _tables(text), requirements)
    if (root / SETUP).is_file() or (root / "setup.cfg").is_file():
        why = f"{SETUP}: setuptools builds the wheel"
        return Project(root, requirements=requirements, found=(why,))
    if requirements or any(root.glob("*.py")):
        why = "no pyproject.toml: the modules are taken as they are"
        return Project(root, builds=False, requirements=requirements, found=(why,))
    problem = "holds no Python project: no pyproject.toml, setup.py, requirements.txt or module"
    raise InvalidValueError(OWNER, "DIR", str(root), problem, "name the directory that has one of them")


def read_text(path: Path) -> str | None:
    """Read a file of a project; None where there is none.

    :raises InvalidValueError: when it is no text, or too large to be what its name says.
    """
    mend = "put a text file there"
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) <= MAX_BYTES:
            return content.decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InvalidValueError(OWNER, "file", str(path), f"can't be read: {error.strerror}", mend) from error
    except UnicodeDecodeError:
        raise InvalidValueError(OWNER, "file", str(path), "is no text in UTF-8", mend) from None
    raise InvalidValueError(
        OWNER, "file", str(path), f"is larger than {MAX_BYTES // 1_000_000} MB", mend
    ) from None


# --- pyproject.toml ---------------------------------------------------------------------------------------


def _of_tables(root: Path, tables: dict[str, Any], requirements: Path | None) -> Project:
    project, poetry = table(tables, "project"), table(tables, "tool", "poetry")
    kedro = table(tables, "tool", "kedro")
    lock = next((name for name in (UV_LOCK, POETRY_LOCK) if (root / name).is_file()), "")
    workspace = None if lock else _workspace(root)
    lock = UV_LOCK if workspace else lock
    builds, why = _builder(root, tables)
    found = [why]
    if kedro:
        found.append("[tool.kedro]: a Kedro project")
    if workspace:
        found.append(f"{UV_LOCK} of the workspace {one_line(str(workspace), 200)}: its libraries are pinned")
    elif lock or poetry:
        found.append(f"{lock}: its libraries are pinned" if lock else "[tool.poetry], without a poetry.lock")
    if not lock and table(tables, "tool", "uv", "sources"):
        found.append(f"[tool.uv.sources], which counts only with a {UV_LOCK}: `uv lock` writes it")
    return Project(
        root,
        "kedro" if kedro else "python",
        builds,
        lock,
        _text(project.get("name")) or _text(poetry.get("name")),
        _text(project.get("version")) or _text(poetry.get("version")),
        _text(project.get("requires-python")),
        tuple(filter(None, map(_text, _list(project.get("dependencies"))))),
        requirements,
        kedro_settings(root, kedro) if kedro else None,
        indexes_of(tables),
        tuple(found),
        workspace,
        isinstance(project.get("dependencies"), list),
        MappingProxyType(_texts(project.get("scripts")) or _texts(poetry.get("scripts"))),
    )


def _workspace(root: Path) -> Path | None:
    """Find the workspace of uv's that a directory is a member of, if it has a lock; uv sees to the rest."""
    for above in root.parents:
        try:
            tables = _tables(read_text(above / PYPROJECT) or "")
        except InvalidValueError:
            continue  # whatever it is, it is none of this project
        name = root.relative_to(above).as_posix()
        members = map(_text, _list(table(tables, "tool", "uv", "workspace").get("members")))
        if any(fnmatch.fnmatchcase(name, member.removeprefix("./").rstrip("/")) for member in members):
            return above if (above / UV_LOCK).is_file() else None
    return None


def _tables(text: str) -> dict[str, Any]:
    try:
        return toml_tables(text, PYPROJECT)
    except InvalidValueError as error:
        raise error.moved(OWNER, PYPROJECT) from None


def _builder(root: Path, tables: dict[str, Any]) -> tuple[bool, str]:
    """Tell whether a build backend makes the wheel, and what says so."""
    if table(tables, "tool", "uv").get("package") is False:
        return False, "[tool.uv] package = false: the modules are taken as they are"
    if table(tables, "tool", "poetry").get("package-mode") is False:
        _refuse_poetrys_own(table(tables, "tool", "poetry", "dependencies"))
        return False, "[tool.poetry] package-mode = false: the modules are taken as they are"
    backend = _text(table(tables, "build-system").get("build-backend"))
    if backend:
        return True, f"[build-system]: {one_line(backend, 60)} builds the wheel"
    if table(tables, "build-system") or (root / SETUP).is_file() or (root / "setup.cfg").is_file():
        return True, "setuptools builds the wheel"
    if table(tables, "tool", "poetry"):
        mend = 'add: requires = ["poetry-core"], build-backend = "poetry.core.masonry.api"'
        raise InvalidValueError(OWNER, PYPROJECT, "[tool.poetry]", "comes without [build-system]", mend)
    return False, "no [build-system]: the modules are taken as they are"


def _refuse_poetrys_own(dependencies: dict[str, Any]) -> None:
    """Refuse a list of libraries that only Poetry reads, where Poetry builds no wheel that says them."""
    if names := [name for name in dependencies if name != "python"]:
        where = "[tool.poetry.dependencies]"
        problem = "is read by Poetry alone, which builds no wheel of this project"
        mend = (
            "list them in [project] dependencies; or: poetry export -o requirements.txt, and --requirements"
        )
        raise InvalidValueError(OWNER, where, names[0], problem, mend)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> dict[str, str]:
    items = value.items() if isinstance(value, dict) else ()
    return {name: text for name, text in items if isinstance(text, str)}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
