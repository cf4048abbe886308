"""Which Airflow this is, among those that share applications and clusters."""

from __future__ import annotations

from airflow_provider_emrkit._compat import conf


def deployment() -> str:
    """Give the name of this Airflow: ``[emrkit] deployment``, empty by default.

    DAGs, DAG runs and tasks of two Airflows may have the same names, as in development and production. On an
    application or a cluster that both use, each would take the other's job for its own.

    >>> deployment()
    ''
    """
    return str(conf.get("emrkit", "deployment", fallback="") or "").strip()
