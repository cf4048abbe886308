"""What starts the clusters of a pool, what tells their kinds apart, and where the pool is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.instance_request import API_ROLES
from airflow_provider_emrkit.compute.pool_mark import PoolPlace
from airflow_provider_emrkit.compute.request import EXECUTOR_LOGS, run_job_flow_request
from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from airflow_provider_emrkit.compute.defaults import ClusterDefaults
    from airflow_provider_emrkit.compute.pool import ClusterPool

Capacity = tuple[int, int, int]

POOL_TAG = "emrkit:pool"
SPEC_TAG = "emrkit:pool_spec"
LEASE_TAG = "emrkit:lease"
TEAM_TAG = "emrkit:team"
OWNER_TAG = "emrkit:owner"

# Members that say what a cluster is called, and when it ends, but not what it is like.
_NOT_LIKE = ("Name", "Tags", "Steps", "AutoTerminationPolicy")
_COLLECTIONS = ("InstanceGroups", "InstanceFleets")
_COUNTS = ("InstanceCount", "TargetOnDemandCapacity", "TargetSpotCapacity")
# Lists whose order means nothing.
_SETS = ("Ec2SubnetIds", "AdditionalMasterSecurityGroups", "AdditionalSlaveSecurityGroups")


def pool_place(pool: ClusterPool, staging_uri: str | None) -> PoolPlace:
    """Tell where a pool is kept.

    :param pool: The pool, rendered.
    :param staging_uri: The connection's, for a pool without a ``lease_uri``.
    :raises InvalidValueError: when there is neither, or the place can't be written into a tag.

    >>> from airflow_provider_emrkit import ClusterPool, ClusterSpec
    >>> medium = ClusterPool("medium", ClusterSpec("emr-7.11.0"), max_clusters=3, team="data")
    >>> pool_place(medium, "s3://my-bucket/emrkit").uri
    's3://my-bucket/emrkit/pools/data/medium.json'
    """
    base = pool.lease_uri or staging_uri
    if not base:
        mend = "set staging_uri of the emrkit connection to s3://bucket/prefix, or give the pool a lease_uri"
        raise InvalidValueError("ClusterPool", "lease_uri", None, "leaves the pool without a place", mend)
    for field, value in (("name", pool.name), ("team", pool.team), ("lease_uri", base)):
        if is_template(value):
            problem = "is a template that was not rendered"
            raise InvalidValueError("ClusterPool", field, value, problem, "render the pool first")
    return PoolPlace.below(base, pool.name, pool.team or "")


def pool_cluster_request(
    pool: ClusterPool, defaults: ClusterDefaults, place: PoolPlace, *, executor_logs: bool = False
) -> dict[str, Any]:
    """Compile one cluster of a pool to RunJobFlow's input, without its ``Name``.

    :param pool: The pool, rendered.
    :param defaults: What the connection says, for what the spec leaves open.
    :param place: Where the pool is kept.
    :param executor_logs: Whether executors' logs go to CloudWatch too, where the cluster sends logs there.

    >>> from airflow_provider_emrkit import ClusterPool, ClusterSpec
    >>> from airflow_provider_emrkit.compute.defaults import ClusterDefaults
    >>> pool = ClusterPool("medium", ClusterSpec("emr-7.11.0"), max_clusters=3, steps_per_cluster=4)
    >>> request = pool_cluster_request(pool, ClusterDefaults(), pool_place(pool, "s3://my-bucket/emrkit"))
    >>> request["StepConcurrencyLevel"], request["AutoTerminationPolicy"]
    (4, {'IdleTimeout': 900})
    """
    spec = replace(pool.spec, step_concurrency=pool.steps_per_cluster, idle_timeout=pool.idle_timeout)
    request = run_job_flow_request(
        spec, name=pool.name, defaults=defaults, keep_alive=True, executor_logs=executor_logs
    )
    del request["Name"]
    own = {
        POOL_TAG: pool.name,
        SPEC_TAG: pool_spec_hash(request),
        LEASE_TAG: place.uri,
        TEAM_TAG: pool.team,
        OWNER_TAG: pool.owner,
    }
    tags = [{"Key": key, "Value": value} for key, value in own.items() if value]
    return {**request, "Tags": [*request.get("Tags", ()), *tags]}


def pool_spec_hash(request: Mapping[str, Any]) -> str:
    """Give a digest that the clusters of a pool share when they are alike but for their size.

    What does not count: how many instances a role has (see :func:`pool_capacity`), the name, the idle
    timeout, and tags. Those of users do not either: they sort bills and rights, a job runs the same without
    them, and clusters that work need not end for a new cost centre; clusters started later have the new ones.
    Executors' logs do not count, so that one job that wants to see them drains no pool: it sees them where
    its cluster happens to send them. Where logs go does count: they may hold what only some may read.
    A role that comes or goes changes it, as its instance types do; so do the limits of managed scaling,
    within which the size is EMR's to choose.

    :param request: RunJobFlow's input.
    :return: 12 hex digits of the SHA-256 of the rest, as canonical JSON.

    >>> pool_spec_hash({"LogUri": "s3://logs/"}) == pool_spec_hash({"LogUri": "s3://logs/", "Name": "etl"})
    True
    """
    like = {member: value for member, value in request.items() if member not in _NOT_LIKE}
    like["Applications"] = _in_order(like.get("Applications"))
    like["Instances"] = _without_counts(like.get("Instances", {}))
    like["MonitoringConfiguration"] = _without_executors(like.get("MonitoringConfiguration"))
    return hashlib.sha256(_canonical(like).encode()).hexdigest()[:12]


def pool_capacity(request: Mapping[str, Any]) -> Capacity:
    """Count the primary, core and task instances a cluster starts with; units, for fleets.

    :param request: RunJobFlow's input.

    >>> pool_capacity({"Instances": {"InstanceGroups": [{"InstanceRole": "CORE", "InstanceCount": 2}]}})
    (0, 2, 0)
    """
    counts = dict.fromkeys(API_ROLES.values(), 0)
    for role in chain.from_iterable(_roles(request.get("Instances"), kind) for kind in _COLLECTIONS):
        name = role.get("InstanceRole") or role.get("InstanceFleetType")
        if name in counts:
            counts[name] += sum(role[member] for member in _COUNTS if isinstance(role.get(member), int))
    primary, core, task = counts.values()
    return primary, core, task


# An author's overrides may be of another shape than EMR's; it is EMR that says so, when it gets them.


def _without_counts(instances: Any) -> Any:
    """Give the instances with whether there are any of a kind, instead of how many."""
    if not isinstance(instances, Mapping):
        return instances
    like = {**instances, **{member: _in_order(instances.get(member)) for member in _SETS}}
    for kind in _COLLECTIONS:
        like[kind] = [
            {member: bool(value) if member in _COUNTS else value for member, value in role.items()}
            for role in _roles(instances, kind)
        ]
    return like


def _without_executors(monitoring: Any) -> Any:
    match monitoring:
        case {"CloudWatchLogConfiguration": {"LogTypes": Mapping() as types} as config}:
            others = {name: files for name, files in types.items() if name != EXECUTOR_LOGS}
            return {**monitoring, "CloudWatchLogConfiguration": {**config, "LogTypes": others}}
    return monitoring


def _roles(instances: Any, kind: str) -> list[Mapping[str, Any]]:
    roles = instances.get(kind) if isinstance(instances, Mapping) else None
    return [role for role in roles if isinstance(role, Mapping)] if isinstance(roles, (list, tuple)) else []


def _in_order(items: Any) -> Any:
    return sorted(items, key=_canonical) if isinstance(items, (list, tuple)) else items


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
