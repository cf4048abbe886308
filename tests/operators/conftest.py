from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from airflow_fixtures import emr, emrkit_connection, task_log, ti, wait_for, waiting_cluster  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    """Logs that never come are not waited for."""
    monkeypatch.setenv("AIRFLOW__EMRKIT__S3_LOG_WAIT", "0.1")


@pytest.fixture
def waits_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deferrable tasks wait for no application on their worker, and the triggerer is quick."""
    monkeypatch.setattr("airflow_provider_emrkit.applications.waiting.HERE", 0.0)
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE", "LONGEST_BUSY_PAUSE"):
        monkeypatch.setattr(f"airflow_provider_emrkit.triggers.application.{name}", 0.05)


@pytest.fixture
def when_told(task_log: Any) -> Iterator[Callable[[str, Callable[[], object]], None]]:  # noqa: F811
    """Does something as soon as a triggerer's log tells what it waits for."""
    threads = []

    def wait_and_act(what: str, act: Callable[[], object]) -> None:
        said = "Waiting in the triggerer: application"
        wait_for(lambda: any(said in line and what in line for line in task_log.lines))
        act()

    def when_told(what: str, act: Callable[[], object]) -> None:
        threads.append(threading.Thread(target=wait_and_act, args=(what, act)))
        threads[-1].start()

    yield when_told
    for thread in threads:
        thread.join(20)
