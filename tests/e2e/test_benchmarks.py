"""A benchmark of five triggers, in Airflow's own runner: the harness works, and nothing is missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from benchmarks.scenarios import EMRKIT, Scenario
from benchmarks.schedule import Shape

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

SCENARIO = Scenario(
    "five",
    "five steps",
    Shape(5, 2, arrival=0.5, first_end=4.0, last_end=5.0),
    interval=1,
    contestants=(EMRKIT,),
    cut_off=60,
    settled=3,
)


def test_every_end_is_noticed_and_the_figures_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", Fernet.generate_key().decode())
    from benchmarks.measure import measure

    figures = measure(SCENARIO, EMRKIT, 1, tmp_path)
    assert (figures.unfinished, figures.failed) == (0, 0), figures.complaints
    assert all(0 <= latency < 30 for latency in figures.latencies)
    assert figures.seconds > SCENARIO.shape.first_end
    assert figures.calls >= SCENARIO.shape.clusters
    assert figures.refused == {}
    assert figures.cpu > 0
    assert figures.connections >= 1
