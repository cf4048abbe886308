"""Pools that a platform team keeps in a YAML file, for the DAGs of all others."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.bootstrap import BootstrapAction
from airflow_provider_emrkit.compute.cluster_spec import ClusterSpec
from airflow_provider_emrkit.compute.docker_on_yarn import DockerOnYarn
from airflow_provider_emrkit.compute.managed_scaling import ManagedScaling
from airflow_provider_emrkit.compute.plain_data import Maker, as_mapping, made
from airflow_provider_emrkit.compute.pool import ClusterPool
from airflow_provider_emrkit.compute.sizes import ROLES, SIZES, ClusterSize, role_of, size_of
from airflow_provider_emrkit.compute.yaml_file import YamlFile
from airflow_provider_emrkit.frozen import FrozenMapping
from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import InvalidValueError, check_sequence

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SECTIONS = ("pools", "sizes")


class UnknownPoolError(InvalidValueError, KeyError):
    """A file of pools does not hold the one that was asked for; the message names those it holds.

    >>> load_pools("pools.yaml")["medum"]  # doctest: +SKIP
    Traceback (most recent call last):
    UnknownPoolError: pools.yaml.pools: 'medum' is not known; use one of large, medium
    """


class Pools(FrozenMapping[ClusterPool]):
    """The pools of a file by name; one that is not there is an error that names those that are.

    :param pools: The pools.
    :param path: The file.

    >>> load_pools("pools.yaml")["medium"].max_clusters  # doctest: +SKIP
    3
    """

    __slots__ = ("_path",)

    def __init__(self, pools: Mapping[str, ClusterPool], path: str) -> None:
        super().__init__(pools)
        self._path = path

    def __getitem__(self, name: str) -> ClusterPool:
        try:
            return super().__getitem__(name)
        except KeyError:
            mend = "" if self else "it holds no pools"
            raise UnknownPoolError(self._path, "pools", name, "is not known", mend, sorted(self)) from None

    def __reduce__(self) -> tuple[type[Pools], tuple[dict[str, ClusterPool], str]]:  # type: ignore[override]
        return Pools, (dict(self), self._path)


def load_pools(path: str | Path) -> Pools:
    """Read cluster pools from a YAML file.

    :param path: The file: ``pools`` by name, each with the fields of
        :class:`~airflow_provider_emrkit.compute.pool.ClusterPool` but its name, and perhaps ``sizes`` of
        one's own by name, as in :func:`~airflow_provider_emrkit.compute.sizes.load_sizes`.
    :raises InvalidValueError: naming the file, the line, the place and the mend, when its content is wrong.
    :raises OSError: when it can't be read.

    >>> sorted(load_pools("pools.yaml"))  # doctest: +SKIP
    ['large', 'medium']
    """
    file = YamlFile.read(path)
    sections = {section: _section(file, section) for section in SECTIONS}
    sizes, pools = {}, {}
    for name, data in sections["sizes"].items():
        with file.locating("sizes", name):
            sizes[name] = size_of(file.path, f"sizes.{name}", data)
    for name, data in sections["pools"].items():
        with file.locating("pools", name):
            pools[name] = _pool(file.path, name, data, sizes)
    return Pools(pools, file.path)


def _section(file: YamlFile, section: str) -> Mapping[Any, Any]:
    """Give the things of a section by name."""
    with file.locating():
        content = as_mapping(file.path, "the file", file.content)
        for key in content:
            if key not in SECTIONS:
                raise InvalidValueError(file.path, "the file", key, "is not known", allowed=SECTIONS)
        if "pools" not in content:
            raise InvalidValueError(file.path, "the file", "pools", "is missing", "add it")
    with file.locating(section):
        things = as_mapping(file.path, section, content.get(section, {}))
        for name in things:
            if not isinstance(name, str):
                problem = f"is of type {type(name).__name__}"
                raise InvalidValueError(file.path, section, name, problem, "put the name in quotes")
    return things


def _pool(owner: str, name: str, data: Any, sizes: Mapping[str, ClusterSize]) -> ClusterPool:
    return made(
        ClusterPool, owner, f"pools.{name}", data, {"spec": partial(_spec, sizes)}, known={"name": name}
    )


def _spec(sizes: Mapping[str, ClusterSize], owner: str, where: str, data: Any) -> ClusterSpec:
    parts: dict[str, Maker] = {
        **dict.fromkeys(ROLES, role_of),
        "size": partial(_size, sizes),
        "managed_scaling": partial(made, ManagedScaling),
        "bootstrap_actions": _actions,
        "docker": _docker,
    }
    return made(ClusterSpec, owner, where, data, parts)


def _size(sizes: Mapping[str, ClusterSize], owner: str, where: str, data: Any) -> str | ClusterSize:
    if not isinstance(data, str):
        return size_of(owner, where, data)
    if data not in sizes and data not in SIZES and not is_template(data):
        raise InvalidValueError(owner, where, data, "is not known", allowed=(*SIZES, *sizes))
    return sizes.get(data, data)


def _docker(owner: str, where: str, data: Any) -> bool | DockerOnYarn:
    return data if isinstance(data, bool) else made(DockerOnYarn, owner, where, data)


def _actions(owner: str, where: str, data: Any) -> list[BootstrapAction]:
    actions = check_sequence(owner, where, data)
    return [made(BootstrapAction, owner, f"{where}[{index}]", item) for index, item in enumerate(actions)]
