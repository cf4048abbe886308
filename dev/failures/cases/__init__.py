"""All failures, by theme."""

from __future__ import annotations

from failures.cases import endings, executors, jvm, python_code, resources, sql, submission, surroundings

CASES = tuple(
    case
    for theme in (surroundings, python_code, endings, executors, sql, jvm, submission, resources)
    for case in theme.CASES
)
