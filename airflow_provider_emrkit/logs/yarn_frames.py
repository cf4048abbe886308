"""Tells the lines in which YARN says why a container could not be launched from what programs print. Pure.

A job's program may print Docker's words as well as its own, and what it prints says nothing about its image.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_emrkit.logs.records import Record
    from airflow_provider_emrkit.logs.traces import Page

# A report begins so, within a record of Spark's or by itself. Hadoop: ContainerExecutor, ContainerLaunch.
_BEGINS = (
    "Exception from container-launch",
    "Failing this attempt.Diagnostics: ",
    "Shell error output: ",
    "Container exited with a non-zero exit",
)
_ENDS = re.compile(
    r"\s*(?:ApplicationMaster host|final status):|.{0,20}For more detailed output"
    r"|\.? ?Failing the application"
)
# YARN's own logs name their loggers, and write each line of a report as a record.
_NODE_MANAGER = re.compile(
    r".{0,60}\bnodemanager\.[\w.]{0,80}(?:ContainerExecutor|ContainerLaunch|ContainerImpl)\b"
)


def may_hold_yarns(text: str) -> bool:
    """Tell, at little cost, whether a log can hold such lines at all."""
    return any(words in text for words in (*_BEGINS, "nodemanager."))


def yarns_lines(page: Page, start: int = 0) -> list[int]:
    """Give the lines that YARN or Docker wrote about a container that did not start, by their indices.

    :param start: Index of the first line that is asked for.

    >>> from airflow_provider_emrkit.logs.traces import Page
    >>> yarns_lines(Page(["fine", "Shell error output: image: etl is not trusted.", "Disable mount volume"]))
    [1, 2]
    >>> yarns_lines(Page(["docker: Error response from daemon: no such image"]))
    []
    """
    found = []
    inside = False
    for index in range(start, len(page)):
        line = page.lines[index]
        inside = _is_inside(line, page.records[index], inside)
        if inside:
            found.append(index)
    return found


def _is_inside(line: str, record: Record | None, before: bool) -> bool:
    # A logger's next line; Docker, too, begins its own with WARNING.
    if record is not None and (record.spark or line[:1].isdigit()):
        return any(words in line for words in _BEGINS) or bool(_NODE_MANAGER.match(line))
    if _ENDS.match(line):
        return False
    return before or any(words in line for words in _BEGINS)
