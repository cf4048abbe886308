"""Where a job runs: a cluster of its own, or one that exists."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from airflow_provider_emrkit.compute.cluster_spec import ClusterSpec
from airflow_provider_emrkit.frozen import FrozenSpec
from airflow_provider_emrkit.validation import (
    InvalidValueError,
    check_instance,
    check_optional_text,
    check_pattern,
)

# Leaves room for the run token in the 256 characters EMR gives a cluster's name.
MAX_CLUSTER_NAME = 190

_CLUSTER_ID = re.compile(r"j-[A-Z0-9]+", re.ASCII)


@dataclass(frozen=True, repr=False)
class DynamicCluster(FrozenSpec):
    """A cluster that is started for one job and ends with it.

    :param spec: What the cluster is like.
    :param name: What it is called, at most 190 characters; by default after the DAG and the task. emrkit adds
        the run token.
    :raises InvalidValueError: when the cluster could not end by itself or can't run just one job.

    >>> DynamicCluster(ClusterSpec("emr-7.11.0", size="tiny")).action_on_failure
    'TERMINATE_CLUSTER'
    """

    spec: ClusterSpec
    name: str | None = None

    action_on_failure: ClassVar[str] = "TERMINATE_CLUSTER"

    def __post_init__(self) -> None:
        owner = "DynamicCluster"
        check_instance(owner, "spec", self.spec, ClusterSpec)
        check_optional_text(owner, "name", self.name, maximum=MAX_CLUSTER_NAME)
        if self.spec.termination_protected:
            mend = "leave it out; the cluster ends with its job"
            raise InvalidValueError(
                owner, "spec.termination_protected", True, "would keep the cluster alive", mend
            )
        if self.spec.step_concurrency != 1:
            mend = "leave it out; the cluster runs one job"
            raise InvalidValueError(
                owner, "spec.step_concurrency", self.spec.step_concurrency, "is of no use", mend
            )


@dataclass(frozen=True, repr=False)
class ExistingCluster(FrozenSpec):
    """A cluster that somebody else started and ends; a failing or killed job leaves it alone.

    :param cluster_id: Its id, ``j-…``, or a template that renders to it.
    :raises InvalidValueError: when that can't be a cluster's id.

    >>> ExistingCluster("j-1K48XXXXXXHCB").action_on_failure
    'CONTINUE'
    """

    cluster_id: str

    action_on_failure: ClassVar[str] = "CONTINUE"

    def __post_init__(self) -> None:
        mend = "write it like j-1K48XXXXXXHCB"
        check_pattern("ExistingCluster", "cluster_id", self.cluster_id, _CLUSTER_ID, mend)
