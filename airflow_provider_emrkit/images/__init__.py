"""Images for Spark jobs: a container engine that builds, checks and pushes them. Without Airflow."""

from __future__ import annotations
