"""``emrkit image check``: tell whether EMR runs jobs in an image."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.images.commands.adding import (
    FAILED,
    NOTHING,
    OK,
    add_engine_option,
    say,
    say_error,
)
from airflow_provider_emrkit.images.dockerfile import EMRS_PYTHON, PLATFORMS
from airflow_provider_emrkit.images.engine import ContainerEngine, EngineError
from airflow_provider_emrkit.images.findings import Finding, Target, findings_of
from airflow_provider_emrkit.images.probing import ImageFacts, facts_of
from airflow_provider_emrkit.images.spark_needs import release_with_images
from airflow_provider_emrkit.validation import InvalidValueError, check_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.table import Table

    from airflow_provider_emrkit.images.commands.adding import Adding

OWNER = "image check"
# So that a finding stays one line where nobody looks at a terminal.
_WIDE = 1_000
# What an image says of itself is cut there.
_LONG = 500

_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}

_DESCRIPTION = """Look into an image, and tell whether YARN on EMR runs jobs in it.
Its programs are started without network, as a user it does not know. An image that is not here is pulled.

Exit code: 0 jobs run in it, 1 they don't, 3 there is no such image or no engine."""

_EXAMPLES = """examples:
  emrkit image check etl:1.4
  emrkit image check etl:1.4 --release emr-6.15.0 --arch arm64
  emrkit image check etl:1.4 --release emr-6.15.0 --json | jq '.findings[] | select(.level != "ok")'
"""


def add_to(adding: Adding) -> None:
    """Add the command to those of ``emrkit image``."""
    text = "tell whether EMR runs jobs in an image"
    parser = adding.command("check", _run, text, _EXAMPLES, _DESCRIPTION)
    parser.add_argument("image", metavar="IMAGE", help="name or id of the image")
    parser.add_argument("--release", metavar="LABEL", help="release of EMR it is for, as emr-6.15.0")
    parser.add_argument("--arch", choices=tuple(PLATFORMS), help="what the cluster's instances are")
    parser.add_argument(
        "--python",
        default=EMRS_PYTHON,
        metavar="PATH",
        help="the job's Python, where SparkJob.env sets PYSPARK_PYTHON (default: EMR's, %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--experimental-emr7", action="store_true", help="take EMR 7 too, for which AWS documents no images"
    )
    add_engine_option(parser)


def _run(given: argparse.Namespace) -> int:
    target = _target(given)
    check_text(OWNER, "IMAGE", given.image)
    try:
        facts = _facts(ContainerEngine.find(given.engine, os.environ), given.image, target.python)
    except EngineError as error:
        say_error(str(error))
        return NOTHING
    return tell_findings(facts, target, as_json=given.json)


def _target(given: argparse.Namespace) -> Target:
    if not given.python.startswith("/"):
        raise InvalidValueError(OWNER, "--python", given.python, "is no whole path", "begin it with /")
    release = (
        release_with_images(given.release, experimental_emr7=given.experimental_emr7)
        if given.release
        else None
    )
    return Target(release, given.arch, given.python)


def _facts(engine: ContainerEngine, image: str, python: str) -> ImageFacts:
    facts = facts_of(engine, image, python)
    if facts is None:
        say_error(f"{engine.name} has no image {image} here, and pulls it")
        engine.pull(image)
        facts = facts_of(engine, image, python)
    if facts is None:
        raise EngineError(
            f"{engine.name} has pulled {image}, and does not have it", "name it as it is pulled"
        )
    return facts


# --- showing it -------------------------------------------------------------------------------------------


def tell_findings(facts: ImageFacts, target: Target, *, as_json: bool = False) -> int:
    """Judge an image, and tell the user; give the exit code."""
    findings = findings_of(facts, target)
    if as_json:
        say(json.dumps(report(facts, target, findings), indent=2))
    else:
        _print(findings_table(findings))
        say(f"\n{_verdict(facts, findings, target)}")
    return FAILED if errors_in(findings) else OK


def errors_in(findings: Sequence[Finding]) -> int:
    """Count the findings with which no job runs."""
    return sum(finding.level == "error" for finding in findings)


def report(facts: ImageFacts, target: Target, findings: Sequence[Finding]) -> dict[str, Any]:
    """Give what was found as plain JSON."""
    return {
        "image": facts.name,
        "architecture": facts.architecture,
        "size": facts.size,
        "release": str(target.release.label) if target.release else None,
        "ok": not errors_in(findings),
        "looked_inside": not facts.inside.problem,
        "findings": [asdict(finding) for finding in findings],
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


def _verdict(facts: ImageFacts, findings: Sequence[Finding], target: Target) -> str:
    errors = errors_in(findings)
    where = f"on {target.release.label}" if target.release else "on EMR"
    if errors:
        return f"no: {errors} error{'s' if errors > 1 else ''} to mend before jobs run in it {where}"
    if facts.inside.problem:
        return f"perhaps: nothing is known to stand against it {where}, but what is inside was not looked at"
    told = "" if target.release else " (say --release to have its versions judged)"
    return f"yes: jobs run in it {where}{told}"


def _print(table: Table) -> None:
    from rich.console import Console

    console = Console() if sys.stdout.isatty() else Console(width=_WIDE)
    console.print(table)
