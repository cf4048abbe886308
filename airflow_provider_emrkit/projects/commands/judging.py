"""What ``emrkit package --check`` tells of an archive that another tool has packed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.commands.adding import FAILED, OK, say
from airflow_provider_emrkit.images.commands.check import print_findings
from airflow_provider_emrkit.projects.archive_check import check_archive
from airflow_provider_emrkit.projects.detect import OWNER
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emrkit.images.findings import Finding
    from airflow_provider_emrkit.projects.archive_check import ArchiveTarget


def judge_archive(path: str, target: ArchiveTarget, *, as_json: bool = False) -> int:
    """Tell whether the Python of an archive runs on EMR; give the exit code.

    :raises InvalidValueError: when there is no such file.
    """
    try:
        findings = list(check_archive(Path(path), target))
    except OSError as error:
        problem = f"can't be read: {error.strerror or error}"
        raise InvalidValueError(OWNER, "--check", path, problem, "name a .tar.gz") from error
    if as_json:
        say(json.dumps([asdict(one) for one in findings], indent=2))
    else:
        print_findings(findings)
        say(_verdict(findings, f"on {target.release_label}, {target.architecture}"))
    return FAILED if any(one.level == "error" for one in findings) else OK


def _verdict(findings: Sequence[Finding], where: str) -> str:
    levels = [one.level for one in findings]
    if errors := levels.count("error"):
        return f"no: {errors} to mend before its Python runs {where}"
    if "warning" in levels:
        return f"perhaps: see the warnings before its Python is to run {where}"
    return f"yes: its Python runs {where}"
