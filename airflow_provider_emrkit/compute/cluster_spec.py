"""The cluster a DAG author asks for."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.bootstrap import BootstrapAction
from airflow_provider_emrkit.compute.configurations import Configurations, checked_configurations
from airflow_provider_emrkit.compute.docker_on_yarn import DockerOnYarn, check_said_once, release_mend
from airflow_provider_emrkit.compute.instances import InstanceRole
from airflow_provider_emrkit.compute.managed_scaling import ManagedScaling
from airflow_provider_emrkit.compute.overrides import checked_overrides
from airflow_provider_emrkit.compute.sizes import ROLES, SIZES, ClusterSize
from airflow_provider_emrkit.compute.tags import checked_tags
from airflow_provider_emrkit.frozen import FrozenMapping, FrozenSpec, thaw
from airflow_provider_emrkit.releases import Feature, release
from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import (
    InvalidValueError,
    check_choice,
    check_flag,
    check_instance,
    check_integer,
    check_optional_text,
    check_pattern,
    check_sequence,
    check_text,
    check_texts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OWNER = "ClusterSpec"
COLLECTIONS = ("fleets", "groups")
DEFAULT_IDLE_TIMEOUT = 3_600

_S3_URI = re.compile(r"s3[an]?://[^/\s]+(/\S*)?")
_SUBNET = re.compile(r"subnet-\w+", re.ASCII)
_SECURITY_GROUP = re.compile(r"sg-\w+", re.ASCII)
_IMAGE = re.compile(r"ami-\w+", re.ASCII)

_ONE_GROUP = ("primary_security_group", "core_security_group", "service_access_security_group")
_MORE_GROUPS = ("additional_primary_security_groups", "additional_core_security_groups")
_TEXTS = (
    "service_role",
    "job_flow_role",
    "auto_scaling_role",
    "ec2_key_name",
    "log_group",
    "log_stream_prefix",
    "security_configuration",
)
# Fields of InstanceRole that only fleets have.
_FLEET_ONLY = ("bid_percent", "spot_timeout", "spot_timeout_action", "allocation_strategy")


@dataclass(frozen=True, repr=False)
class ClusterSpec(FrozenSpec):
    """What an EMR cluster is like: release, size, software, network, rights and how it ends.

    Every string may hold a Jinja template; it is checked again when it has been rendered.

    :param release_label: EMR release, e.g. ``emr-7.11.0``.
    :param size: ``tiny``, ``small``, ``medium``, ``large``, ``xlarge``, or a :class:`ClusterSize` of one's
        own.
    :param primary: The primary node, where it is to differ from the size's.
    :param core: The core nodes, where they are to differ from the size's.
    :param task: The task nodes, where they are to differ from the size's; ``count=0`` for none.
    :param instance_collection: ``fleets`` (EMR picks among instance types and subnets) or ``groups`` (the
        first type of each role, one subnet).
    :param applications: Software to install.
    :param configurations: ``{"spark-defaults": {"spark.executor.memory": "4g"}}``, or EMR's own list of
        classifications. Where there are Spot task nodes and the release is emr-6.0.0 or later, ``yarn-site``
        is told to start application masters on core nodes only, so that a lost Spot node does not take the
        driver with it; setting one of ``yarn.node-labels.enabled`` and
        ``yarn.node-labels.am.default-node-label-expression`` turns that off.
    :param bootstrap_actions: Scripts that run on every node first.
    :param service_role: IAM role of the EMR service; by default the connection's.
    :param job_flow_role: Instance profile of the nodes; by default the connection's.
    :param auto_scaling_role: IAM role for automatic scaling policies given by ``overrides``.
    :param subnet_ids: VPC subnets; fleets choose one of them, groups take exactly one. By default the
        connection's.
    :param ec2_key_name: EC2 key pair for SSH.
    :param primary_security_group: EMR-managed security group of the primary node.
    :param core_security_group: EMR-managed security group of the other nodes.
    :param service_access_security_group: Security group through which EMR reaches a private subnet.
    :param additional_primary_security_groups: More security groups of the primary node.
    :param additional_core_security_groups: More security groups of the other nodes.
    :param log_uri: S3 URI EMR archives logs under; by default the connection's.
    :param cloudwatch_logs: Send step and driver logs to CloudWatch as they are written. None (default) for
        yes where the release can (emr-7.11.0 and later).
    :param log_group: CloudWatch log group; by default the connection's, else ``/aws/emr/<cluster id>``.
    :param log_stream_prefix: Prefix of the log streams' names.
    :param tags: At most 50; keys up to 128 characters, values up to 256.
    :param custom_ami_id: Amazon Machine Image of the nodes.
    :param ebs_root_volume_size: Size of each node's root volume in GiB.
    :param security_configuration: Name of an EMR security configuration.
    :param step_concurrency: Steps that may run at once, 1 to 256; more than 1 from emr-5.28.0.
    :param termination_protected: Refuse to end the cluster until the protection is taken off.
    :param managed_scaling: Limits within which EMR resizes the cluster.
    :param idle_timeout: Seconds without work after which the cluster ends by itself, 60 to 604800.
    :param overrides: Merged into the RunJobFlow request last: mappings member by member, all else replaced;
        None removes a member.
    :param docker: Run jobs in containers of their own images (emr-6.x): None (default) for where its job
        brings one along, True, False to refuse such jobs, or a :class:`DockerOnYarn` that says whose images
        are trusted, as the clusters of a pool need. It adds to ``configurations``, where each property that
        is set stays as it is.
    :raises InvalidValueError: when a field can't be right.

    >>> spec = ClusterSpec("emr-7.11.0", size="medium", core=InstanceRole(["r5.2xlarge"], count=2))
    >>> spec.roles.core.count, spec.roles.task.count
    (2, 8)
    """

    release_label: str
    size: str | ClusterSize = "small"
    primary: InstanceRole | None = None
    core: InstanceRole | None = None
    task: InstanceRole | None = None
    instance_collection: str = "fleets"
    applications: Sequence[str] = ("Spark",)
    configurations: Configurations = ()
    bootstrap_actions: Sequence[BootstrapAction] = ()
    service_role: str | None = None
    job_flow_role: str | None = None
    auto_scaling_role: str | None = None
    subnet_ids: Sequence[str] = ()
    ec2_key_name: str | None = None
    primary_security_group: str | None = None
    core_security_group: str | None = None
    service_access_security_group: str | None = None
    additional_primary_security_groups: Sequence[str] = ()
    additional_core_security_groups: Sequence[str] = ()
    log_uri: str | None = None
    cloudwatch_logs: bool | None = None
    log_group: str | None = None
    log_stream_prefix: str | None = None
    tags: Mapping[str, str] = field(default_factory=FrozenMapping)
    custom_ami_id: str | None = None
    ebs_root_volume_size: int | None = None
    security_configuration: str | None = None
    step_concurrency: int = 1
    termination_protected: bool = False
    managed_scaling: ManagedScaling | None = None
    idle_timeout: int = DEFAULT_IDLE_TIMEOUT
    overrides: Mapping[str, Any] = field(default_factory=FrozenMapping)
    docker: bool | DockerOnYarn | None = None

    def __post_init__(self) -> None:
        check_text(OWNER, "release_label", self.release_label)
        check_choice(OWNER, "instance_collection", self.instance_collection, COLLECTIONS)
        self._check_size()
        self._check_network()
        self._check_software()
        self._check_life()
        if not is_template(self.release_label):
            self._check_release()
        self._set("tags", FrozenMapping(checked_tags(OWNER, "tags", self.tags)))
        self._set("overrides", checked_overrides(OWNER, "overrides", self.overrides))

    @property
    def roles(self) -> ClusterSize:
        """The instances of each role: the size's, with the roles that were given instead.

        :raises InvalidValueError: while ``size`` is a template that was not rendered.
        """
        size = SIZES.get(self.size) if isinstance(self.size, str) else self.size
        if size is None:
            raise InvalidValueError(OWNER, "size", self.size, "is not known", allowed=SIZES)
        return ClusterSize(self.primary or size.primary, self.core or size.core, self.task or size.task)

    @property
    def logs_to_cloudwatch(self) -> bool:
        """Whether the cluster sends its logs to CloudWatch: as asked for, else where the release can."""
        if self.cloudwatch_logs is None:
            return release(self.release_label).supports("cloudwatch_logs")
        return self.cloudwatch_logs

    def _check_size(self) -> None:
        for role in ROLES:
            if getattr(self, role) is not None:
                check_instance(OWNER, role, getattr(self, role), InstanceRole)
        if is_template(self.size):
            return
        if not isinstance(self.size, ClusterSize):
            check_choice(OWNER, "size", self.size, SIZES)
        try:
            roles = self.roles
        except InvalidValueError as error:
            raise error.moved(OWNER, error.field) from None
        if self.instance_collection == "groups":
            for role in ROLES:
                _check_for_groups(role, getattr(roles, role))

    def _check_network(self) -> None:
        self._set("subnet_ids", _checked_ids("subnet_ids", self.subnet_ids, _SUBNET, "subnet-0a1b2c3d"))
        if self.instance_collection == "groups" and len(self.subnet_ids) > 1:
            mend = "give one, or use instance_collection='fleets'"
            raise InvalidValueError(OWNER, "subnet_ids", self.subnet_ids, "are too many for groups", mend)
        for name in _ONE_GROUP:
            if getattr(self, name) is not None:
                check_pattern(OWNER, name, getattr(self, name), _SECURITY_GROUP, "write it like sg-0a1b2c3d")
        for name in _MORE_GROUPS:
            self._set(name, _checked_ids(name, getattr(self, name), _SECURITY_GROUP, "sg-0a1b2c3d"))

    def _check_software(self) -> None:
        for name in _TEXTS:
            check_optional_text(OWNER, name, getattr(self, name))
        self._set("applications", check_texts(OWNER, "applications", self.applications))
        self._set("configurations", checked_configurations(OWNER, "configurations", self.configurations))
        actions = check_sequence(OWNER, "bootstrap_actions", self.bootstrap_actions)
        for index, action in enumerate(actions):
            check_instance(OWNER, f"bootstrap_actions[{index}]", action, BootstrapAction)
        self._set("bootstrap_actions", actions)
        if self.log_uri is not None:
            check_pattern(OWNER, "log_uri", self.log_uri, _S3_URI, "write it like s3://my-logs/emr/")
        if self.custom_ami_id is not None:
            check_pattern(OWNER, "custom_ami_id", self.custom_ami_id, _IMAGE, "write it like ami-0a1b2c3d")
        if self.docker is not None and not isinstance(self.docker, bool):
            check_instance(OWNER, "docker", self.docker, DockerOnYarn)
            check_said_once(OWNER, self.docker, self.configurations)
        if self.ebs_root_volume_size is not None:
            check_integer(OWNER, "ebs_root_volume_size", self.ebs_root_volume_size, 10, 16_384, "GiB")

    def _check_life(self) -> None:
        check_integer(OWNER, "step_concurrency", self.step_concurrency, 1, 256, "steps")
        check_integer(OWNER, "idle_timeout", self.idle_timeout, 60, 604_800, "seconds")
        check_flag(OWNER, "termination_protected", self.termination_protected)
        if self.cloudwatch_logs is not None:
            check_flag(OWNER, "cloudwatch_logs", self.cloudwatch_logs)
        if self.managed_scaling is not None:
            check_instance(OWNER, "managed_scaling", self.managed_scaling, ManagedScaling)

    def _check_release(self) -> None:
        try:
            release(self.release_label)
        except InvalidValueError as error:
            raise error.moved(OWNER, "release_label") from None
        self._check_feature("instance_collection", self.instance_collection == "fleets", "instance_fleets")
        self._check_feature("step_concurrency", self.step_concurrency > 1, "step_concurrency")
        self._check_feature("managed_scaling", self.managed_scaling is not None, "managed_scaling")
        self._check_feature("cloudwatch_logs", self.cloudwatch_logs is True, "cloudwatch_logs")
        asked = self.docker if isinstance(self.docker, DockerOnYarn) else None
        mend = release_mend(self.release_label, asked) if self.docker else ""
        if mend:
            raise InvalidValueError(
                OWNER, "docker", self.docker, f"is not supported by {self.release_label}", mend
            )

    def _check_feature(self, name: str, wanted: bool, feature: Feature) -> None:
        if wanted and not release(self.release_label).supports(feature):
            problem = f"is not supported by {self.release_label}"
            raise InvalidValueError(
                OWNER, name, getattr(self, name), problem, "use a later release, or leave it out"
            )


def spec_hash(spec: ClusterSpec) -> str:
    """Give a digest that two specs share only when they ask for the same cluster.

    :return: 64 hex digits: SHA-256 of the fields that differ from their defaults, as canonical JSON.

    >>> spec_hash(ClusterSpec("emr-7.11.0")) == spec_hash(ClusterSpec("emr-7.11.0", size="small"))
    True
    """
    canonical = json.dumps(thaw(spec), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _check_for_groups(name: str, role: InstanceRole | None) -> None:
    for only in _FLEET_ONLY if role else ():
        value, default = getattr(role, only), InstanceRole.__dataclass_fields__[only].default
        if value != default:
            mend = "leave it out, or use instance_collection='fleets'"
            raise InvalidValueError(OWNER, f"{name}.{only}", value, "is not known to instance groups", mend)


def _checked_ids(name: str, value: Any, pattern: re.Pattern[str], example: str) -> tuple[str, ...]:
    ids = check_texts(OWNER, name, value)
    for index, text in enumerate(ids):
        check_pattern(OWNER, f"{name}[{index}]", text, pattern, f"write it like {example}")
    return ids
