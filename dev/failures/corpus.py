"""Writes the corpus: a folder for each failure, with its logs and the truth about it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CORPUS = Path(__file__).resolve().parents[2] / "tests" / "logs" / "corpus"


@dataclass(frozen=True)
class Entry:
    """One failure as it is written down.

    :param name: Name of its folder.
    :param truth: What ``truth.json`` holds.
    :param logs: File name → lines.

    >>> Entry("missing-module-3.5-client", {"contains": "No module"}, {"stderr.log": ["…"]})  # doctest: +SKIP
    """

    name: str
    truth: Mapping[str, object]
    logs: Mapping[str, Sequence[str]]


def write(entry: Entry, corpus: Path = CORPUS) -> Path:
    """Write a failure's folder anew."""
    folder = corpus / entry.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    truth = json.dumps(entry.truth, indent=2, ensure_ascii=False)
    (folder / "truth.json").write_text(f"{truth}\n", encoding="utf-8")
    for name, lines in entry.logs.items():
        if lines:
            (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder
