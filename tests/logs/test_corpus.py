"""What is found in the logs of jobs that failed for known reasons.

The logs were collected by ``dev/collect_failures.py``; each folder of ``corpus`` holds the truth about them.
"""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emrkit.logs.causes import Cause, LogText, find_cause
from airflow_provider_emrkit.runs.classify import Verdict, classify
from airflow_provider_emrkit.runs.states import RunState, RunStatus

CORPUS = Path(__file__).with_name("corpus")
FOLDERS = sorted(path for path in CORPUS.iterdir() if path.is_dir())

MOST_LINES = 1_000
MOST_BYTES = 1_500_000
# The most telling log first, as step_failure.read_facts puts them.
ORDER = ("stdout", "stderr", "submit", "submit stdout", "executor", "bootstrap", "node", "controller")

OF_THIS_MACHINE = re.compile(
    r"/root\b|/work/|/home/(?!hadoop)|/Users/|\.pyenv|/\.cache/|localemr-|127\.0\.0\.1"
)
SECRETS = re.compile(
    r"AKIA[A-Z0-9]{16}|ASIA[A-Z0-9]{16}|(?i:secret.?access.?key|session.?token|password)\S{0,3}[=:]"
)


@dataclass
class Failure:
    """A folder of the corpus."""

    folder: Path

    @cached_property
    def truth(self) -> dict[str, Any]:
        return json.loads((self.folder / "truth.json").read_text(encoding="utf-8"))

    def logs(self) -> list[Path]:
        return sorted(self.folder.glob("*.log"))

    @cached_property
    def texts(self) -> list[LogText]:
        found = [(label(path), path.read_text(encoding="utf-8").splitlines()) for path in self.logs()]
        found.sort(key=lambda one: rank(one[0]))
        return [LogText(f"{name} in s3://logs/j-1/{name}.gz", lines) for name, lines in found]

    @cached_property
    def cause(self) -> Cause:
        return find_cause(self.texts, self.truth["emr_says"])

    def verdict(self) -> Verdict:
        return classify(self.status(), self.cause)

    def status(self) -> RunStatus:
        truth = self.truth
        said = {name.removeprefix("cluster_"): truth[name] for name in truth if name.startswith("cluster_")}
        state = RunState[truth.get("state", "FAILED")]
        return RunStatus(
            state,
            state.name,
            truth["emr_says"],
            compute_state=said.get("state", ""),
            compute_code=said.get("code", ""),
            compute_message=said.get("message", ""),
        )


def label(path: Path) -> str:
    """Give the label of the lines of a log, e.g. ``executor 2 stderr``."""
    return path.stem.replace("-", " ")


def rank(name: str) -> tuple[int, str]:
    exact = ORDER.index(name) if name in ORDER else ORDER.index(name.split()[0])
    return exact, name


ALL = {folder.name: Failure(folder) for folder in FOLDERS}
FAILURES = [pytest.param(failure, id=name) for name, failure in ALL.items()]


@pytest.mark.parametrize("failure", FAILURES)
def test_the_cause_that_is_found_is_the_true_one(failure):
    truth, cause = failure.truth, failure.cause
    assert truth["contains"] in cause.message
    assert cause.about == truth["about"]
    assert cause.place == truth["place"]


@pytest.mark.parametrize("failure", FAILURES)
def test_the_logs_tell_it_without_emr_s_words(failure):
    # The local EMR quotes the telling line more often than EMR does.
    assert failure.truth["contains"] in find_cause(failure.texts, "Unknown Error.").message


@pytest.mark.parametrize("failure", FAILURES)
def test_the_line_it_was_found_in_says_so(failure):
    cause = failure.cause
    text = next((text for text in failure.texts if text.name == cause.source), None)
    if text is None:
        assert cause.source == ""
        assert failure.truth["contains"] in failure.truth["emr_says"]
    else:
        assert any(cause.message[:30] in line for line in text.lines[cause.line - 1 : cause.line + 2])


@pytest.mark.parametrize("failure", FAILURES)
def test_the_exception_of_the_task_is_the_right_one(failure):
    assert failure.verdict().error.__name__ == failure.truth["error"]


def test_the_table_of_all_failures():
    rows = [("failure", "Spark", "cause", "where", "error")]
    for name, failure in ALL.items():
        cause, truth = failure.cause, failure.truth
        error = failure.verdict().error.__name__
        found = truth["contains"] in cause.message and error == truth["error"]
        mark = "" if found else "(wrong) "
        rows.append((name, truth["spark"], mark + cause.message[:90], cause.place, error))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    assert not [row[0] for row in rows if row[2].startswith("(wrong)")]


def test_there_are_failures_of_all_kinds_and_sparks():
    truths = [failure.truth for failure in ALL.values()]
    kinds = {re.sub(r"-\d\.\d-(client|cluster)$", "", name) for name in ALL}
    assert len(kinds) >= 40
    assert len({truth["spark"] for truth in truths}) >= 3
    assert {truth["deploy_mode"] for truth in truths} == {"client", "cluster"}
    composed = [truth for truth in truths if truth["how"].startswith("composed")]
    assert len(composed) <= len(truths) / 5


def test_each_failure_says_what_it_must():
    wanted = {"spark", "release", "deploy_mode", "emr_says", "contains", "about", "error", "place", "how"}
    assert [name for name, failure in ALL.items() if not wanted <= failure.truth.keys()] == []
    assert [name for name, failure in ALL.items() if not failure.logs()] == []


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(OF_THIS_MACHINE, id="places of a machine"),
        pytest.param(re.compile(rf"\b{re.escape(socket.gethostname())}[.:/]"), id="its name"),
        pytest.param(SECRETS, id="secrets"),
    ],
)
def test_the_corpus_holds_no(pattern):
    held = [
        f"{path.relative_to(CORPUS)}: {match[0]}"
        for path in sorted(CORPUS.glob("*/*.*"))
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
    ]
    assert held == []


def test_the_corpus_is_small():
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    long = [path for path in files if len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES]
    assert long == []
