"""Tells the lines in which YARN says why a container could not be launched from what programs print. Pure.

A job's program may print Docker's words as well as its own, and what it prints says nothing about its image.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emrkit.logs.records import Record
    from airflow_provider_emrkit.logs.traces import Page

# A report begins so, within a record of Spark's or by itself. Hadoop: ContainerExecutor, ContainerLaunch.
_BEGINS = ("Exception from container-launch", "Shell error output: ", "Container exited with a non-zero exit")
_ENDS = re.compile(r"\s*ApplicationMaster host:|.{0,20}For more detailed output|\.? ?Failing the application")
# YARN's own logs name their loggers, and write each line of a report as a record.
_NODE_MANAGER = re.compile(
    r".{0,60}\bnodemanager\.[\w.]{0,80}(?:ContainerExecutor|ContainerLaunch|ContainerImpl)\b"
)
# What no program but Docker's writes: its name, and what its daemon says.
_DOCKER = "docker: Error response from daemon: "


def yarns_lines(page: Page, start: int = 0) -> Sequence[bool]:
    """Tell of each line whether YARN or Docker wrote it about a container that did not start.

    :param start: Index of the first line that is asked for.

    >>> from airflow_provider_emrkit.logs.traces import Page
    >>> yarns_lines(Page(["Shell error output: image: etl is not trusted.", "Disable mount volume", "x"]))
    [True, True, True]
    >>> yarns_lines(Page(["image: etl is not trusted."]))
    [False]
    """
    found = []
    inside = False
    for index in range(start, len(page)):
        line, record = page.lines[index], page.records[index]
        inside = _is_inside(line, record, inside)
        found.append(inside or line.startswith(_DOCKER))
    return found


def _is_inside(line: str, record: Record | None, before: bool) -> bool:
    if record is not None:
        return any(words in line for words in _BEGINS) or bool(_NODE_MANAGER.match(line))
    if _ENDS.match(line):
        return False
    return before or any(words in line for words in _BEGINS)
