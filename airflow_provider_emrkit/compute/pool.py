"""A named group of equal clusters that many jobs share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.cluster_spec import ClusterSpec
from airflow_provider_emrkit.frozen import FrozenSpec
from airflow_provider_emrkit.validation import check_instance, check_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

DEFAULT_IDLE_TIMEOUT = 900
DEFAULT_WAIT_TIMEOUT = 3_600.0


@dataclass(frozen=True, repr=False)
class ClusterPool(FrozenSpec):
    """A named group of equal clusters that many jobs share; it grows with the work, and idle clusters end.

    :param name: What it is called, in its place: letters, digits, ``_``, ``.``, ``-``, at most 64.
    :param spec: What each of its clusters is like.
    :param max_clusters: Clusters at once, those that start included.
    :param min_clusters: How many it is brought to when it is used; idle ones end all the same.
    :param steps_per_cluster: Jobs on one cluster at once (EMR's ``StepConcurrencyLevel``), 1 to 256.
    :param selection: Which cluster with room gets a job: ``fewest_steps``, ``most_memory``, or a function of
        one's own, by itself or as ``module:function``.
    :param idle_timeout: Seconds without work after which a cluster ends by itself, 60 to 604800.
    :param wait_timeout: How long a job may wait for room, in seconds or as a timedelta.
    :param team: Whose pool it is: teams do not share pools of the same name.
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
        owner = "ClusterPool"
        check_text(owner, "name", self.name)
        check_instance(owner, "spec", self.spec, ClusterSpec)
