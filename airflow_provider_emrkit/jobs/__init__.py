"""What runs: jobs as plain data, compiled to arguments of ``spark-submit``. No AWS and no Airflow in here."""

from __future__ import annotations
