"""Every test process gets an Airflow home of its own and no way to a real AWS account.

This happens in ``pytest_configure``, before a test module (and with it Airflow or boto3) is imported;
processes that tests start inherit it.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).resolve().parent.parent
_OURS = pytest.StashKey[Path]()

# What a user has set for their own Airflow, AWS account or boto must not decide how a test ends.
_SCRUBBED = ("AIRFLOW_", "AWS_", "BOTO")


def _with_local_addresses(no_proxy: str) -> str:
    """Add this machine to a ``NO_PROXY`` list: the tests' servers listen on it."""
    hosts = [host for host in no_proxy.split(",") if host]
    return ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))


def _environment(user: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return the variables to set, given the user's environment and an empty directory."""
    no_proxy = _with_local_addresses(user.get("NO_PROXY") or user.get("no_proxy", ""))
    return {
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "airflow" / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        # Files that do not exist: profiles and role chains of ~/.aws are not found.
        "AWS_CONFIG_FILE": str(home / "no-aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "no-aws-credentials"),
        # Spark and Java are downloaded once, for the demo and the tests together.
        "EMRKIT_CACHE_DIR": user.get("EMRKIT_CACHE_DIR", str(REPOSITORY / ".cache" / "emrkit")),
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }


def pytest_configure(config: pytest.Config) -> None:
    """Replace the user's settings with the tests' own, once per process (so also in each xdist worker)."""
    home = Path(tempfile.mkdtemp(prefix="emrkit-tests-"))
    (home / "airflow" / "dags").mkdir(parents=True)
    config.stash[_OURS] = home
    settings = _environment(os.environ, home)
    for name in [name for name in os.environ if name.startswith(_SCRUBBED)]:
        del os.environ[name]
    os.environ.update(settings)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count what takes a real container engine among the end-to-end tests, before they are chosen from."""
    for item in items:
        if "docker_engine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.e2e)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to begin where Airflow would write into what tests read.

    Airflow 3's log goes to the ``sys.stdout`` of the moment it is imported. While a directory's conftest is
    loaded, that is the process's own, which capfd reads; while a test file is, it is pytest's. Airflow 2's
    handler keeps no stream: it asks for ``sys.stdout`` whenever it writes, so that it is not meant here.
    """
    streams = [vars(handler).get("stream") for handler in logging.getLogger().handlers]
    if session.config.option.capture != "no" and sys.stdout in streams:
        raise pytest.UsageError(
            "a conftest.py imports Airflow at its top; do it in the fixture that needs it"
        )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the process's Airflow home."""
    if _OURS in config.stash:
        shutil.rmtree(config.stash[_OURS], ignore_errors=True)


@pytest.fixture(autouse=True)
def _no_worker_has_deferred(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triggers that a test runs by itself have no worker whose end Airflow would have to learn of first."""
    monkeypatch.setattr("airflow_provider_emrkit.triggers.settling.WORKER_ENDS_WITHIN", 0.0)


# The fixtures localemr_server and wheel; test directories are no packages, so modules are found by path.
sys.path.append(str(Path(__file__).parent))
from built_wheel import wheel  # noqa: E402, F401
from docker_engine import docker_engine, example_image  # noqa: E402, F401
from localemr_fixtures import _localemr_process, localemr_server  # noqa: E402, F401
