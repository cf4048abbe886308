"""A real container engine, and the example's image in it, for the tests that need them.

They are skipped, with what the engines said, where none runs containers; with ``CI`` and
``EMRKIT_DOCKER=required`` set they fail instead, so that a CI which was to have an engine can't lose it
without a word.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from images.engine import Engine

ROOT = Path(__file__).resolve().parent.parent


def _say(line: str) -> None:
    print(f"[image] {line}", file=sys.stderr, flush=True)


@pytest.fixture(scope="session")
def docker_engine() -> Engine:
    """An engine that runs containers."""
    from images.engine import Engine, EngineError

    try:
        return Engine.find(os.environ)
    except EngineError as error:
        reason = str(error)
    return missing(reason)


@pytest.fixture(scope="session")
def example_image(docker_engine: Engine) -> str:
    """The name of the example's image, which the engine has: Python, and the package ``haversine``."""
    return example_in(docker_engine)


def missing(reason: str) -> NoReturn:
    """End a test for which there is no engine.

    :param reason: Why there is none.
    """
    if os.environ.get("CI") and os.environ.get("EMRKIT_DOCKER") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


def example_in(engine: Engine) -> str:
    """Make the example's image in an engine that does not have it; give its name."""
    from environments.catalog import Layout
    from images.example import ExampleImage

    return ExampleImage(engine, Layout(ROOT), _say).ensure()
