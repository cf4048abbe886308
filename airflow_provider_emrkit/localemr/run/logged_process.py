"""A command in a place, whose output goes into logs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_emrkit.localemr.engine.process import ContainerJob, ContainerProcess
from airflow_provider_emrkit.localemr.engine.script import inside
from airflow_provider_emrkit.localemr.engine.settings import IS_LINUX
from airflow_provider_emrkit.localemr.run.environment import Place, command_environment
from airflow_provider_emrkit.localemr.run.executor_logs import ExecutorLogs
from airflow_provider_emrkit.localemr.run.process import StepProcess
from airflow_provider_emrkit.localemr.spark.own_home import WORK, make_own_home
from airflow_provider_emrkit.localemr.spark.submit import named_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.localemr.run.commands import Command
    from airflow_provider_emrkit.localemr.run.executor_logs import Containers
    from airflow_provider_emrkit.localemr.run.outputs import OpenLogs
    from airflow_provider_emrkit.localemr.spark.image import ImageRequest

Process = StepProcess | ContainerProcess


class Folders(NamedTuple):
    """The directories of one command.

    :param own: Holds its logs, and the file that says how to find its processes.
    :param work: Its working directory.
    """

    own: Path
    work: Path


def start_logged(
    command: Command,
    place: Place,
    folders: Folders,
    logs: OpenLogs,
    *,
    owner: str,
    env: Mapping[str, str],
    containers: Containers | None = None,
) -> Process:
    """Start a command; what it writes goes to the logs ``stdout`` and ``stderr``.

    :param owner: Id by which its Spark applications are found.
    :param env: Variables on top of the place's; what can't be a variable is left out.
    :param containers: Where the logs of its executors go, when these are processes.
    :raises OSError: when it can't be started.
    :raises ValueError: when its arguments can't be given to a process.
    """
    home = own_home(place, folders.own)
    base = command_environment(
        place, folders.work, own_collector=command.own_collector, owner=owner, own_home=home
    )
    process: Process
    if command.image:
        # YARN's own setting stands above an image's, EMR Serverless has none.
        python = "" if command.image.home else "python3"
        whole = inside(base, place.exported, variables(env), python)
        process = _in_container(command, command.image, place, folders, owner, whole)
    else:
        whole = {**base, **variables(env)}
        if not (Path(whole["JAVA_HOME"]) / "bin" / "java").is_file():
            # One of EMR's own Javas, which jobs name to choose among them.
            whole["JAVA_HOME"] = os.fspath(place.java_home)
        process = StepProcess.start(command.argv, env=whole, cwd=folders.work, directory=folders.own)
    logs.read(dict(zip(("stdout", "stderr"), process.pipes, strict=True)))
    if home and containers:
        logs.executors = ExecutorLogs(home / WORK, folders.own / "executors", containers)
    return process


def _in_container(
    command: Command, image: ImageRequest, place: Place, folders: Folders, owner: str, env: Mapping[str, str]
) -> ContainerProcess:
    if place.containers is None:
        raise ValueError("no container can be made here")
    files = () if image.home else named_files(command.argv[1:])
    # The Java is this machine's, whichever of an EMR node's the job names.
    java = {"JAVA_HOME": os.fspath(place.java_home)} if IS_LINUX else {}
    env = {**{key: value for key, value in env.items() if key != "JAVA_HOME"}, **java}
    job = ContainerJob(image, command.argv, env, folders.work, folders.own, owner, files)
    return ContainerProcess(job, place.containers)


def own_home(place: Place, directory: Path) -> Path | None:
    """Make a SPARK_HOME of a command's own, in its directory; None where executors are no processes.

    :raises OSError: when it can't be made.
    """
    return make_own_home(directory / "spark", place.spark_home) if place.executors == "processes" else None


def variables(env: Mapping[str, str]) -> dict[str, str]:
    """Leave out what can't be a variable: a NUL can't be in one, and a name has no ``=``."""
    return {key: value for key, value in env.items() if key and "=" not in key and "\0" not in key + value}
