"""``emrkit local reset``: begin with nothing again."""

from __future__ import annotations

import sys
import urllib.request
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.instance import InstanceError, Status, fetch_health, locked
from airflow_provider_emrkit.localemr.launcher import clear
from airflow_provider_emrkit.localemr.persistence.files import (
    remove_state,
    size_text,
    state_bytes,
    state_files,
)
from airflow_provider_emrkit.localemr.router import RESET_PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

# Ending clusters takes a while: their steps are given time to end.
_TIMEOUT = 120.0


def reset(status: Status | None, data_dir: Path, *, yes: bool, say: Callable[[str], None]) -> bool:
    """Empty an instance, whether it runs or not.

    :param status: The instance; None when none runs.
    :param yes: Whether the user need not be asked. Nobody is asked who is not at a terminal.
    :param say: Called with lines for the user.
    :return: False when the user said no.
    :raises InstanceError: when it can't be emptied.
    """
    if status is None and not state_files(data_dir):
        say(f"there is nothing to remove in {data_dir}")
        return True
    what = f"the local EMR at {status.url}" if status else f"the local EMR of {data_dir}, which does not run"
    if not yes and not _agrees(f"Remove all clusters, runs, S3 objects and everything else of {what}?"):
        say("nothing was removed")
        return False
    say(_reset_running(status) if status else _reset_stopped(data_dir))
    return True


def _agrees(question: str) -> bool:
    if not sys.stdin.isatty():
        return True
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _reset_running(status: Status) -> str:
    health = fetch_health(status.url) or {}
    # Not through a proxy, whatever the environment says: the address is this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(status.url + RESET_PATH, method="POST")  # noqa: S310 - http, our own
    try:
        with opener.open(request, timeout=_TIMEOUT):
            pass
    except OSError as error:
        raise InstanceError(f"the local EMR at {status.url} could not be emptied: {error}") from error
    return (
        f"emptied the local EMR at {status.url}: {_counted(health)}, and the content of S3 and all services"
    )


def _counted(health: Mapping[str, Mapping[str, int]]) -> str:
    return ", ".join(f"{sum(health.get(kind, {}).values())} {kind}" for kind in ("clusters", "steps"))


def _reset_stopped(data_dir: Path) -> str:
    clear(data_dir)
    size = state_bytes(data_dir)
    with locked(data_dir):
        try:
            names = remove_state(data_dir)
        except OSError as error:
            raise InstanceError(f"{error.filename} can't be removed: {error.strerror}") from error
    return f"removed {size_text(size)} from {data_dir}: {', '.join(names)}"
