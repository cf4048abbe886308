"""What a Kedro project says of itself, read without running its code."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from pathlib import Path

OWNER = "package"
MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")

# Kedro's own: https://docs.kedro.org/en/stable/configure/configuration_basics/
CONF, LOCAL, SOURCE = "conf", "local", "src"


@dataclass(frozen=True)
class KedroSettings:
    """Where a Kedro project keeps what.

    :param package: Its package, whose ``__main__`` runs it.
    :param conf: Directory of its configuration.
    :param local: The environment inside that is of one developer: credentials, paths of a laptop.

    >>> KedroSettings("sales", Path("conf")).local
    'local'
    """

    package: str
    conf: Path
    local: str = LOCAL


def kedro_settings(root: Path, tables: dict[str, Any]) -> KedroSettings:
    """Read the table ``[tool.kedro]`` and the package's ``settings.py``.

    :param root: Directory of the project.
    :raises InvalidValueError: when the table does not name the package.
    """
    package = tables.get("package_name")
    if not isinstance(package, str) or not MODULE.fullmatch(package):
        mend = 'write it as Kedro does: package_name = "sales"'
        raise InvalidValueError(OWNER, "[tool.kedro] package_name", package, "is no name of a package", mend)
    source = tables.get("source_dir", SOURCE)
    directory = root / (source if isinstance(source, str) else SOURCE) / package.replace(".", "/")
    said = _assigned(directory / "settings.py")
    conf, loader = said.get("CONF_SOURCE"), said.get("CONFIG_LOADER_ARGS")
    local = loader.get("default_run_env") if isinstance(loader, dict) else None
    return KedroSettings(
        package,
        root / (conf if isinstance(conf, str) else CONF),
        local if isinstance(local, str) and local else LOCAL,
    )


def _assigned(path: Path) -> dict[str, Any]:
    """Give what a module assigns to its names, where that is written out."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        # Kedro's own words apply then; code that is broken shows when it runs.
        return {}
    found: dict[str, Any] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            found[statement.targets[0].id] = _written_out(statement.value)
    return found


def _written_out(node: ast.expr) -> Any:
    """Give a value that needs no running; of a dict, those of its values."""
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {key.value: _written_out(value) for key, value in pairs if isinstance(key, ast.Constant)}
    return node.value if isinstance(node, ast.Constant) else None
