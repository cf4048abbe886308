"""The command line of the processes that measure once."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def print_measured(scenarios: Sequence[Any], measure: Callable[[Any, str, int, Path], Any]) -> None:
    """Measure what the command line names, and print the figures as JSON.

    :param scenarios: Those there are, each with a ``name``.
    :param measure: Runs a scenario with a contestant, a seed and an empty folder; gives a dataclass.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("scenario")
    parser.add_argument("contestant")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    scenario = next(one for one in scenarios if one.name == arguments.scenario)
    print(json.dumps(asdict(measure(scenario, arguments.contestant, arguments.seed, arguments.folder))))
