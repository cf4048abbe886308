"""Bootstrap actions: really run, in order, in the cluster's own environment."""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.run.commands import CommandError, script_command
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError
from airflow_provider_emrkit.localemr.run.environment import command_environment, package_index_environment
from airflow_provider_emrkit.localemr.run.failures import tail, telling_line
from airflow_provider_emrkit.localemr.run.logs import LogStream, PipeReader
from airflow_provider_emrkit.localemr.run.process import StepProcess
from airflow_provider_emrkit.localemr.run.s3_logs import S3Logs
from airflow_provider_emrkit.localemr.run.step import SESSION_FILE, StepContext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_CODE = "BOOTSTRAP_FAILURE"
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
    work = directory / "work"
    (work / "tmp").mkdir(parents=True)
    streams = [LogStream(directory / name) for name in ("stdout", "stderr")]
    where = _log_folder(number, context)
    upload = _upload(context, where, directory)
    try:
        process = _start(path, args, context, work)
        readers = [PipeReader(pipe, stream) for pipe, stream in zip(process.pipes, streams, strict=True)]
        try:
            code = _wait(process, directory, still_wanted)
        finally:
            for reader in readers:
                reader.finish()
    except (CommandError, OSError) as error:
        streams[1].write_lines([str(error)])
        raise ClusterStartError(f"bootstrap action {number} could not be started: {error}", _CODE) from error
    finally:
        if upload:
            upload.close()
    if code:
        line = telling_line(tail(streams[1].path), tail(streams[0].path))
        log_file = context.log_location.uri(f"{where}/stderr.gz") if context.log_location else streams[1].path
        detail = f" ({line})" if line else ""
        raise ClusterStartError(
            f"bootstrap action {number} returned a non-zero return code {code}{detail}; see {log_file}", _CODE
        )


def _start(path: str, args: Sequence[str], context: StepContext, work: Path) -> StepProcess:
    script = context.fetch(path, work)
    env = {**command_environment(context.place, work), **package_index_environment(os.environ)}
    return StepProcess([*script_command(script), *args], env=env, cwd=work, mark=secrets.token_hex(16))


def _wait(process: StepProcess, directory: Path, still_wanted: Callable[[], None]) -> int:
    try:
        process.session.save(directory / SESSION_FILE)
        while (code := process.wait(_LOOK_EVERY)) is None:
            still_wanted()
    except BaseException:
        process.cancel(force=True)
        process.wait()
        raise
    (directory / SESSION_FILE).unlink(missing_ok=True)
    return code


def _log_folder(number: int, context: StepContext) -> str:
    return f"node/{master_instance_id(context.cluster_id)}/bootstrap-actions/{number}"


def master_instance_id(cluster_id: str) -> str:
    """Give the EC2 instance id of a cluster's only node: ``i-`` and 17 hex digits, always the same."""
    return f"i-{hashlib.sha256(cluster_id.encode()).hexdigest()[:17]}"


def _upload(context: StepContext, where: str, directory: Path) -> S3Logs | None:
    if context.log_location is None:
        return None
    files = {f"{where}/{name}": directory / name for name in ("stdout", "stderr")}
    return S3Logs(context.s3_client, context.log_location, files)
