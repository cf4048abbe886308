"""The ``spark-submit`` (``spark-sql``, ``pyspark``, …) that scripts of a cluster find first in PATH.

It translates its arguments as a step's own spark-submit would be, and becomes Spark's program of the same
name.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from airflow_provider_emrkit.localemr.run.environment import FAST_COLLECTOR
from airflow_provider_emrkit.localemr.spark.submit import Machine, Submission, translate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def write_settings(path: Path, machine: Machine, defaults: Mapping[str, str]) -> None:
    """Write what :func:`main` reads: the machine and the cluster's ``spark-defaults``."""
    path.write_text(json.dumps({"machine": asdict(machine), "defaults": dict(defaults)}), encoding="utf-8")


def read_submission(settings: Path, args: Sequence[str]) -> Submission:
    """Translate arguments by the cluster's settings."""
    data = json.loads(settings.read_text(encoding="utf-8"))
    fields = {**data["machine"], "class_path": tuple(data["machine"]["class_path"])}
    return translate(args, Machine(**fields), data["defaults"])


def main(argv: Sequence[str]) -> NoReturn:
    """Become Spark's program.

    :param argv: Path of the settings, name of the program, its arguments.
    """
    settings, tool, *args = argv
    submission = read_submission(Path(settings), args)
    program = f"{os.environ['SPARK_HOME']}/bin/{tool}"
    environment = {**os.environ, **submission.env}
    if submission.own_collector:
        options = environment.get("SPARK_SUBMIT_OPTS", "")
        environment["SPARK_SUBMIT_OPTS"] = options.replace(FAST_COLLECTOR, "")
    try:
        os.execve(program, [program, *submission.args], environment)  # noqa: S606 - becoming that program is the purpose
    except OSError as error:
        sys.exit(f"{tool}: {program} can't be started: {error}")
