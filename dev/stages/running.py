"""Run one stage and remember how it ended."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from environments.catalog import ENVIRONMENTS, Layout
from environments.problems import BootstrapError, SkippedError
from environments.registry import without_misleading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from environments.build import Builder
    from stages.catalog import Stage

PASSED, FAILED, SKIPPED = "passed", "FAILED", "skipped"

# "=== 812 passed, 3 skipped in 41.20s (0:00:41) ===", with or without colours
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PYTEST_END = re.compile(r"^=+ (.*\bin [0-9.]+s.*?) =+$", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """How a stage ended.

    :param result: ``passed``, ``FAILED`` or ``skipped``.
    :param seconds: How long it took, the making of its environments included.
    :param detail: pytest's closing line, the command that failed, or why it was skipped.
    """

    stage: Stage
    result: str
    seconds: float
    detail: str


def closing_line(output: str) -> str | None:
    """Return the text of pytest's last summary line."""
    found = _PYTEST_END.findall(_COLOUR.sub("", output).replace("\r", ""))
    return found[-1] if found else None


def stage_environ(layout: Layout, stage: Stage, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the user's environment with the stage's commands first on PATH."""
    path = os.pathsep.join([str(layout.bin(stage.environment)), environ.get("PATH", os.defpath)])
    return {
        **without_misleading(environ),
        "PATH": path,
        "VIRTUAL_ENV": str(layout.directory(stage.environment)),
    }


def run_stage(stage: Stage, layout: Layout, builder: Builder, environ: Mapping[str, str]) -> Outcome:
    """Make what a stage needs, run its commands, and tell how it ended; never raises for a failing stage."""
    started = time.monotonic()

    def ended(result: str, detail: str) -> Outcome:
        return Outcome(stage, result, time.monotonic() - started, detail)

    try:
        for name in (stage.environment, *stage.needs):
            builder.ensure(ENVIRONMENTS[name])
    except SkippedError as reason:
        return ended(SKIPPED, f"because {reason}")
    except BootstrapError as error:
        print(error, file=sys.stderr)
        return ended(FAILED, error.what)
    details, failed = _run_commands(stage, layout, stage_environ(layout, stage, environ))
    return ended(FAILED if failed else PASSED, "; ".join(details))


def _run_commands(stage: Stage, layout: Layout, environ: Mapping[str, str]) -> tuple[list[str], bool]:
    details, failed = [], False
    for command in stage.commands:
        # A shell line to copy, before what it prints.
        print(f"\n[{stage.name}] {' '.join(command)}", flush=True)
        code, output = _tee([str(layout.bin(stage.environment) / command[0]), *command[1:]], layout, environ)
        line = closing_line(output)
        if code != 0:
            failed = True
            details.append(f"{' '.join(command[:3])}: exit code {code}" + (f" ({line})" if line else ""))
        elif line:
            details.append(line)
    return details, failed


def _tee(argv: Sequence[str], layout: Layout, environ: Mapping[str, str]) -> tuple[int, str]:
    """Run a command below the repository's folder, show what it writes as it comes, and return it too."""
    seen = bytearray()
    with subprocess.Popen(
        argv,
        cwd=layout.root,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        if process.stdout is None:
            raise AssertionError("a pipe was asked for")
        while chunk := os.read(process.stdout.fileno(), 65536):
            seen += chunk
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
    return process.returncode, seen.decode(errors="replace")
