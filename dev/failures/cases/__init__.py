"""All failures, by theme."""

from __future__ import annotations

from failures.cases import jvm, python_code, resources, sql, submission

CASES = (*python_code.CASES, *sql.CASES, *jvm.CASES, *submission.CASES, *resources.CASES)
