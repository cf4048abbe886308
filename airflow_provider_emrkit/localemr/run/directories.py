"""Names in a data directory of what is there only while a server runs."""

from __future__ import annotations

CLUSTERS = "clusters"
"""Holds a directory for each cluster."""
JOBS = "jobs"
"""Holds a directory for each job run of EMR Serverless."""
HISTORY = "history"
"""The history server's own."""
TEMPORARY = "tmp"
"""Temporary files of the server itself."""
