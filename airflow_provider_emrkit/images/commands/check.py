"""``emrkit image check``: tell whether EMR runs jobs in an image."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.images.checking import Checked, checked
from airflow_provider_emrkit.images.commands.adding import (
    FAILED,
    NOTHING,
    OK,
    add_engine_option,
    say,
    say_error,
)
from airflow_provider_emrkit.images.commands.targeting import SERVERLESS, add_target_options, target_of
from airflow_provider_emrkit.images.dockerfile import PLATFORMS
from airflow_provider_emrkit.images.engine import ContainerEngine, EngineError
from airflow_provider_emrkit.images.yarn_dockerfile import EMRS_PYTHON
from airflow_provider_emrkit.validation import InvalidValueError, check_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.table import Table

    from airflow_provider_emrkit.images.commands.adding import Adding
    from airflow_provider_emrkit.images.findings import Finding, Target

OWNER = "image check"
# So that a finding stays one line where nobody looks at a terminal.
_WIDE = 1_000
# What an image says of itself is cut there.
_LONG = 500

_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}

_DESCRIPTION = """Look into an image, and tell whether EMR runs jobs in it: YARN, or EMR Serverless.
Its programs are started without network, as the user of a job. An image that is not here is pulled.

Exit code: 0 jobs run in it, 1 they don't, 3 there is no such image or no engine."""

_EXAMPLES = """examples:
  emrkit image check etl:1.4
  emrkit image check etl:1.4 --release emr-6.15.0 --arch arm64
  emrkit image check etl:1.4 --target serverless --release emr-7.11.0 --import etl --run
  emrkit image check etl:1.4 --release emr-6.15.0 --json | jq '.findings[] | select(.level != "ok")'
"""


def add_to(adding: Adding) -> None:
    """Add the command to those of ``emrkit image``."""
    text = "tell whether EMR runs jobs in an image"
    parser = adding.command("check", _run, text, _EXAMPLES, _DESCRIPTION)
    parser.add_argument("image", metavar="IMAGE", help="name or id of the image")
    parser.add_argument("--release", metavar="LABEL", help="release of EMR it is for, as emr-6.15.0")
    parser.add_argument("--arch", choices=tuple(PLATFORMS), help="what instances or application are")
    parser.add_argument(
        "--python",
        metavar="PATH",
        help="the job's Python, where SparkJob.env sets PYSPARK_PYTHON (default: that of the image's own "
        f"PYSPARK_PYTHON on EMR Serverless, else EMR's, {EMRS_PYTHON})",
    )
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="serverless: a module that the job's Python has to be able to import (may be repeated)",
    )
    parser.add_argument(
        "--run",
        dest="runs",
        action="store_true",
        help="serverless: run a small PySpark job in it, too, where nothing else is wrong (up to a minute)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_target_options(parser)
    add_engine_option(parser)


def _run(given: argparse.Namespace) -> int:
    target = _target(given)
    check_text(OWNER, "IMAGE", given.image)
    try:
        found = _checked(ContainerEngine.find(given.engine, os.environ), given.image, target)
    except EngineError as error:
        say_error(str(error))
        return NOTHING
    return tell_findings(found, as_json=given.json)


def _target(given: argparse.Namespace) -> Target:
    if given.python is not None and not given.python.startswith("/"):
        raise InvalidValueError(OWNER, "--python", given.python, "is no whole path", "begin it with /")
    if given.runs and given.target != SERVERLESS:
        problem = "is for EMR Serverless: on YARN, Spark is not in the image"
        raise InvalidValueError(OWNER, "--run", True, problem, "leave it out")
    for module in given.modules:
        if given.target != SERVERLESS:
            problem = "is for EMR Serverless: on YARN, PySpark is not in the image"
            raise InvalidValueError(OWNER, "--import", module, problem, "leave it out")
        if not all(part.isidentifier() for part in module.split(".")):
            raise InvalidValueError(
                OWNER, "--import", module, "is no name of a module", "write it like etl.io"
            )
    target = target_of(given, python=given.python, modules=tuple(given.modules))
    return replace(target, runs=given.runs)


def _checked(engine: ContainerEngine, image: str, target: Target) -> Checked:
    found = checked(engine, image, target)
    if found is None:
        say_error(f"{engine.name} has no image {image} here, and pulls it")
        engine.pull(image)
        found = checked(engine, image, target)
    if found is None:
        raise EngineError(
            f"{engine.name} has pulled {image}, and does not have it", "name it as it is pulled"
        )
    return found


# --- showing it -------------------------------------------------------------------------------------------


def tell_findings(found: Checked, *, as_json: bool = False) -> int:
    """Tell the user what was found in an image; give the exit code."""
    if as_json:
        say(json.dumps(report(found), indent=2))
    else:
        print_findings(found.findings)
        say(f"\n{_verdict(found)}")
    return FAILED if found.errors else OK


def report(found: Checked) -> dict[str, Any]:
    """Give what was found as plain JSON."""
    facts, release = found.facts, found.target.release
    return {
        "image": facts.name,
        "target": found.target.kind,
        "architecture": facts.architecture,
        "size": facts.size,
        "release": str(release.label) if release else None,
        "ok": not found.errors,
        "looked_inside": not facts.inside.problem,
        "findings": [asdict(finding) for finding in found.findings],
    }


def findings_table(findings: Sequence[Finding]) -> Table:
    """Lay out findings, one in a row, with its mend below it."""
    from rich.table import Table
    from rich.text import Text

    from airflow_provider_emrkit.logs.text import one_line

    table = Table(box=None, show_header=False, pad_edge=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for finding in findings:
        # As Text, which takes nothing for markup.
        level = Text(finding.level, style=_STYLES[finding.level])
        table.add_row(level, Text(finding.subject), Text(one_line(finding.text, _LONG)))
        if finding.mend:
            table.add_row("", "", Text(f"mend: {one_line(finding.mend, _LONG)}", style="dim"))
    return table


def _verdict(found: Checked) -> str:
    errors, target = found.errors, found.target
    emr = "EMR Serverless" if target.is_serverless else "EMR"
    where = f"on {emr}"
    if target.release:
        where = f"on {target.release.label}" + (f" of {emr}" if target.is_serverless else "")
    if errors:
        return f"no: {errors} error{'s' if errors > 1 else ''} to mend before jobs run in it {where}"
    if found.facts.inside.problem:
        return f"perhaps: nothing is known to stand against it {where}, but what is inside was not looked at"
    told = "" if target.release else " (say --release to have its versions judged)"
    return f"yes: jobs run in it {where}{told}"


def print_findings(findings: Sequence[Finding]) -> None:
    """Show findings to the user."""
    from rich.console import Console

    console = Console() if sys.stdout.isatty() else Console(width=_WIDE)
    console.print(findings_table(findings))
