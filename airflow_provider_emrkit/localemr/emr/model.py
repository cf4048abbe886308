"""Clusters and steps as plain data: everything that is worth keeping, nothing that runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from datetime import datetime

ClusterState = Literal[
    "STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"
]
StepState = Literal["PENDING", "CANCEL_PENDING", "RUNNING", "COMPLETED", "CANCELLED", "FAILED", "INTERRUPTED"]
InstanceRole = Literal["MASTER", "CORE", "TASK"]
ResourceKind = Literal[
    "security configuration", "studio", "studio session mapping", "persistent app UI", "public access"
]

STARTING_STATES = frozenset({"STARTING", "BOOTSTRAPPING"})
READY_STATES = frozenset({"RUNNING", "WAITING"})
OPEN_STATES = STARTING_STATES | READY_STATES
ENDED_STATES = frozenset({"TERMINATED", "TERMINATED_WITH_ERRORS"})

# A step that has a process (or is about to get one), and a step that still counts against the limit of steps.
BUSY_STEP_STATES = frozenset({"RUNNING", "CANCEL_PENDING"})
ACTIVE_STEP_STATES = BUSY_STEP_STATES | {"PENDING"}

# Reasons for which a cluster ends without an error.
_CLEAN_REASONS = frozenset({"USER_REQUEST", "ALL_STEPS_COMPLETED"})


@dataclass
class Failure:
    """EMR's ``FailureDetails``."""

    reason: str | None = None
    message: str | None = None
    log_file: str | None = None


@dataclass
class StepRecord:
    """One step.

    :param created: Also the order of steps: ids are random.
    :param failure: Set for a step that FAILED.
    """

    id: str
    name: str
    jar: str
    created: datetime
    args: list[str] = field(default_factory=list)
    main_class: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    action_on_failure: str = "TERMINATE_CLUSTER"
    log_uri: str | None = None
    encryption_key_arn: str | None = None
    execution_role_arn: str | None = None
    state: StepState = "PENDING"
    message: str | None = None
    failure: Failure | None = None
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def is_active(self) -> bool:
        """Pending or running: not at its end yet."""
        return self.state in ACTIVE_STEP_STATES


@dataclass
class InstanceBatch:
    """Instances of a group or fleet that were asked for together.

    :param first: Number of the first one; numbers are not used twice.
    :param units: What each counts of a fleet's capacity.
    :param created: When they were asked for; None: with the cluster.
    :param ready: When they are up, which may be yet to come; None: with the cluster.
    :param ended: When they are gone, which may be yet to come; None: with the cluster.
    :param lost: Whether they are gone without anybody having asked for it.
    """

    first: int
    count: int
    instance_type: str
    market: str
    units: int = 1
    created: datetime | None = None
    ready: datetime | None = None
    ended: datetime | None = None
    lost: bool = False

    @property
    def numbers(self) -> range:
        """Numbers of its instances."""
        return range(self.first, self.first + self.count)


@dataclass
class InstancesRecord:
    """One instance group or instance fleet.

    :param id: ``ig-…`` or ``if-…``.
    :param config: The member of ``InstanceGroups`` or ``InstanceFleets`` it was asked for with, as resizes
        and reconfigurations have changed it.
    :param batches: Its instances, those that are gone included.
    :param created: When it was added; None: with the cluster.
    :param ready: When it is up; None: with the cluster.
    :param version: Number of the reconfigurations so far.
    :param reconfigured: When the last reconfiguration is done, which may be yet to come.
    :param applied: The configurations before the last reconfiguration.
    """

    id: str
    role: InstanceRole
    config: dict[str, Any]
    batches: list[InstanceBatch] = field(default_factory=list)
    created: datetime | None = None
    ready: datetime | None = None
    version: int = 0
    reconfigured: datetime | None = None
    applied: list[dict[str, Any]] = field(default_factory=list)
    shrink_policy: dict[str, Any] = field(default_factory=dict)
    scaling_policy: dict[str, Any] | None = None


@dataclass
class ClusterRecord:
    """One cluster.

    :param request: The RunJobFlow request, checked; without secrets.
    :param uses_fleets: Whether ``instances`` are fleets or groups.
    :param idle_since: When it became WAITING.
    :param keep_alive: ``KeepJobFlowAliveWhenNoSteps``.
    :param error_details: EMR's ``ErrorDetails``: more about the error it ended with.
    :param auto_termination: When it ends by itself after being idle (seconds), or None.
    :param runtime_roles: Whether its security configuration allows steps to have roles of their own.
    """

    id: str
    region: str
    name: str
    request: dict[str, Any]
    created: datetime
    instances: list[InstancesRecord]
    uses_fleets: bool = False
    state: ClusterState = "STARTING"
    reason_code: str | None = None
    reason_message: str = ""
    error_details: list[dict[str, Any]] = field(default_factory=list)
    ready: datetime | None = None
    ended: datetime | None = None
    idle_since: datetime | None = None
    steps: dict[str, StepRecord] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    keep_alive: bool = False
    termination_protected: bool = False
    visible_to_all_users: bool = True
    unhealthy_node_replacement: bool | None = None
    step_concurrency: int = 1
    auto_termination: float | None = None
    managed_scaling: dict[str, Any] | None = None
    runtime_roles: bool = False

    @property
    def release_label(self) -> str:
        """EMR release label."""
        return str(self.request["ReleaseLabel"])

    @property
    def is_open(self) -> bool:
        """Whether it still takes steps."""
        return self.state in OPEN_STATES

    @property
    def active_steps(self) -> list[StepRecord]:
        """Steps that are not at their end, oldest first."""
        return [step for step in self.steps.values() if step.is_active]

    @property
    def end_state(self) -> ClusterState:
        """The state it ends in, as its reason says."""
        return "TERMINATED" if self.reason_code in _CLEAN_REASONS else "TERMINATED_WITH_ERRORS"


@dataclass
class ResourceRecord:
    """Something of an account that is no cluster.

    :param name: Its name or id, the only one of its kind in its region.
    :param modified: When it was changed last; the same as ``created`` at first.
    :param data: The rest, as the API takes and shows it.
    """

    kind: ResourceKind
    region: str
    name: str
    created: datetime
    modified: datetime
    data: dict[str, Any]
