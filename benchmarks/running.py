"""Starts the measurements, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet

from benchmarks.figures import Figures
from benchmarks.logs.figures import LogFigures
from benchmarks.logs.scenarios import LogScenario
from benchmarks.pools.figures import PlacementFigures
from benchmarks.pools.scenarios import PlacementScenario
from benchmarks.scenarios import FLOOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.scenarios import Scenario

ROOT = Path(__file__).resolve().parents[1]

# What a user has set for their own Airflow or AWS account must not change what is measured.
_SCRUBBED = ("AIRFLOW_", "AWS_", "BOTO", "PYTHON")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")

# At the same time, of those that may be measured together.
LANES = 2

Measurement = tuple["Scenario", str]
AnyFigures = Figures | LogFigures | PlacementFigures


class MeasurementError(Exception):
    """A run could not be measured."""


def in_order(scenarios: Sequence[Scenario], contestants: Sequence[str]) -> list[list[Measurement]]:
    """Give the measurements to make, in groups whose members may be made at the same time.

    A group has the same contestant throughout, so that nobody is measured beside a heavier one.

    :param contestants: Those who take part.
    """
    groups: list[list[Measurement]] = []
    together: dict[str, list[Measurement]] = {}
    for scenario in scenarios:
        for name in (one for one in (FLOOR, *scenario.contestants) if one in contestants):
            if not scenario.together:
                groups.append([(scenario, name)])
            elif name in together:
                together[name].append((scenario, name))
            else:
                groups.append(together.setdefault(name, [(scenario, name)]))
    return groups


def run(
    groups: Sequence[Sequence[Measurement]], seed: int, say: Callable[[str], None]
) -> Iterator[AnyFigures]:
    """Make the measurements.

    :param say: Told what is being measured.
    :raises MeasurementError: when one breaks down.
    """
    for group in groups:
        say("; ".join(f"{name}: {scenario.title}" for scenario, name in group))
        with ThreadPoolExecutor(LANES) as lanes:
            yield from lanes.map(lambda one: _measure(one[0], one[1], seed), group)


def environ(user: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Give the environment of a measurement.

    :param folder: Its Airflow home.
    """
    kept = {
        name: value
        for name, value in user.items()
        if not name.startswith(_SCRUBBED) and name.lower() not in _PROXIES
    }
    return {
        **kept,
        "AIRFLOW_HOME": str(folder),
        # Triggers are encrypted on their way to the triggerer.
        "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(folder / "no-aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-aws-credentials"),
    }


def _kind(scenario: Scenario) -> tuple[str, type[AnyFigures]]:
    """Give the program that measures a scenario, and what it prints."""
    if isinstance(scenario, PlacementScenario):
        return "benchmarks.pools.measure", PlacementFigures
    if isinstance(scenario, LogScenario):
        return "benchmarks.logs.measure", LogFigures
    return "benchmarks.measure", Figures


def _measure(scenario: Scenario, contestant: str, seed: int) -> AnyFigures:
    program, figures = _kind(scenario)
    with tempfile.TemporaryDirectory(prefix="emrkit-bench-") as folder:
        command = [
            *(sys.executable, "-m", program, scenario.name, contestant),
            *("--seed", str(seed), "--folder", folder),
        ]
        done = subprocess.run(
            command, cwd=ROOT, env=environ(os.environ, Path(folder)), stdout=subprocess.PIPE, check=False
        )
    if done.returncode != 0:
        raise MeasurementError(f"{contestant} could not be measured in {scenario.name}; see above")
    # Airflow may say something on standard output before.
    return figures(**json.loads(done.stdout.splitlines()[-1]))
