"""A YAML file as plain data, and which line says what."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# With aliases, a small file may hold more than any memory can.
MAX_VALUES = 50_000
MAX_DEPTH = 100

_STEP = re.compile(r"\['(.*?)'\]|\[(\d+)\]|([^.\[\]]+)")

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class YamlFile:
    """What a YAML file holds.

    :param path: The file.
    :param content: Its content: mappings, lists, texts, numbers, switches.
    :param lines: Where each value is: the line of its key, or of an item of a list.

    >>> YamlFile.read("pools.yaml").content  # doctest: +SKIP
    {'pools': {'medium': {'max_clusters': 3, 'spec': {'release_label': 'emr-7.11.0'}}}}
    """

    path: str
    content: Any
    lines: Mapping[Place, int]

    @classmethod
    def read(cls, path: str | Path) -> YamlFile:
        """Read a file; nothing in it is evaluated.

        :raises InvalidValueError: with the line, when it is not YAML, or names a key twice.
        :raises OSError: when it can't be read.
        """
        import yaml

        content = Path(path).read_bytes()
        # The fast one is not there everywhere.
        kind = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            _check_depth(str(path), yaml.parse(content, kind))
            # As yaml.safe_load does it, with a look at the nodes, which know their lines.
            loader = kind(content)
            node = loader.get_single_node()
            lines = dict(_lines(str(path), node))
            return cls(str(path), loader.construct_document(node) if node else None, lines)
        except InvalidValueError:
            raise
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise _not_yaml(str(path), error) from None

    @contextmanager
    def locating(self, *start: str) -> Iterator[None]:
        """Give errors of what is done with the content the line of the place they name.

        :param start: What the fields of the errors begin with, with dots between.
        """
        try:
            yield
        except InvalidValueError as error:
            raise self._located(error, start) from None

    def _located(self, error: InvalidValueError, start: Place) -> InvalidValueError:
        place = start
        if start:
            place = (*start, *_names(error.field[len(".".join(map(str, start))) :]))
        # A key that is not known is the value of its error, and has a line of its own.
        place = (*place, str(error.value))
        while place and place not in self.lines:
            place = place[:-1]
        line = f", line {self.lines[place]}" if place else ""
        section, _, field = error.field.rpartition(".") if len(start) < 2 else error.field.partition(".")
        return error.moved(f"{self.path}{line}{': ' if section else ''}{section}", field)


def _names(field: str) -> Iterator[str | int]:
    """Take the field of an error apart: ``spec.tags['a']``, ``spec.bootstrap_actions[0].path``."""
    for key, index, name in _STEP.findall(field):
        yield int(index) if index else key or name.split(" ")[0]


def _check_depth(path: str, events: Iterable[Any]) -> None:
    """Refuse what nests too deeply before it is built: the fast loader would end the process."""
    depth = 0
    for event in events:
        kind = type(event).__name__
        depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
        if depth > MAX_DEPTH:
            raise InvalidValueError("load_pools", "path", path, "nests too deeply", "make it flatter")


def _lines(path: str, root: Any) -> Iterator[tuple[Place, int]]:
    for count, found in enumerate(_walk(path, root, ())):
        if count == MAX_VALUES:
            problem = f"holds more than {MAX_VALUES:,} values, with its aliases"
            raise InvalidValueError("load_pools", "path", path, problem, "make it smaller")
        yield found


def _walk(path: str, node: Any, place: Place) -> Iterator[tuple[Place, int]]:
    kind = node.id if node else None
    if kind == "mapping":
        keys: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            below = (*place, name)
            if name in keys:
                shown = ".".join(map(str, below))
                problem = f"has {shown} twice, on lines {keys[name]} and {line}"
                raise InvalidValueError("load_pools", "path", path, problem, "keep one of them")
            keys[name] = line
            yield below, line
            yield from _walk(path, value, below)
    elif kind == "sequence":
        for index, item in enumerate(node.value):
            yield (*place, index), item.start_mark.line + 1
            yield from _walk(path, item, (*place, index))


def _not_yaml(path: str, error: Exception) -> InvalidValueError:
    mark = getattr(error, "problem_mark", None)
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    reason = "it holds itself" if isinstance(error, RecursionError) else getattr(error, "problem", None)
    problem = f"is not YAML: {' '.join(str(reason or error).split())}{where}"
    return InvalidValueError("load_pools", "path", path, problem, "correct the file")
