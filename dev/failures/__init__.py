"""Jobs that fail on purpose, and what collects their logs into the corpus of the tests."""

from __future__ import annotations
