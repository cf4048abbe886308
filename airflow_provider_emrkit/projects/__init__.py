"""Taking a Python project to EMR: its wheel, its libraries, its configuration, and how Spark starts it."""

from __future__ import annotations
