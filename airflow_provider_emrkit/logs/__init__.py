"""Logs of a job: where they are, reading them once and in order, and the cause of a failure in them."""

from __future__ import annotations
