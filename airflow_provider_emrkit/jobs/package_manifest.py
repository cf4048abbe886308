"""The ``package.json`` that ``emrkit package`` leaves beside a package, as far as jobs are made of it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME = "package.json"
FORMAT = 1
_CLASSES = {"python": "PythonProject", "kedro": "KedroProject"}


@dataclass(frozen=True)
class Package:
    """What a packaged project consists of; each path whole.

    :param entry_point: The Python file that Spark runs.
    :param archive: The environment's archive, where there is no image.
    :param image: The image with the environment, by its digest where that is known.
    :param python: The image's Python.
    :param conf_source: Kedro's configuration, ``local:/…`` in the image.
    """

    entry_point: str
    archive: str | None = None
    image: str | None = None
    python: str | None = None
    conf_source: str | None = None


def read(owner: str, kind: str, folder: str) -> Package:
    """Read the package that a folder holds.

    :param owner: The class that asks, for errors.
    :param kind: What it must be, ``python`` or ``kedro``.
    :raises InvalidValueError: when there is none, or one that no job can be made of.
    """
    path = Path(folder, FILE_NAME)
    content = _content(owner, path)
    if content.get("format") != FORMAT:
        mend = "package the project again with this emrkit, or take the emrkit that packaged it"
        raise _problem(owner, path, f"has the format {content.get('format')!r}, not {FORMAT}", mend)
    if content.get("kind") != kind:
        found = _CLASSES.get(str(content.get("kind")))
        mend = f"use {found}.read" if found else "take the emrkit that packaged it"
        raise _problem(owner, path, f"is of a {content.get('kind')!r} project", mend)
    return _package(owner, path, content)


def _content(owner: str, path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        mend = "run emrkit package, and ship its output folder with the DAGs"
        raise _problem(owner, path, "is not there", mend) from None
    except OSError as error:
        raise _problem(owner, path, f"can't be read: {error.strerror}", "correct the folder") from None
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise _problem(owner, path, "is no JSON of emrkit package", "package the project again")
    return content


def _package(owner: str, path: Path, content: Mapping[str, Any]) -> Package:
    entry_point = _beside(path, _text(owner, path, content, "entry_point"))
    image = _text(owner, path, content, "image")
    archive = _text(owner, path, content, "archive")
    conf_source = _text(owner, path, content, "conf_source")
    if entry_point is None:
        raise _problem(owner, path, "names no entry_point", "package the project again")
    if image:
        digest = _text(owner, path, content, "image_digest")
        conf = _text(owner, path, content, "image_conf_source")
        python = _text(owner, path, content, "image_python")
        return Package(
            entry_point,
            image=_pinned(image, digest),
            python=python,
            conf_source=f"local:{conf}" if conf else _beside(path, conf_source),
        )
    if not archive:
        mend = "package it with --archive, or with --image NAME --push"
        raise _problem(owner, path, "has neither an archive nor an image with the dependencies", mend)
    return Package(entry_point, archive=_beside(path, archive), conf_source=_beside(path, conf_source))


def _text(owner: str, path: Path, content: Mapping[str, Any], name: str) -> str | None:
    value = content.get(name)
    if value is not None and not isinstance(value, str):
        raise _problem(owner, path, f"has {name} {value!r}, which is no text", "package the project again")
    return value or None


def _beside(path: Path, name: str | None) -> str | None:
    return os.path.join(path.parent, name) if name else None  # noqa: PTH118 - a text, as SparkJob's paths are


def _pinned(image: str, digest: str | None) -> str:
    """Give an image by its digest, so that it is the pushed one that runs, whatever its tag says later."""
    if not digest or "@" in image:
        return image
    name, _, tag = image.rpartition(":")
    return f"{name if name and '/' not in tag else image}@{digest}"


def _problem(owner: str, path: Path, problem: str, mend: str) -> InvalidValueError:
    return InvalidValueError(f"{owner}.read", "folder", str(path), problem, mend)
