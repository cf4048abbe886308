"""Bootstrap actions: really run, in order, in the cluster's own environment."""

from __future__ import annotations

import functools
import hashlib
import os
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.run.bootstrap_failure import not_downloaded, returned
from airflow_provider_emrkit.localemr.run.commands import CommandError, script_command
from airflow_provider_emrkit.localemr.run.environment import command_environment, package_index_environment
from airflow_provider_emrkit.localemr.run.failures import failure_line
from airflow_provider_emrkit.localemr.run.logged_process import own_home
from airflow_provider_emrkit.localemr.run.outputs import LogPlace
from airflow_provider_emrkit.localemr.run.process import SESSION_FILE, StepProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from airflow_provider_emrkit.localemr.run.outputs import OpenLogs
    from airflow_provider_emrkit.localemr.run.step import StepContext

_LOGS = ("controller", "stdout", "stderr")
_LOOK_EVERY = 1.0
"""Seconds between two looks whether the cluster is still wanted."""


def run_bootstrap_actions(
    actions: Sequence[Mapping[str, Any]], context: StepContext, progress: Callable[[str], None]
) -> None:
    """Run a cluster's bootstrap actions one after the other.

    :param actions: EMR's ``BootstrapActions`` list, as sent.
    :raises ClusterStartError: with code ``BOOTSTRAP_FAILURE`` for the first one that fails.
    """
    for number, action in enumerate(actions, start=1):
        still_wanted = functools.partial(progress, f"bootstrap action {number}: {action.get('Name', '')}")
        still_wanted()
        script = action.get("ScriptBootstrapAction") or {}
        args = [str(arg) for arg in script.get("Args") or ()]
        _run(number, str(script.get("Path", "")), args, context, still_wanted)


def _run(
    number: int, path: str, args: Sequence[str], context: StepContext, still_wanted: Callable[[], None]
) -> None:
    # Below steps/, so that a restart finds and ends its processes like those of a step.
    directory = context.place.steps / f"bootstrap-{number}"
    (directory / "work" / "tmp").mkdir(parents=True)
    instance = master_instance_id(context.cluster_id)
    where = f"node/{instance}/bootstrap-actions/{number}"
    # Not to CloudWatch: EMR does not send these logs there.
    outputs = replace(context.outputs, target=None)
    logs = outputs.open(directory, {name: LogPlace(None, f"{where}/{name}") for name in _LOGS})
    try:
        process = _start(path, args, context, directory, logs)
        logs.read(dict(zip(("stdout", "stderr"), process.pipes, strict=True)))
        code = _wait(process, directory, still_wanted)
        logs.finish_reading()
        logs.control(f"INFO waitProcessCompletion ended with exit code {code} : {path}")
        logs.control(
            "INFO Execution succeeded" if code == 0 else f"ERROR Execution failed with code '{code}'"
        )
    except (CommandError, OSError) as error:
        logs["stderr"].write_lines([str(error)])
        raise not_downloaded(instance, number, path, str(error)) from error
    finally:
        logs.close()
    if code:
        # EMR says no more than that; what is not on S3 is gone with the cluster.
        why = None if outputs.location else failure_line(logs["stderr"].path, logs["stdout"].path)
        raise returned(instance, number, path, code, why or "")


def _start(
    path: str, args: Sequence[str], context: StepContext, directory: Path, logs: OpenLogs
) -> StepProcess:
    work = directory / "work"
    logs.control(f"INFO Fetching file '{path}'")
    script = context.fetch(path, work)
    home = own_home(context.place, directory)
    env = {
        **command_environment(context.place, work, own_home=home),
        **package_index_environment(os.environ),
    }
    logs.control(f"INFO startExec {shlex.join([path, *args])!r}")
    return StepProcess.start([*script_command(script), *args], env=env, cwd=work, directory=directory)


def _wait(process: StepProcess, directory: Path, still_wanted: Callable[[], None]) -> int:
    try:
        while (code := process.wait_for(_LOOK_EVERY)) is None:
            still_wanted()
    except BaseException:
        process.cancel(force=True)
        process.wait()
        raise
    (directory / SESSION_FILE).unlink(missing_ok=True)
    return code


def master_instance_id(cluster_id: str) -> str:
    """Give the EC2 instance id of a cluster's only node: ``i-`` and 17 hex digits, always the same."""
    return f"i-{hashlib.sha256(cluster_id.encode()).hexdigest()[:17]}"
