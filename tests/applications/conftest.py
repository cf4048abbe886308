from __future__ import annotations

import logging
import time
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from applications_rig import ApplicationsRig


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> float:
    """The time, in seconds since 1970: it stands still, so that only pauses are waited, and no hour ends."""
    from airflow_provider_emrkit.applications import awaited, keeping, waiting

    stands = time.time()
    for module in (awaited, waiting):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: stands))
    monkeypatch.setattr(waiting.Waiting.__init__, "__defaults__", (lambda: 0.0,))
    moment = datetime.fromtimestamp(stands, timezone.utc)
    monkeypatch.setattr(keeping, "datetime", SimpleNamespace(now=lambda _: moment))
    return stands


@pytest.fixture
def rig(localemr_server: Any, now: float) -> ApplicationsRig:
    from applications_rig import ApplicationsRig  # what it needs is Airflow's; see tests/conftest.py

    return ApplicationsRig(localemr_server)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Gives what a task's log says of applications."""
    caplog.set_level(logging.INFO)
    room = "airflow_provider_emrkit.applications"

    def lines() -> str:
        return "\n".join(f"{r.levelname} {r.getMessage()}" for r in caplog.records if r.name.startswith(room))

    return lines
