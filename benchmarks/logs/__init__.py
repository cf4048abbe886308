"""What it costs to bring a job's log into its task's, and whether all of it comes: emrkit and its peers."""

from __future__ import annotations
