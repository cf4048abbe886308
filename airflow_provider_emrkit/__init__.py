"""Run Spark on Amazon EMR from Airflow: write one job, say where it runs.

The public names are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

# Not imported from typing, which would be the slowest part of importing this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from airflow_provider_emrkit.compute.application_spec import ApplicationSpec as ApplicationSpec
    from airflow_provider_emrkit.compute.bootstrap import BootstrapAction as BootstrapAction
    from airflow_provider_emrkit.compute.cluster_spec import ClusterSpec as ClusterSpec
    from airflow_provider_emrkit.compute.docker_on_yarn import DockerOnYarn as DockerOnYarn
    from airflow_provider_emrkit.compute.instances import EbsVolumes as EbsVolumes
    from airflow_provider_emrkit.compute.instances import InstanceRole as InstanceRole
    from airflow_provider_emrkit.compute.managed_scaling import ManagedScaling as ManagedScaling
    from airflow_provider_emrkit.compute.pool import ClusterPool as ClusterPool
    from airflow_provider_emrkit.compute.serverless import ServerlessApplication as ServerlessApplication
    from airflow_provider_emrkit.compute.sizes import ClusterSize as ClusterSize
    from airflow_provider_emrkit.compute.sizes import load_sizes as load_sizes
    from airflow_provider_emrkit.compute.targets import DynamicCluster as DynamicCluster
    from airflow_provider_emrkit.compute.targets import ExistingCluster as ExistingCluster
    from airflow_provider_emrkit.compute.workers import Workers as Workers
    from airflow_provider_emrkit.hooks.logs import CloudWatchLogsHook as CloudWatchLogsHook
    from airflow_provider_emrkit.jobs.docker_image import DockerImage as DockerImage
    from airflow_provider_emrkit.jobs.python_project import KedroProject as KedroProject
    from airflow_provider_emrkit.jobs.python_project import PythonProject as PythonProject
    from airflow_provider_emrkit.jobs.spark_job import SparkJob as SparkJob
    from airflow_provider_emrkit.logs.wishes import LogStream as LogStream
    from airflow_provider_emrkit.operators.application import (
        EmrApplicationDeleteOperator as EmrApplicationDeleteOperator,
    )
    from airflow_provider_emrkit.operators.application import (
        EmrApplicationSetUpOperator as EmrApplicationSetUpOperator,
    )
    from airflow_provider_emrkit.operators.application import (
        EmrApplicationStartOperator as EmrApplicationStartOperator,
    )
    from airflow_provider_emrkit.operators.application import (
        EmrApplicationStopOperator as EmrApplicationStopOperator,
    )
    from airflow_provider_emrkit.operators.pool import EmrPoolDeleteOperator as EmrPoolDeleteOperator
    from airflow_provider_emrkit.operators.pool import EmrPoolDrainOperator as EmrPoolDrainOperator
    from airflow_provider_emrkit.operators.pool import EmrPoolResizeOperator as EmrPoolResizeOperator
    from airflow_provider_emrkit.operators.pool import EmrPoolWarmUpOperator as EmrPoolWarmUpOperator
    from airflow_provider_emrkit.operators.spark import EmrSparkOperator as EmrSparkOperator
    from airflow_provider_emrkit.pools.configured import load_pools as load_pools
    from airflow_provider_emrkit.sensors.pool import EmrPoolSensor as EmrPoolSensor
    from airflow_provider_emrkit.task_groups import EmrApplicationGroup as EmrApplicationGroup
    from airflow_provider_emrkit.validation import InvalidValueError as InvalidValueError

_LAZY_IMPORTS = {
    "ApplicationSpec": "airflow_provider_emrkit.compute.application_spec",
    "BootstrapAction": "airflow_provider_emrkit.compute.bootstrap",
    "CloudWatchLogsHook": "airflow_provider_emrkit.hooks.logs",
    "ClusterPool": "airflow_provider_emrkit.compute.pool",
    "ClusterSize": "airflow_provider_emrkit.compute.sizes",
    "ClusterSpec": "airflow_provider_emrkit.compute.cluster_spec",
    "DockerImage": "airflow_provider_emrkit.jobs.docker_image",
    "DockerOnYarn": "airflow_provider_emrkit.compute.docker_on_yarn",
    "DynamicCluster": "airflow_provider_emrkit.compute.targets",
    "EbsVolumes": "airflow_provider_emrkit.compute.instances",
    "EmrApplicationDeleteOperator": "airflow_provider_emrkit.operators.application",
    "EmrApplicationGroup": "airflow_provider_emrkit.task_groups",
    "EmrApplicationSetUpOperator": "airflow_provider_emrkit.operators.application",
    "EmrApplicationStartOperator": "airflow_provider_emrkit.operators.application",
    "EmrApplicationStopOperator": "airflow_provider_emrkit.operators.application",
    "EmrPoolDeleteOperator": "airflow_provider_emrkit.operators.pool",
    "EmrPoolDrainOperator": "airflow_provider_emrkit.operators.pool",
    "EmrPoolResizeOperator": "airflow_provider_emrkit.operators.pool",
    "EmrPoolSensor": "airflow_provider_emrkit.sensors.pool",
    "EmrPoolWarmUpOperator": "airflow_provider_emrkit.operators.pool",
    "EmrSparkOperator": "airflow_provider_emrkit.operators.spark",
    "ExistingCluster": "airflow_provider_emrkit.compute.targets",
    "InstanceRole": "airflow_provider_emrkit.compute.instances",
    "InvalidValueError": "airflow_provider_emrkit.validation",
    "KedroProject": "airflow_provider_emrkit.jobs.python_project",
    "LogStream": "airflow_provider_emrkit.logs.wishes",
    "ManagedScaling": "airflow_provider_emrkit.compute.managed_scaling",
    "PythonProject": "airflow_provider_emrkit.jobs.python_project",
    "ServerlessApplication": "airflow_provider_emrkit.compute.serverless",
    "SparkJob": "airflow_provider_emrkit.jobs.spark_job",
    "Workers": "airflow_provider_emrkit.compute.workers",
    "load_pools": "airflow_provider_emrkit.pools.configured",
    "load_sizes": "airflow_provider_emrkit.compute.sizes",
}

__all__ = [
    "ApplicationSpec",
    "BootstrapAction",
    "CloudWatchLogsHook",
    "ClusterPool",
    "ClusterSize",
    "ClusterSpec",
    "DockerImage",
    "DockerOnYarn",
    "DynamicCluster",
    "EbsVolumes",
    "EmrApplicationDeleteOperator",
    "EmrApplicationGroup",
    "EmrApplicationSetUpOperator",
    "EmrApplicationStartOperator",
    "EmrApplicationStopOperator",
    "EmrPoolDeleteOperator",
    "EmrPoolDrainOperator",
    "EmrPoolResizeOperator",
    "EmrPoolSensor",
    "EmrPoolWarmUpOperator",
    "EmrSparkOperator",
    "ExistingCluster",
    "InstanceRole",
    "InvalidValueError",
    "KedroProject",
    "LogStream",
    "ManagedScaling",
    "PythonProject",
    "ServerlessApplication",
    "SparkJob",
    "Workers",
    "load_pools",
    "load_sizes",
]


def __getattr__(name: str) -> object:
    module = _LAZY_IMPORTS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
