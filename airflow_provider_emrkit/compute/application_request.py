"""Requests to EMR Serverless, made of specs: CreateApplication and UpdateApplication."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.application_spec import IMAGE_FIELDS
from airflow_provider_emrkit.compute.configurations import in_lower_case
from airflow_provider_emrkit.compute.overrides import merged
from airflow_provider_emrkit.frozen import thaw
from airflow_provider_emrkit.jobs.image_reference import ImageReference
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.compute.application_spec import ApplicationSpec
    from airflow_provider_emrkit.compute.defaults import ApplicationDefaults
    from airflow_provider_emrkit.compute.workers import Workers

APPLICATION_TAG = "emrkit:application"
"""Tag of an application that emrkit made: its name."""

SPEC_TAG = "emrkit:spec"
"""Tag that says what the application was made or last updated to: see :func:`spec_digest`."""

UPDATING = "updating"
"""Value of that tag from before an update until the application is known to be as a spec says."""

ENGINE = "SPARK"

DEFAULT_CONCURRENT_RUNS = 15
DEFAULT_QUEUE_MINUTES = 360

# What EMR Serverless calls the workers of Spark: in initialCapacity, and in workerTypeSpecifications.
_CAPACITY_NAMES = {"drivers": "DRIVER", "executors": "EXECUTOR"}
_IMAGE_NAMES = {"driver_image": "Driver", "executor_image": "Executor"}
_WORKER_TYPES = "workerTypeSpecifications"
# CreateApplication alone takes these.
_CREATION_ONLY = ("name", "type")
# What takes a setting away again: a member that is left out of UpdateApplication stays as it was.
# maximumCapacity is missing, as its cpu and memory are required: it can be changed, but not taken away.
_NOTHING: Mapping[str, Any] = {
    "initialCapacity": {},
    "networkConfiguration": {},
    "imageConfiguration": {},
    _WORKER_TYPES: {name: {"imageConfiguration": {}} for name in _IMAGE_NAMES.values()},
    "runtimeConfiguration": [],
}
# Members that overrides alone set: those that are taken away whole, and those whose parts are switched off.
_OVERRIDDEN = ("diskEncryptionConfiguration", "identityCenterConfiguration")
_SWITCHES = ("interactiveConfiguration", "jobLevelCostAllocationConfiguration")


def create_application_request(spec: ApplicationSpec, defaults: ApplicationDefaults) -> dict[str, Any]:
    """Compile an application to CreateApplication's input, without ``clientToken``.

    :param spec: The application, rendered.
    :param defaults: What the connection says, for what the spec leaves open.
    :raises InvalidValueError: when an image is in another region.

    >>> from airflow_provider_emrkit import ApplicationSpec
    >>> from airflow_provider_emrkit.compute.defaults import ApplicationDefaults
    >>> request = create_application_request(ApplicationSpec("sales", "emr-7.11.0"), ApplicationDefaults())
    >>> request["type"], request["tags"]["emrkit:application"]
    ('SPARK', 'sales')
    """
    _check_region(spec, defaults.region_name)
    request = _settings(spec, defaults)
    own = {APPLICATION_TAG: spec.name, SPEC_TAG: _digest(request)}
    return {**request, "tags": {**spec.tags, **own}}


def update_application_request(
    spec: ApplicationSpec, defaults: ApplicationDefaults, application: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Compile an application to UpdateApplication's input, without ``applicationId`` and ``clientToken``.

    It says everything that the spec says, and empties what an earlier spec may have set; a queue's limits
    become EMR Serverless' own again. A maximum capacity can be changed, but not taken away, as EMR's API
    requires its members.

    :param spec: The application, rendered.
    :param defaults: What the connection says, for what the spec leaves open.
    :param application: GetApplication's ``application``, as it is now; only what it has is emptied.
    """
    request = merged(_emptied(application), _settings(spec, defaults))
    return {member: value for member, value in request.items() if member not in _CREATION_ONLY}


def _emptied(application: Mapping[str, Any] | None) -> dict[str, Any]:
    """Give what empties the settings of an application; without one, all that can be emptied."""
    nothing: dict[str, Any] = thaw(_NOTHING)
    if application is None:
        return nothing
    emptied = {member: value for member, value in nothing.items() if application.get(member)}
    if _WORKER_TYPES in emptied:
        held = {name.lower() for name in application[_WORKER_TYPES]}
        found = {name: value for name, value in nothing[_WORKER_TYPES].items() if name.lower() in held}
        emptied[_WORKER_TYPES] = found
    # Not every boto3 knows these; one that shows them does.
    if application.get("schedulerConfiguration"):  # EMR shows its own, too
        emptied["schedulerConfiguration"] = _queue(None, None)
    emptied.update({member: {} for member in _OVERRIDDEN if application.get(member)})
    for member in _SWITCHES:
        if on := [name for name, value in application.get(member, {}).items() if value is True]:
            emptied[member] = dict.fromkeys(on, False)
    return emptied


def spec_digest(spec: ApplicationSpec, defaults: ApplicationDefaults) -> str:
    """Give a digest, 16 hex digits, that differs when the settings of an application are to be different.

    Its tags are no settings: they change without an update.

    :param spec: The application, rendered.
    :param defaults: What the connection says, for what the spec leaves open.
    """
    return _digest(_settings(spec, defaults))


