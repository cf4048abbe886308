"""A module that a job gets by ``--py-files``."""

from __future__ import annotations

GREETING = "hello from a --py-files module"
