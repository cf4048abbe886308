"""The application of EMR Serverless a DAG author asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.configurations import (
    Configurations,
    checked_serverless_configurations,
)
from airflow_provider_emrkit.compute.overrides import checked_application_overrides
from airflow_provider_emrkit.compute.tags import checked_serverless_tags
from airflow_provider_emrkit.compute.workers import SHUFFLE_OPTIMIZED, Workers
from airflow_provider_emrkit.frozen import FrozenMapping, FrozenSpec
from airflow_provider_emrkit.jobs.image_reference import ImageReference
from airflow_provider_emrkit.releases import Feature, release
from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import (
    InvalidValueError,
    check_choice,
    check_flag,
    check_instance,
    check_integer,
    check_pattern,
    check_text,
    check_texts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OWNER = "ApplicationSpec"
ARCHITECTURES = ("X86_64", "ARM64")
IMAGE_FIELDS = ("image", "driver_image", "executor_image")
WORKER_FIELDS = ("drivers", "executors")

MAX_CAPACITY = 10**9
MAX_IDLE_MINUTES = 10_080

# A tag's value is to hold the name, and takes fewer characters than EMR Serverless' names.
_NAME = re.compile(r"[A-Za-z0-9._/-]{1,64}")
_S3_URI = re.compile(r"s3[an]?://[^/\s]+(/\S*)?")
_LOG_GROUP = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}")
_SUBNET = re.compile(r"subnet-\w+", re.ASCII)
_SECURITY_GROUP = re.compile(r"sg-\w+", re.ASCII)
_NETWORK = {
    "subnet_ids": (_SUBNET, "subnet-0a1b2c3d", 16),
    "security_group_ids": (_SECURITY_GROUP, "sg-0a1b2c3d", 5),
}
# EMR Serverless' own grammar, which is narrower than Docker's.
_COMPONENT = r"[a-z0-9]+(?:[-._][a-z0-9]+)*"
_IMAGE = re.compile(
    rf"[0-9]{{12}}\.dkr\.ecr\.[a-z0-9-]+\.[a-z0-9._-]+/(?:{_COMPONENT}/)*{_COMPONENT}"
    r"(?::[a-zA-Z0-9_][a-zA-Z0-9._-]*|@sha256:[0-9a-f]{64})"
)
_FLAGS = ("auto_start", "cloudwatch_logs", "managed_logs")
_NUMBERS = {
    "max_cpu": (1, MAX_CAPACITY, "vCPUs"),
    "max_memory_gb": (1, MAX_CAPACITY, "GB"),
    "max_disk_gb": (1, MAX_CAPACITY, "GB"),
    "idle_minutes": (1, MAX_IDLE_MINUTES, "minutes"),
    "max_concurrent_runs": (1, 1_000, "job runs"),
    "queue_timeout_minutes": (15, 720, "minutes"),
}
# What a release is to know for a field that is set.
_FEATURES: dict[str, Feature] = {
    **dict.fromkeys(IMAGE_FIELDS, "serverless_images"),
    "max_concurrent_runs": "serverless_queue",
    "queue_timeout_minutes": "serverless_queue",
}


@dataclass(frozen=True, repr=False)
class ApplicationSpec(FrozenSpec):
    """What an application of EMR Serverless is like.

    emrkit finds the application by its name and its tag ``emrkit:application``, creates it where there is
    none, and updates it where it is not as the spec says. Every string may hold a Jinja template; it is
    checked again when it has been rendered.

    :param name: Its name, which is unique among the applications that emrkit made in an account and region.
    :param release_label: EMR release, from ``emr-6.6.0`` on.
    :param architecture: ``X86_64`` or ``ARM64``.
    :param image: Image that driver and executors run in, of a registry of ECR, with a tag or a digest; from
        ``emr-6.9.0`` on.
    :param driver_image: Another one for drivers.
    :param executor_image: Another one for executors.
    :param resolve_digests_at_start: Whether a tag is resolved when the application starts
        (``applicationLevelDigestResolution``) instead of at each submission. None (default) for EMR
        Serverless' own way: at each submission from ``emr-7.14.0`` and ``emr-spark-8.1.0`` on, where no
        workers are kept ready. boto3 knows it since 2026.
    :param drivers: Drivers that are kept ready.
    :param executors: Executors that are kept ready.
    :param max_cpu: vCPUs that all its workers have at most at once.
    :param max_memory_gb: GB of memory that they have at most; given with ``max_cpu``, or not at all. EMR lets
        a maximum be changed, but not taken away from an application.
    :param max_disk_gb: GB of disk that they have at most.
    :param auto_start: Whether it starts with a job run by itself.
    :param idle_minutes: Minutes without a job run after which it stops by itself; None for never.
    :param subnet_ids: VPC subnets; by default the network of EMR Serverless, without access to a VPC.
    :param security_group_ids: Security groups in that VPC.
    :param cloudwatch_logs: Whether drivers' logs go to CloudWatch, where emrkit follows them, and executors'
        where a task wants them; the job runtime role has to be allowed to write there.
    :param log_group: CloudWatch log group; by default the connection's, or ``/aws/emr-serverless``.
    :param log_uri: Where logs are archived, ``s3://…``; by default the connection's.
    :param managed_logs: Whether EMR Serverless keeps logs itself, for 30 days.
    :param max_concurrent_runs: Job runs at once, 1 to 1000, others wait (``schedulerConfiguration``); from
        ``emr-7.0.0`` on. From ``emr-7.3.0`` on applications always have a queue, by default with 15 at once.
    :param queue_timeout_minutes: Minutes they wait at most, 15 to 720; by default 360.
    :param configurations: Defaults of Spark's and log4j's settings for its job runs
        (``runtimeConfiguration``): ``{"spark-defaults": {"spark.executor.memory": "4g"}}``, or EMR's own list
        of classifications.
    :param tags: At most 50; keys up to 128 characters, values up to 256.
    :param overrides: Members of CreateApplication and UpdateApplication, merged into both requests last:
        mappings member by member, all else replaced; None removes a member.
    :raises InvalidValueError: when a field can't be right.

    >>> ApplicationSpec("nightly", "emr-7.11.0", max_cpu=64, max_memory_gb=256).auto_start
    True
    """

    name: str
    release_label: str
    architecture: str = "X86_64"
    image: str | None = None
    driver_image: str | None = None
    executor_image: str | None = None
    resolve_digests_at_start: bool | None = None
    drivers: Workers | None = None
    executors: Workers | None = None
    max_cpu: int | None = None
    max_memory_gb: int | None = None
    max_disk_gb: int | None = None
    auto_start: bool = True
    idle_minutes: int | None = 15
    subnet_ids: Sequence[str] = ()
    security_group_ids: Sequence[str] = ()
    cloudwatch_logs: bool = True
    log_group: str | None = None
    log_uri: str | None = None
    managed_logs: bool = True
    max_concurrent_runs: int | None = None
    queue_timeout_minutes: int | None = None
    configurations: Configurations = ()
    tags: Mapping[str, str] = field(default_factory=FrozenMapping)
    overrides: Mapping[str, Any] = field(default_factory=FrozenMapping)

    def __post_init__(self) -> None:
        check_pattern(OWNER, "name", self.name, _NAME, "use at most 64 letters, digits and . _ / -")
        check_text(OWNER, "release_label", self.release_label)
        check_choice(OWNER, "architecture", self.architecture, ARCHITECTURES)
        for name in _FLAGS:
            check_flag(OWNER, name, getattr(self, name))
        for name, (least, most, unit) in _NUMBERS.items():
            if getattr(self, name) is not None:
                check_integer(OWNER, name, getattr(self, name), least, most, unit)
        self._check_images()
        self._check_capacity()
        self._check_network()
        self._check_logs()
        if not is_template(self.release_label):
            self._check_release()
        checked = checked_serverless_configurations(OWNER, "configurations", self.configurations)
        self._set("configurations", checked)
        self._set("tags", FrozenMapping(checked_serverless_tags(OWNER, "tags", self.tags)))
        self._set("overrides", checked_application_overrides(OWNER, "overrides", self.overrides))

    @property
    def keeps_workers(self) -> bool:
        """Whether it keeps workers ready, which are billed while it is started."""
        return self.drivers is not None or self.executors is not None

    def _check_images(self) -> None:
        for name in IMAGE_FIELDS:
            if getattr(self, name) is not None:
                _check_image(name, getattr(self, name))
        if self.resolve_digests_at_start is None:
            return
        check_flag(OWNER, "resolve_digests_at_start", self.resolve_digests_at_start)
        if all(getattr(self, name) is None for name in IMAGE_FIELDS):
            mend = "give an image, or leave it out"
            value = self.resolve_digests_at_start
            raise InvalidValueError(OWNER, "resolve_digests_at_start", value, "is of no use", mend)
        if not self.resolve_digests_at_start and self.keeps_workers:
            problem = "does not go with workers that are kept ready, which have their image already"
            mend = "leave it out, or leave drivers and executors out"
            raise InvalidValueError(OWNER, "resolve_digests_at_start", False, problem, mend)

    def _check_capacity(self) -> None:
        kept: dict[str, int] = {}
        for name in WORKER_FIELDS:
            workers = getattr(self, name)
            if workers is not None:
                check_instance(OWNER, name, workers, Workers)
                kept = {size: kept.get(size, 0) + value for size, value in workers.total.items()}
        if (self.max_cpu is None) != (self.max_memory_gb is None):
            name, other = (
                ("max_cpu", "max_memory_gb") if self.max_cpu is None else ("max_memory_gb", "max_cpu")
            )
            raise InvalidValueError(OWNER, name, None, f"is missing beside {other}", "give both, or none")
        if self.max_disk_gb is not None and self.max_cpu is None:
            mend = "give max_cpu and max_memory_gb, too"
            raise InvalidValueError(OWNER, "max_disk_gb", self.max_disk_gb, "is alone", mend)
        for size, value in kept.items():
            most = getattr(self, f"max_{size}")
            if most is not None and value > most:
                problem = f"is less than the {value:,} of the workers that are kept ready"
                raise InvalidValueError(
                    OWNER, f"max_{size}", most, problem, "raise it, or keep fewer workers"
                )

    def _check_network(self) -> None:
        for name, (pattern, example, most) in _NETWORK.items():
            ids = check_texts(OWNER, name, getattr(self, name))
            for index, text in enumerate(ids):
                check_pattern(OWNER, f"{name}[{index}]", text, pattern, f"write it like {example}")
            if len(ids) > most:
                raise InvalidValueError(OWNER, name, len(ids), "are too many", f"give at most {most}")
            self._set(name, ids)
        if self.security_group_ids and not self.subnet_ids:
            mend = "give subnet_ids of their VPC, too"
            raise InvalidValueError(OWNER, "security_group_ids", self.security_group_ids, "are alone", mend)

    def _check_logs(self) -> None:
        if self.log_uri is not None:
            check_pattern(OWNER, "log_uri", self.log_uri, _S3_URI, "write it like s3://my-logs/emr/")
        if self.log_group is not None:
            mend = "use letters, digits and . - _ / #, at most 512"
            check_pattern(OWNER, "log_group", self.log_group, _LOG_GROUP, mend)
            if not self.cloudwatch_logs:
                mend = "leave it out, or leave cloudwatch_logs=False out"
                raise InvalidValueError(OWNER, "log_group", self.log_group, "gets no logs", mend)

    def _check_release(self) -> None:
        try:
            supports = release(self.release_label).supports
        except InvalidValueError as error:
            raise error.moved(OWNER, "release_label") from None
        if not supports("serverless"):
            mend = "use emr-7.11.0; the first one is emr-6.6.0"
            problem = "is not among the releases of EMR Serverless"
            raise InvalidValueError(OWNER, "release_label", self.release_label, problem, mend)
        asked = {name: feature for name, feature in _FEATURES.items() if getattr(self, name) is not None}
        for name in WORKER_FIELDS:
            workers = getattr(self, name)
            if workers is not None and workers.disk_type == SHUFFLE_OPTIMIZED:
                asked[name] = "serverless_shuffle_disks"
        for name, feature in asked.items():
            if not supports(feature):
                problem = f"is not supported by {self.release_label}"
                mend = "use a later release, or leave it out"
                raise InvalidValueError(OWNER, name, getattr(self, name), problem, mend)


def _check_image(name: str, uri: Any) -> None:
    """Check the URI of an image: EMR Serverless takes those of ECR alone, with a tag or a digest."""
    example = "123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.4"
    check_text(OWNER, name, uri)
    if is_template(uri):
        return
    try:
        reference = ImageReference.parse(uri)
    except InvalidValueError as error:
        raise error.moved(OWNER, name) from None
    if reference.ecr is None:
        mend = f"push it to ECR, and write it like {example}"
        raise InvalidValueError(
            OWNER, name, uri, "is not in ECR, the one registry EMR Serverless takes", mend
        )
    if bool(reference.tag) == bool(reference.digest):
        problem = "has both a tag and a digest" if reference.tag else "has neither a tag nor a digest"
        raise InvalidValueError(OWNER, name, uri, problem, f"write it like {example}")
    if not _IMAGE.fullmatch(uri):
        problem = "is not written as EMR Serverless takes it, which knows no registry's other addresses"
        raise InvalidValueError(OWNER, name, uri, problem, f"write it like {example}")
