"""A named group of equal clusters that many jobs share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.cluster_spec import DEFAULT_IDLE_TIMEOUT as SPEC_IDLE_TIMEOUT
from airflow_provider_emrkit.compute.cluster_spec import ClusterSpec
from airflow_provider_emrkit.compute.pool_mark import SHORT_NAME, PoolPlace
from airflow_provider_emrkit.compute.pool_selection import checked_selection
from airflow_provider_emrkit.compute.tags import MAX_TAGS, MAX_VALUE
from airflow_provider_emrkit.frozen import FrozenSpec
from airflow_provider_emrkit.releases import release
from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import (
    InvalidValueError,
    check_instance,
    check_integer,
    check_pattern,
    check_seconds,
    check_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable

OWNER = "ClusterPool"
DEFAULT_IDLE_TIMEOUT = 900
DEFAULT_WAIT_TIMEOUT = 3_600.0
# EMR: active clusters of an account.
MAX_CLUSTERS = 500
# Seconds: 30 days.
MAX_WAIT = 2_592_000.0
# emrkit's own of a cluster: pool, pool_spec, lease, team, owner.
OWN_TAGS = 5

# What AWS takes in the value of a tag.
_TAG_VALUE = re.compile(rf"(?!aws:)[\w.:/=+@-]([\w .:/=+@-]{{0,{MAX_VALUE - 2}}}[\w.:/=+@-])?", re.IGNORECASE)


@dataclass(frozen=True, repr=False)
class ClusterPool(FrozenSpec):
    """A named group of equal clusters that many jobs share; it grows with the work, and idle clusters end.

    Every string may hold a Jinja template; it is checked again when it has been rendered.

    :param name: What it is called, in its place: letters, digits, ``_``, ``.``, ``-``, at most 64.
    :param spec: What each of its clusters is like; steps at once and the idle timeout are the pool's to say.
    :param max_clusters: Clusters at once, those that start included; at most 500.
    :param min_clusters: How many it is brought to when it is used; idle ones end all the same.
    :param steps_per_cluster: Jobs on one cluster at once (EMR's ``StepConcurrencyLevel``), 1 to 256; more
        than 1 from emr-5.28.0.
    :param selection: Which cluster with room gets a job: ``fewest_steps``, ``most_memory``, or a function of
        one's own, by itself or as ``module:function``. Other processes import it, so it can't be in a DAG
        file.
    :param idle_timeout: Seconds without work after which a cluster ends by itself, 60 to 604800.
    :param wait_timeout: How long a job may wait for room, in seconds or as a timedelta, at most 30 days; kept
        as seconds.
    :param team: Whose pool it is: teams do not share pools of the same name. Written like ``name``.
    :param owner: Whom to ask about it; a tag of its clusters.
    :param lease_uri: ``s3://bucket/prefix`` below which the pool's lease is kept; by default the connection's
        ``staging_uri``. Airflow environments with the same one share the pool.
    :param action_on_failure: ``CONTINUE``: a failing job never ends or blocks a shared cluster.
    :raises InvalidValueError: when a field can't be right.

    >>> ClusterPool("medium", ClusterSpec("emr-7.11.0", size="medium"), max_clusters=3).steps_per_cluster
    1
    """

    name: str
    spec: ClusterSpec
    max_clusters: int = field(kw_only=True)
    min_clusters: int = field(kw_only=True, default=0)
    steps_per_cluster: int = field(kw_only=True, default=1)
    selection: str | Callable[..., Any] = field(kw_only=True, default="fewest_steps")
    idle_timeout: int = field(kw_only=True, default=DEFAULT_IDLE_TIMEOUT)
    wait_timeout: timedelta | float = field(kw_only=True, default=DEFAULT_WAIT_TIMEOUT)
    team: str | None = field(kw_only=True, default=None)
    owner: str | None = field(kw_only=True, default=None)
    lease_uri: str | None = field(kw_only=True, default=None)
    action_on_failure: str = field(kw_only=True, default="CONTINUE")

    def __post_init__(self) -> None:
        self._check_identity()
        self._check_bounds()
        check_instance(OWNER, "spec", self.spec, ClusterSpec)
        self._check_end()
        self._check_docker()
        self._check_steps()
        self._check_overrides(self.spec.overrides)
        if not is_template(self.spec.release_label):
            self._check_release()
        self._set("selection", checked_selection(OWNER, "selection", self.selection))

    @property
    def wait_seconds(self) -> float:
        """How long a job may wait for room, in seconds."""
        return float(_seconds(self.wait_timeout))

    def _check_identity(self) -> None:
        mend = "use letters, digits, _, . and -, at most 64, the first one a letter or a digit"
        check_pattern(OWNER, "name", self.name, SHORT_NAME, mend)
        if self.team is not None:
            check_pattern(OWNER, "team", self.team, SHORT_NAME, mend)
        if self.owner is not None:
            mend = (
                "it becomes a tag: use letters, digits, spaces between them and _ . : / = + - @, at most 256"
            )
            check_pattern(OWNER, "owner", self.owner, _TAG_VALUE, mend)
        if self.lease_uri is not None:
            check_text(OWNER, "lease_uri", self.lease_uri)
            if not any(map(is_template, (self.lease_uri, self.name, self.team))):
                PoolPlace.below(self.lease_uri, self.name, self.team or "")

    def _check_bounds(self) -> None:
        check_integer(OWNER, "max_clusters", self.max_clusters, 1, MAX_CLUSTERS, "clusters")
        check_integer(OWNER, "min_clusters", self.min_clusters, 0, MAX_CLUSTERS, "clusters")
        if self.max_clusters < self.min_clusters:
            problem = f"is less than min_clusters, {self.min_clusters}"
            mend = f"use max_clusters={self.min_clusters} or more, or a smaller min_clusters"
            raise InvalidValueError(OWNER, "max_clusters", self.max_clusters, problem, mend)
        check_integer(OWNER, "steps_per_cluster", self.steps_per_cluster, 1, 256, "steps")
        check_integer(OWNER, "idle_timeout", self.idle_timeout, 60, 604_800, "seconds")
        wait = _seconds(self.wait_timeout)
        check_seconds(OWNER, "wait_timeout", wait, 0)
        if wait > MAX_WAIT:
            mend = f"use {MAX_WAIT:,.0f} seconds, which are 30 days, at most"
            raise InvalidValueError(OWNER, "wait_timeout", self.wait_timeout, "is too long", mend)
        self._set("wait_timeout", float(wait))

    def _check_end(self) -> None:
        """See that a job can't end or block the clusters, and that they end when there is nothing to do."""
        if self.action_on_failure != "CONTINUE" and not is_template(self.action_on_failure):
            problem = "would let one failing job end or block a cluster that others share"
            mend = "leave it out; the steps of a pool are always CONTINUE"
            raise InvalidValueError(OWNER, "action_on_failure", self.action_on_failure, problem, mend)
        if self.spec.termination_protected:
            mend = "leave it out; clusters of a pool end when they are idle"
            raise InvalidValueError(
                OWNER, "spec.termination_protected", True, "would keep clusters alive", mend
            )
        if self.spec.idle_timeout not in (SPEC_IDLE_TIMEOUT, self.idle_timeout):
            mend = f"use ClusterPool(idle_timeout={self.spec.idle_timeout})"
            problem = "is not the pool's"
            raise InvalidValueError(OWNER, "spec.idle_timeout", self.spec.idle_timeout, problem, mend)

    def _check_docker(self) -> None:
        """See that its clusters are alike, whoever's job starts one."""
        if self.spec.docker is True:
            problem = "would trust the registry of the job that comes first"
            mend = "name all of them: docker=DockerOnYarn(trusted_registries=[…])"
            raise InvalidValueError(OWNER, "spec.docker", True, problem, mend)

    def _check_steps(self) -> None:
        steps = self.spec.step_concurrency
        if steps not in (1, self.steps_per_cluster):
            mend = f"use ClusterPool(steps_per_cluster={steps}) and leave it out of the spec"
            raise InvalidValueError(OWNER, "spec.step_concurrency", steps, "is not the pool's", mend)
        if len(self.spec.tags) > MAX_TAGS - OWN_TAGS:
            mend = (
                f"keep it to {MAX_TAGS - OWN_TAGS}; {OWN_TAGS} of the {MAX_TAGS} that EMR takes are emrkit's"
            )
            raise InvalidValueError(OWNER, "spec.tags", len(self.spec.tags), "tags are too many", mend)

    def _check_overrides(self, overrides: Mapping[str, Any]) -> None:
        where = "spec.overrides"
        if "AutoTerminationPolicy" in overrides:
            mend = "leave it out; use ClusterPool.idle_timeout"
            raise InvalidValueError(OWNER, where, "AutoTerminationPolicy", "belongs to the pool", mend)
        instances = overrides.get("Instances", {})
        if not isinstance(instances, Mapping):
            mend = "override members of Instances, not the whole of it"
            raise InvalidValueError(OWNER, f"{where}['Instances']", instances, "is no mapping", mend)
        if "TerminationProtected" in instances:
            mend = "leave it out; clusters of a pool end when they are idle"
            member = "Instances.TerminationProtected"
            raise InvalidValueError(OWNER, where, member, "would keep clusters alive", mend)

    def _check_release(self) -> None:
        label, supports = self.spec.release_label, release(self.spec.release_label).supports
        mend = "use emr-5.30.0 or later, of emr-6 emr-6.1.0 or later"
        if self.steps_per_cluster > 1 and not supports("step_concurrency"):
            problem = f"steps can't run at once on {label}, which runs one at a time"
            raise InvalidValueError(OWNER, "steps_per_cluster", self.steps_per_cluster, problem, mend)
        if not supports("auto_termination"):
            problem = "can't end idle clusters, as the clusters of a pool have to be"
            raise InvalidValueError(OWNER, "spec.release_label", label, problem, mend)


def _seconds(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value
