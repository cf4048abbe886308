"""No test is forgotten by the stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.catalog import STAGES

ROOT = Path(__file__).resolve().parents[3]
TOGETHER, ALONE = STAGES["e2e"].commands
# The engine's fixture makes a test one of these, too.
END_TO_END = [
    file
    for file in sorted((ROOT / "tests").rglob("test_*.py"))
    if any(word in file.read_text(encoding="utf-8") for word in ("mark.e2e", "docker_engine"))
    and file != Path(__file__)
]


@pytest.mark.parametrize("file", END_TO_END, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_an_end_to_end_test_is_run_on_the_newest_airflow(file: Path):
    command = ALONE if "mark.alone" in file.read_text(encoding="utf-8") else TOGETHER
    folders = [ROOT / word for word in command if word.startswith("tests/")]
    assert any(file.is_relative_to(folder) for folder in folders)


def test_there_are_such_tests_of_both_sorts():
    alone = [file for file in END_TO_END if "mark.alone" in file.read_text(encoding="utf-8")]
    assert 0 < len(alone) < len(END_TO_END)


@pytest.mark.parametrize("name", STAGES)
def test_what_a_stage_runs_is_there(name: str):
    words = [word.removeprefix("--ignore=") for command in STAGES[name].commands for word in command]
    paths = [word for word in words if word.startswith("tests")]
    assert [path for path in paths if not (ROOT / path).exists()] == []
