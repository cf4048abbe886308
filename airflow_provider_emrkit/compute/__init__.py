"""Where it runs: clusters as plain data, compiled to EMR requests. No AWS and no Airflow in here."""

from __future__ import annotations
