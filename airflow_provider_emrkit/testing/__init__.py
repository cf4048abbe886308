"""A local EMR for tests: with pytest by its fixtures, and without.

The public names are imported when they are first used: the pytest plugin of this package is loaded in every
test run of everybody who has it installed.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from airflow_provider_emrkit.testing.cluster import LocalCluster as LocalCluster
    from airflow_provider_emrkit.testing.cluster import LocalClusterError as LocalClusterError
    from airflow_provider_emrkit.testing.local_emr import LocalEmr as LocalEmr
    from airflow_provider_emrkit.testing.local_emr import MissingExtraError as MissingExtraError
    from airflow_provider_emrkit.testing.step import FinishedStep as FinishedStep
    from airflow_provider_emrkit.testing.step import StepFailedError as StepFailedError

_LAZY_IMPORTS = {
    "FinishedStep": "step",
    "LocalCluster": "cluster",
    "LocalClusterError": "cluster",
    "LocalEmr": "local_emr",
    "MissingExtraError": "local_emr",
    "StepFailedError": "step",
}

__all__ = [
    "FinishedStep",
    "LocalCluster",
    "LocalClusterError",
    "LocalEmr",
    "MissingExtraError",
    "StepFailedError",
]


def __getattr__(name: str) -> object:
    module = _LAZY_IMPORTS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
