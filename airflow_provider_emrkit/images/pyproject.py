"""What an image has to install, read from a project's pyproject.toml and uv.lock. Pure."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.images.requirements import (
    CLUSTERS_OWN,
    Libraries,
    canonical,
    left_out_notes,
    name_of,
    path_beside,
    path_inside,
    problem_at,
    refuse_secrets,
)

if TYPE_CHECKING:
    from airflow_provider_emrkit.images.requirements import ContextFiles
    from airflow_provider_emrkit.validation import InvalidValueError

PROJECT_STAYS_OUT = "The project itself comes with the job (entry_point, py_files), not with the image."

# What uv.lock calls the places of this machine.
_LOCAL = ("editable", "directory", "path", "virtual")


def from_pyproject(path: str, files: ContextFiles) -> Libraries:
    """Read what a project depends on: from the ``uv.lock`` beside it, otherwise from its ``[project]`` table.

    The project itself is not installed: it comes with the job.

    :raises InvalidValueError: for a project whose dependencies the build could not tell.
    """
    text = files.text(path_inside(path, "--project"))
    if text is None:
        raise problem_at("--project", path, "is no file", "name a pyproject.toml")
    tables = toml_tables(text, path)
    project = tables.get("project")
    if not isinstance(project, dict) or _is_dynamic(project):
        raise _without_dependencies(tables, path)
    python = project.get("requires-python", "")
    names = _project_names(project, path)
    left_out = {name: None for name in names if name in CLUSTERS_OWN}
    sources = _sources(tables, path)
    lock = path_beside(path, "uv.lock", path)
    locked = files.text(lock)
    if locked is not None:
        sources += _locked_sources(toml_tables(locked, lock), lock)
    needs_git = "git" in sources or any("git+" in one for one in project.get("dependencies") or ())
    return Libraries(
        "pyproject" if locked is None else "uv.lock",
        path,
        (path,) if locked is None else (path, lock),
        needs_git,
        python if isinstance(python, str) else "",
        (*left_out_notes(left_out), PROJECT_STAYS_OUT),
    )


def _sources(tables: dict[str, Any], path: str) -> list[str]:
    """Give the kinds of places that uv is told to take libraries from."""
    kinds = []
    for name, found in table(tables, "tool", "uv", "sources").items():
        for one in filter(_is_table, found if isinstance(found, list) else [found]):
            refuse_secrets(str(one.get("url", "") or one.get("git", "")), path)
            _refuse_local(name, one.keys() & {"path", "workspace"}, path)
            kinds += list(one)
    return kinds


def _locked_sources(lock: dict[str, Any], path: str) -> list[str]:
    kinds = []
    packages = lock.get("package")
    for package in filter(_is_table, packages if isinstance(packages, list) else ()):
        source = table(package, "source")
        # The project itself is at "." of its lock.
        local = {kind for kind in _LOCAL if source.get(kind, ".") != "."}
        _refuse_local(str(package.get("name")), local, path)
        for place in source.values():
            refuse_secrets(str(place), path)
        kinds += list(source)
    return kinds


def table(tables: dict[str, Any], *names: str) -> dict[str, Any]:
    """Give a table inside of tables; an empty one where there is none."""
    found: Any = tables
    for name in names:
        found = found.get(name) if _is_table(found) else None
    return found if _is_table(found) else {}


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _refuse_local(name: str, kinds: set[str], path: str) -> None:
    if kinds:
        mend = "build wheels of such projects, and list all in a requirements.txt, with paths like ./wheels/…"
        raise problem_at(path, name, "comes from a directory beside the project", mend)


def toml_tables(text: str, path: str) -> dict[str, Any]:
    """Read the tables of a TOML file.

    :raises InvalidValueError: when it is none.
    """
    # Python 3.10 has none of its own.
    found = next((one for one in ("tomllib", "tomli") if importlib.util.find_spec(one)), None)
    if found is None:
        mend = "run emrkit with Python 3.11 or later, or install tomli"
        raise problem_at("--project", path, "can't be read by Python 3.10", mend)
    try:
        return dict(importlib.import_module(found).loads(text))
    except ValueError as error:
        raise problem_at("--project", path, f"is no TOML: {error}", "mend it") from None


def _is_dynamic(project: dict[str, Any]) -> bool:
    dynamic = project.get("dynamic")
    return "dependencies" not in project and isinstance(dynamic, list) and "dependencies" in dynamic


def _without_dependencies(tables: dict[str, Any], path: str) -> InvalidValueError:
    if table(tables, "tool", "poetry"):
        mend = "poetry export --only main --output requirements.txt, and give --requirements requirements.txt"
        return problem_at("--project", path, "has Poetry's own table, which only Poetry reads", mend)
    mend = "list them in [project] dependencies, or give --requirements"
    return problem_at("--project", path, "does not say what the project depends on", mend)


def _project_names(project: dict[str, Any], path: str) -> list[str]:
    found = project.get("dependencies") or []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise problem_at(path, found, "is no list of dependencies", "mend [project] dependencies")
    for one in found:
        refuse_secrets(one, path)
        if "file:" in one:
            _refuse_local(one, {"path"}, path)
    return [canonical(name_of(one, path)) for one in found]
