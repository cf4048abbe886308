"""The image a Spark job brings along."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.frozen import HIDDEN, FrozenSpec
from airflow_provider_emrkit.jobs.image_reference import ImageReference
from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import (
    InvalidValueError,
    check_flag,
    check_pattern,
    check_text,
    check_texts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

OWNER = "DockerImage"
# So that the container knows the user that YARN runs it as.
USERS = "/etc/passwd:/etc/passwd:ro"
MAX_URI = 600

RUNTIME = "YARN_CONTAINER_RUNTIME_"
RUNTIME_TYPE = f"{RUNTIME}TYPE"
RUNTIME_IMAGE = f"{RUNTIME}DOCKER_IMAGE"
RUNTIME_MOUNTS = f"{RUNTIME}DOCKER_MOUNTS"
RUNTIME_CLIENT_CONFIG = f"{RUNTIME}DOCKER_CLIENT_CONFIG"
SET_BY_IMAGE = (RUNTIME_TYPE, RUNTIME_IMAGE, RUNTIME_MOUNTS, RUNTIME_CLIENT_CONFIG)

# YARN writes them into a file with one value a line, and takes them apart at commas and colons.
_MOUNT = re.compile(
    r"(?P<source>/[^:,\r\n\t]*):(?P<destination>/[^:,\r\n\t]*):(?P<mode>r[ow](?:\+r?(?:shared|slave|private))?)"
)
_LOCATION = re.compile(r"(?:[a-z][a-z0-9+.-]*:/)?/[^\s,]+", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Mount:
    """A directory or file of a node that a container sees.

    :param source: Where it is on the node.
    :param destination: Where it is in the container.
    :param mode: ``ro`` or ``rw``, perhaps with the way mounts below it are passed on, e.g. ``ro+shared``.

    >>> Mount.parse("/mnt/models/:/models:ro").source
    '/mnt/models'
    """

    source: str
    destination: str
    mode: str

    @classmethod
    def parse(cls, text: str) -> Mount | None:
        """Take a mount apart; None for what is none."""
        found = _MOUNT.fullmatch(text)
        if found is None:
            return None
        return cls(_path(found["source"]), _path(found["destination"]), found["mode"])

    @property
    def is_read_only(self) -> bool:
        """Whether the container may only read it."""
        return self.mode.startswith("ro")


def _path(text: str) -> str:
    return posixpath.normpath(f"/{text.lstrip('/')}")


@dataclass(frozen=True, repr=False)
class DockerImage(FrozenSpec):
    """An image with all that a job needs: driver and executors run in containers of it (EMR 6).

    It needs Java, with ``JAVA_HOME``, and Python for a Python job; Spark and Hadoop come from the cluster.
    The job's Python is the cluster's ``PYSPARK_PYTHON``, looked for in the image, unless ``SparkJob.env``
    sets another.

    :param uri: Its name, e.g. ``123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.4``. Without a registry it
        is of Docker Hub.
    :param mounts: Directories or files of the cluster's nodes to see in the container, each
        ``source:destination:mode``, the mode ``ro`` or ``rw``; beside ``/etc/passwd``, which is always there.
        The cluster has to allow them.
    :param client_config: URI of a Docker client configuration with the login of a private registry, e.g.
        ``hdfs:///user/hadoop/config.json``; ECR needs none.
    :param ecr_login: Whether the step logs the cluster in to ECR before the job, and again while it runs.
        None (default) for where the cluster does not do it by itself: on emr-6.0.
    :param pin_digest: Look the tag up in ECR when the job is submitted, so that all its containers, also
        those of the last hour, are of the same image. YARN takes digests since Hadoop 3.3.6, which is in
        emr-6.15.0; up to emr-6.8 it is refused.
    :raises InvalidValueError: when a field can't be right.

    >>> DockerImage("123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.4").reference.tag
    '1.4'
    """

    uri: str
    mounts: Sequence[str] = ()
    client_config: str | None = None
    ecr_login: bool | None = None
    pin_digest: bool = False

    def __post_init__(self) -> None:
        check_text(OWNER, "uri", self.uri, maximum=MAX_URI)
        self._set("mounts", _checked_mounts(self.mounts))
        if self.client_config is not None:
            _check_location(self.client_config)
        check_flag(OWNER, "pin_digest", self.pin_digest)
        if self.ecr_login is not None:
            check_flag(OWNER, "ecr_login", self.ecr_login)
        if self.ecr_login and self.client_config:
            mend = "leave one of the two out"
            raise InvalidValueError(
                OWNER, "client_config", self.client_config, "is the login's when ecr_login=True", mend
            )
        if not is_template(self.uri):
            self._check_uri()

    @property
    def reference(self) -> ImageReference:
        """Its name, taken apart.

        :raises InvalidValueError: while it is a template that was not rendered.
        """
        return ImageReference.parse(self.uri)

    @property
    def all_mounts(self) -> tuple[str, ...]:
        """The mounts of its containers: its own, and the list of users unless they bring one along."""
        own = tuple(dict.fromkeys(self.mounts))
        taken = {mount.destination for mount in map(Mount.parse, own) if mount}
        return own if "/etc/passwd" in taken else (USERS, *own)

    def variables(self) -> dict[str, str]:
        """Give the environment variables by which YARN starts a container of the image."""
        found = {
            RUNTIME_TYPE: "docker",
            RUNTIME_IMAGE: self.uri,
            RUNTIME_MOUNTS: ",".join(self.all_mounts),
        }
        return {**found, **({RUNTIME_CLIENT_CONFIG: self.client_config} if self.client_config else {})}

    def _check_uri(self) -> None:
        try:
            reference = self.reference
        except InvalidValueError as error:
            raise error.moved(OWNER, "uri") from None
        problem, mend = _unknown_to_yarn(reference)
        if problem:
            raise InvalidValueError(OWNER, "uri", self.uri, problem, mend)
        for name in ("pin_digest", "ecr_login"):
            if getattr(self, name) and reference.ecr is None:
                mend = "leave it out, or give an image in ECR"
                raise InvalidValueError(OWNER, name, True, f"is for images in ECR, not for {self.uri}", mend)


def _check_location(location: Any) -> None:
    if isinstance(location, str) and location.lstrip().startswith("{") and not is_template(location):
        mend = "put it where the cluster finds it and give its URI, e.g. hdfs:///user/hadoop/config.json"
        raise InvalidValueError(OWNER, "client_config", HIDDEN, "is the configuration itself", mend)
    mend = "write it like hdfs:///user/hadoop/config.json"
    check_pattern(OWNER, "client_config", location, _LOCATION, mend)


def _unknown_to_yarn(reference: ImageReference) -> tuple[str, str]:
    """Tell what Docker takes and YARN does not, which has a grammar of its own; and what to write instead."""
    if "[" in reference.registry:
        return "has an IPv6 address, which YARN does not take", "give the registry's host name"
    if reference.registry != reference.registry.lower():
        mend = f"write {reference.registry.lower()}/{reference.repository}"
        return "has capitals in its host, which YARN takes for another one", mend
    if reference.digest and not reference.digest.startswith("sha256:"):
        return "has a digest that YARN does not know", "give its sha256 digest, or a tag"
    return "", ""


def _checked_mounts(value: Any) -> tuple[str, ...]:
    mounts = check_texts(OWNER, "mounts", value)
    destinations: dict[str, str] = {}
    for index, text in enumerate(mounts):
        if is_template(text):
            continue
        mount = Mount.parse(text)
        if mount is None:
            mend = "write it like /mnt/models:/models:ro"
            raise InvalidValueError(OWNER, f"mounts[{index}]", text, "is no mount", mend)
        if destinations.setdefault(mount.destination, text) != text:
            problem = f"has the destination of {destinations[mount.destination]!r}"
            raise InvalidValueError(OWNER, f"mounts[{index}]", text, problem, "give each one of its own")
    return mounts
