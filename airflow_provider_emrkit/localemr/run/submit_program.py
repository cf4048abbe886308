"""The ``spark-submit`` (``spark-sql``, ``pyspark``, …) that scripts of a cluster find first in PATH.

It translates its arguments as a step's own spark-submit would be, and becomes Spark's program of the same
name; in deploy mode cluster it is the client of an application that the cluster runs.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from airflow_provider_emrkit.localemr.run.programs import EXAMPLES
from airflow_provider_emrkit.localemr.run.yarn_wire import YarnAddress, YarnGoneError, ask
from airflow_provider_emrkit.localemr.spark.examples import (
    NoSuchExampleError,
    example_arguments,
    without_examples_jar,
)
from airflow_provider_emrkit.localemr.spark.image import ImageRules, requested_image
from airflow_provider_emrkit.localemr.spark.submit import (
    FILE_OPTIONS,
    Machine,
    Submission,
    parse,
    translate,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_APPLICATION_TOOL = "spark-submit"


def write_settings(
    path: Path,
    machine: Machine,
    defaults: Mapping[str, str],
    *,
    fast_collector: str,
    yarn: YarnAddress,
) -> None:
    """Write what :func:`main` reads, for nobody else's eyes.

    :param defaults: The cluster's ``spark-defaults``.
    :param fast_collector: The JVM option that a job with a collector of its own must not get.
    :param yarn: Where the cluster's service listens.
    """
    settings = {
        "machine": asdict(machine),
        "defaults": dict(defaults),
        "fast_collector": fast_collector,
        "yarn": asdict(yarn),
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(settings), encoding="utf-8")


def main(argv: Sequence[str]) -> NoReturn:
    """Become Spark's program, or the client of an application.

    :param argv: Path of the settings, name of the program, its arguments.
    """
    path, tool, *args = argv
    settings = json.loads(Path(path).read_text(encoding="utf-8"))
    machine = Machine(**{**settings["machine"], "class_path": tuple(settings["machine"]["class_path"])})
    if tool in EXAMPLES or tool == _APPLICATION_TOOL:
        tool, args = _APPLICATION_TOOL, _with_examples(tool, args, machine.spark_home)
    submission = translate(args, machine, settings["defaults"])
    if tool == _APPLICATION_TOOL and submission.deploy_mode == "cluster":
        sys.exit(_submit(YarnAddress(**settings["yarn"]), rooted(args, Path.cwd())))
    _become(tool, submission, settings["fast_collector"])


def _with_examples(tool: str, args: Sequence[str], spark_home: str) -> list[str]:
    to_ours = example_arguments if tool in EXAMPLES else without_examples_jar
    try:
        return to_ours(args, spark_home)
    except NoSuchExampleError as error:
        sys.exit(str(error))


def rooted(args: Sequence[str], directory: Path) -> list[str]:
    """Name files by their full paths.

    :param args: Arguments of ``spark-submit``.
    :param directory: What relative paths are relative to.
    """
    line = parse(args)
    out: list[str] = []
    for name, value in line.options:
        out.append(name)
        if value is not None:
            # A driver elsewhere would not find them under a relative path.
            parts = value.split(",") if name in FILE_OPTIONS else []
            out.append(",".join(_full(part, directory) for part in parts) if parts else value)
    return [*out, *(_full(text, directory) for text in line.rest[:1]), *line.rest[1:]]


def _full(text: str, directory: Path) -> str:
    name, found, alias = text.strip().partition("#")
    is_there = name and "://" not in name and (directory / name).exists()
    return f"{directory / name}{found}{alias}" if is_there else text


def _submit(address: YarnAddress, args: Sequence[str]) -> int:
    code = 1
    try:
        for answer in ask(address, action="submit", args=list(args)):
            if "line" in answer:
                print(answer["line"], file=sys.stderr, flush=True)
            code = int(answer.get("exit", code))
    except YarnGoneError as error:
        print(f"spark-submit: {error}", file=sys.stderr)
        return 1
    return code


def _become(tool: str, submission: Submission, fast_collector: str) -> NoReturn:
    asked = requested_image(submission.conf, "client", ImageRules())
    if asked:
        print(
            f"localemr: this runs outside of {asked.image}, in which EMR would run the executors; in deploy "
            "mode cluster it runs inside.",
            file=sys.stderr,
            flush=True,
        )
    program = f"{os.environ['SPARK_HOME']}/bin/{tool}"
    environment = {**os.environ, **submission.env}
    if submission.own_collector:
        options = environment.get("SPARK_SUBMIT_OPTS", "")
        environment["SPARK_SUBMIT_OPTS"] = options.replace(fast_collector, "")
    try:
        os.execve(program, [program, *submission.args], environment)  # noqa: S606 - becoming that program is the purpose
    except OSError as error:
        sys.exit(f"{tool}: {program} can't be started: {error}")
