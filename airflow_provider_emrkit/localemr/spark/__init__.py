"""Real Apache Spark on this machine: which version, how it is installed, configured and submitted to."""

from __future__ import annotations
