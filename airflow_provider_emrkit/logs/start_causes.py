"""Finds why a cluster did not come up in what its bootstrap actions and installations wrote. Pure."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from airflow_provider_emrkit.logs.causes import cause_at
from airflow_provider_emrkit.logs.exceptions import exceptions_in
from airflow_provider_emrkit.logs.traces import Page, Standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emrkit.logs.causes import Cause, LogText

# What scripts write that says nothing: traces of `set -x`, pip's and yum's advice, progress.
_NOISE = re.compile(
    r"\s*$|\++ |WARNING: (?:Running pip as|You are using pip)|\[?notice\]?:? |You should consider upgrading"
    r"|DEPRECATION: |.{0,80}\d{1,3}%|\s{0,8}(?:Collecting|Downloading|Using cached|Preparing|Building) "
    r"|Installing collected|Requirement |Loaded plugins: |Complete!|Warning: |hint: |note: "
    r"|.{0,60}(?:waitProcessCompletion|startExec|Command exiting with|total process run time)"
    r"|Traceback \(most recent|.{0,60}(?:Error is not recoverable|Child returned status)"
)
# The words by which a line says that something went wrong.
_TELLS = re.compile(
    r"(?i)error\b|\bE: |fatal|no such |cannot |can't |could ?n[o']t |unable to |denied|fail(?:ed|ure)"
    r"|not found|no matching|no space left|timed? ?out|unbound variable|unexpected|invalid|not permitted"
    r"|unrecognized|no package|refused|exceeded|killed"
)


def find_start_cause(texts: Sequence[LogText]) -> Cause | None:
    """Find the line that tells why a bootstrap action, or an installation, failed.

    :param texts: The ends of what it wrote, stderr first.
    :return: None when it says nothing.
    """
    pages = [(text, Page(text.lines)) for text in texts]
    for text, page in pages:
        traces = [trace for trace in exceptions_in(page) if trace.standing is Standing.FATAL]
        after = _last(page, _TELLS, since=traces[-1].last) if traces else None
        if traces and after is None:
            trace = traces[-1]
            return cause_at(
                text, trace.message, "bootstrap", trace.line, (trace.first, trace.last), trace.place
            )
    for wanted in (_TELLS, re.compile("")):
        for text, page in pages:
            line = _last(page, wanted)
            if line is not None:
                return cause_at(text, page.lines[line], "bootstrap", line, (line, line))
    return None


def _last(page: Page, wanted: re.Pattern[str], since: int = -1) -> int | None:
    """Give the last line that holds what is wanted; one that a logger calls less than a warning does not."""
    for index in range(len(page) - 1, since, -1):
        record = page.records[index]
        if record is not None and record.level < logging.WARNING:
            continue
        if not _NOISE.match(page.lines[index]) and wanted.search(page.lines[index]):
            return index
    return None