def _check_region(spec: ApplicationSpec, region: str | None) -> None:
    """Check that images are where the application is, as far as that is known.

    https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/application-custom-image.html
    """
    for field in IMAGE_FIELDS if region else ():
        uri = getattr(spec, field)
        ecr = ImageReference.parse(uri).ecr if uri else None
        if ecr is not None and ecr.region != region:
            problem = (
                f"is in ECR of {ecr.region}, and EMR Serverless takes images of its own region, {region}"
            )
            raise InvalidValueError("ApplicationSpec", field, uri, problem, f"copy it to ECR of {region}")


def _digest(settings: Mapping[str, Any]) -> str:
    canonical = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _settings(spec: ApplicationSpec, defaults: ApplicationDefaults) -> dict[str, Any]:
    """Give all that a spec says, but for its tags."""
    request: dict[str, Any] = {
        "name": spec.name,
        "releaseLabel": spec.release_label,
        "type": ENGINE,
        "architecture": spec.architecture,
        "initialCapacity": _initial_capacity(spec),
        "maximumCapacity": _maximum_capacity(spec),
        "autoStartConfiguration": {"enabled": spec.auto_start},
        "autoStopConfiguration": _auto_stop(spec),
        "networkConfiguration": _network(spec),
        "imageConfiguration": _image(spec, spec.image),
        _WORKER_TYPES: _worker_types(spec),
        "runtimeConfiguration": in_lower_case(thaw(spec.configurations)),
        "monitoringConfiguration": _monitoring(spec, defaults),
        "schedulerConfiguration": _scheduler(spec),
    }
    request = {member: value for member, value in request.items() if value not in (None, [], {})}
    return merged(request, spec.overrides)


def _initial_capacity(spec: ApplicationSpec) -> dict[str, Any]:
    given = {name: getattr(spec, field) for field, name in _CAPACITY_NAMES.items()}
    return {name: _workers(workers) for name, workers in given.items() if workers is not None}


def _workers(workers: Workers) -> dict[str, Any]:
    config = {
        "cpu": f"{workers.cpu} vCPU",
        "memory": f"{workers.memory_gb} GB",
        "disk": f"{workers.disk_gb} GB" if workers.disk_gb else None,
        "diskType": workers.disk_type,
    }
    given = {member: value for member, value in config.items() if value is not None}
    return {"workerCount": workers.count, "workerConfiguration": given}


def _maximum_capacity(spec: ApplicationSpec) -> dict[str, str]:
    sizes = {"cpu": (spec.max_cpu, "vCPU"), "memory": (spec.max_memory_gb, "GB")}
    sizes["disk"] = (spec.max_disk_gb, "GB")
    return {member: f"{size} {unit}" for member, (size, unit) in sizes.items() if size is not None}


def _auto_stop(spec: ApplicationSpec) -> dict[str, Any]:
    if spec.idle_minutes is None:
        return {"enabled": False}
    return {"enabled": True, "idleTimeoutMinutes": spec.idle_minutes}


def _network(spec: ApplicationSpec) -> dict[str, Any]:
    given = {"subnetIds": spec.subnet_ids, "securityGroupIds": spec.security_group_ids}
    return {member: list(ids) for member, ids in given.items() if ids}


def _image(spec: ApplicationSpec, uri: str | None) -> dict[str, Any]:
    if uri is None:
        return {}
    asked = spec.resolve_digests_at_start
    return {"imageUri": uri, **({} if asked is None else {"applicationLevelDigestResolution": asked})}


def _worker_types(spec: ApplicationSpec) -> dict[str, Any]:
    given = {name: getattr(spec, field) for field, name in _IMAGE_NAMES.items()}
    return {name: {"imageConfiguration": _image(spec, uri)} for name, uri in given.items() if uri is not None}


def _monitoring(spec: ApplicationSpec, defaults: ApplicationDefaults) -> dict[str, Any]:
    """Say where logs go; a member that were left out would stay as it was when an application is updated."""
    log_group, log_uri = spec.log_group or defaults.log_group, spec.log_uri or defaults.log_uri
    to_cloudwatch: dict[str, Any] = {"enabled": spec.cloudwatch_logs}
    if spec.cloudwatch_logs and log_group:
        to_cloudwatch["logGroupName"] = log_group
    return {
        "cloudWatchLoggingConfiguration": to_cloudwatch,
        "managedPersistenceMonitoringConfiguration": {"enabled": spec.managed_logs},
        **({"s3MonitoringConfiguration": {"logUri": log_uri}} if log_uri else {}),
    }


def _scheduler(spec: ApplicationSpec) -> dict[str, int]:
    given = (spec.max_concurrent_runs, spec.queue_timeout_minutes)
    return {} if given == (None, None) else _queue(*given)


def _queue(runs: int | None, minutes: int | None) -> dict[str, int]:
    """Say both, so that EMR Serverless' own hold where one was changed before."""
    return {
        "maxConcurrentRuns": runs or DEFAULT_CONCURRENT_RUNS,
        "queueTimeoutMinutes": minutes or DEFAULT_QUEUE_MINUTES,
    }
