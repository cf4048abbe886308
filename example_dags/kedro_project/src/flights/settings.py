"""Settings of the project: Kedro's own."""

from __future__ import annotations
