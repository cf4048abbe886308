"""Which workers an application can have from its start, and how many. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.serverless.errors import validation_error
from airflow_provider_emrkit.localemr.serverless.workers import Size, size_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.releases import Release

# By a worker's vCPU: the least and the most memory (GB), and the steps between.
_MEMORY = {1: (2, 8, 1), 2: (4, 16, 1), 4: (8, 30, 1), 8: (16, 60, 4), 16: (32, 120, 8)}
_LEAST_DISK, _MOST_DISK, _MOST_SHUFFLE_DISK = 20, 200, 2000


def check_capacity(settings: Mapping[str, Any], known: Release) -> None:
    """Refuse workers that EMR Serverless does not have, and more of them than the application may have.

    :param known: The application's release.
    :raises ApiError: ``ValidationException``.
    """
    whole = Size()
    for name, initial in settings.get("initialCapacity", {}).items():
        config = initial.get("workerConfiguration")
        if config:
            _check_worker(name, config, known)
            whole += size_of(config) * initial["workerCount"]
    maximum = settings.get("maximumCapacity", {})
    if maximum and not whole.fits(maximum):
        raise validation_error(
            f"initialCapacity of {whole.cpu} vCPU, {whole.memory_gb} GB memory and {whole.disk_gb} GB disk "
            "is more than the application's maximumCapacity."
        )


def _check_worker(name: str, config: Mapping[str, str], known: Release) -> None:
    size = size_of(config)
    if size.cpu not in _MEMORY:
        sizes = ", ".join(map(str, _MEMORY))
        raise validation_error(
            f"Worker cpu {config['cpu']!r} of {name} is not valid; it must be one of {sizes}."
        )
    low, high, step = _MEMORY[size.cpu]
    if not low <= size.memory_gb <= high or size.memory_gb % step:
        raise validation_error(
            f"Worker memory {config['memory']!r} of {name} is not valid: with {size.cpu} vCPU it must be "
            f"{low} to {high} GB, in steps of {step} GB."
        )
    is_shuffle = config.get("diskType", "").upper() == "SHUFFLE_OPTIMIZED"
    if is_shuffle and not known.supports("serverless_shuffle_disks"):
        raise validation_error(
            f"diskType SHUFFLE_OPTIMIZED of {name} is not supported by release {known.label}; "
            "use emr-7.1.0 or later."
        )
    most = _MOST_SHUFFLE_DISK if is_shuffle else _MOST_DISK
    if not _LEAST_DISK <= size.disk_gb <= most:
        raise validation_error(
            f"Worker disk {config['disk']!r} of {name} is not valid; it must be {_LEAST_DISK} to {most} GB."
        )
