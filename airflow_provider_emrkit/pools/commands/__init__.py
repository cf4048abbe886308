"""``emrkit pool``: pools on the command line, without Airflow where nothing is changed."""

from __future__ import annotations
