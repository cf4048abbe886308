"""What it costs to place a job on a cluster of a pool."""

from __future__ import annotations
