from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from applications_rig import ApplicationsRig


@pytest.fixture
def rig(localemr_server: Any) -> ApplicationsRig:
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
