"""What a uv.lock or a poetry.lock says of libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.images.pyproject import table, toml_tables
from airflow_provider_emrkit.images.requirements import canonical
from airflow_provider_emrkit.projects.detect import OWNER, read_text
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# The name of a library, as indexes write it, and its version.
Key = tuple[str, str]

# What poetry.lock calls an index that is not PyPI.
_INDEX = "legacy"


def locked_libraries(root: Path, lock: str) -> list[Mapping[str, Any]]:
    """Give the tables that a lock has of a library each.

    :param root: Directory that it is in.
    :raises InvalidValueError: when it is no TOML.
    """
    try:
        packages = toml_tables(read_text(root / lock) or "", lock).get("package")
    except InvalidValueError as error:
        raise error.moved(OWNER, lock) from None
    return [one for one in packages if isinstance(one, dict)] if isinstance(packages, list) else []


def key(package: Mapping[str, Any]) -> Key:
    """Give what tells a library of a lock from the others."""
    return canonical(str(package.get("name"))), str(package.get("version"))


def index_of(package: Mapping[str, Any]) -> str:
    """Give the index that a lock has a library from; empty for PyPI, and for what no run needs.

    >>> index_of({"name": "torch", "source": {"registry": "https://download.pytorch.org/whl/cpu"}})
    'https://download.pytorch.org/whl/cpu'
    """
    groups, source = package.get("groups"), table(dict(package), "source")
    if isinstance(groups, list) and "main" not in groups:
        return ""
    url = source.get("registry") or (source.get("url") if source.get("type") == _INDEX else "")
    return str(url or "").rstrip("/")


def pinned_by_poetry(packages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Give the versions that a poetry.lock has; where it has several of a library, with what says which."""
    tables = [one for one in packages if _is_from_index(one)]
    names = [canonical(str(one.get("name"))) for one in tables]
    lines = []
    for name, one in zip(names, tables, strict=True):
        markers = one.get("markers") if names.count(name) > 1 else ""
        # Some versions of Poetry say it by groups in a table, or not at all: uv chooses.
        if isinstance(markers, str) and (markers or names.count(name) == 1):
            lines.append(f"{name}=={one.get('version')}" + (f" ; {markers}" if markers else ""))
    return lines


def _is_from_index(package: Mapping[str, Any]) -> bool:
    """Tell whether a version says all; what comes from elsewhere is pinned where it is asked for."""
    return bool(table(dict(package), "source").get("type", _INDEX) == _INDEX)
