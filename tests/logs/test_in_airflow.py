"""What becomes of a job's lines in the logs of the installed Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import airflow_logs
import pytest
from airflow_logs import KILLED, LAST, PASSWORD, SECRET, TOKEN, job_lines

SCRIPT = Path(airflow_logs.__file__)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder, result = tmp_path_factory.mktemp("logs"), tmp_path_factory.mktemp("result") / "shown.json"
    environment = {**os.environ, "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder)}
    command = [sys.executable, str(SCRIPT), str(folder), str(result)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shown: dict[str, Any] = json.loads(result.read_text())
    return shown


def texts(entries: list[list[str]]) -> list[str]:
    return [text for _, text in entries]


def test_every_writer_s_lines_are_in_its_file(shown):
    assert [len(shown[name]) for name in ("trigger.1", "trigger.2", "worker")] == [KILLED, 200, LAST]


def test_lines_that_are_written_again_are_shown_once_and_in_order(shown):
    """By a triggerer that was started again, and by the worker at the end."""
    masked = [line.text for line in job_lines()]
    for secret in (PASSWORD, TOKEN, SECRET):
        masked = [text.replace(secret, "***") for text in masked]
    assert texts(shown["merged"]) == [f"[stdout] {text}" for text in masked]


@pytest.mark.parametrize(
    "secret", [PASSWORD, TOKEN, SECRET], ids=["secret key", "session token", "of Airflow"]
)
def test_secrets_stay_masked_whoever_writes(shown, secret):
    assert not any(secret in text for entries in shown.values() for text in texts(entries))
    assert "[stdout] keys *** *** ***" in texts(shown["trigger.1"])


def test_a_line_has_its_level(shown):
    assert [level for level, text in shown["merged"] if "ERROR Main" in text] == ["error"]


def test_no_line_can_be_taken_for_one_of_airflow_s_own(shown):
    assert all(text.startswith("[stdout] ") for text in texts(shown["merged"]))
