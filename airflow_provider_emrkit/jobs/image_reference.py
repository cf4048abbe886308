"""The names of container images, read as Docker and YARN read them. Pure.

Grammar: https://pkg.go.dev/github.com/distribution/reference
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Iterable

OWNER = "ImageReference"
# Of the whole name without tag and digest, as Docker counts: Docker Hub's host is part of it.
MAX_NAME = 255

_HOST = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = rf"(?:{_HOST}(?:\.{_HOST})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DIGEST = r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_REGISTRY}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    rf"(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>{_DIGEST}))?",
    re.ASCII,
)
# Docker takes it for the id of an image, which no registry knows.
_ID = re.compile(r"[0-9a-f]{64}")
# The domains of AWS's partitions.
_DOMAINS = r"amazonaws\.(?:com(?:\.cn)?|eu)|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov"
# The registries of ECR: private ones of an account and region, also for FIPS and dual-stack.
_ECR = re.compile(
    rf"(?P<account>\d{{12}})(?:\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:{_DOMAINS})"
    r"|\.dkr-ecr(?:-fips)?\.(?P<dual_stack>[a-z0-9-]+)\.on\.(?:aws|amazonwebservices\.com\.cn))",
    re.ASCII,
)


@dataclass(frozen=True)
class EcrRegistry:
    """A private registry of ECR.

    :param account: AWS account, 12 digits.
    :param region: AWS region.

    >>> EcrRegistry.of("123456789012.dkr.ecr.eu-west-1.amazonaws.com")
    EcrRegistry(account='123456789012', region='eu-west-1')
    """

    account: str
    region: str

    @classmethod
    def of(cls, host: str) -> EcrRegistry | None:
        """Give the registry a host is; None for any other."""
        found = _ECR.fullmatch(host)
        return cls(found["account"], found["region"] or found["dual_stack"]) if found else None


@dataclass(frozen=True)
class ImageReference:
    """The name of an image, taken apart.

    :param registry: Host, perhaps with a port; empty for Docker Hub without its name.
    :param repository: What the image is called there, without tag and digest.
    :param tag: Its tag; empty for none, which Docker takes for ``latest``.
    :param digest: ``sha256:…``; empty for none.

    >>> ImageReference.parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com/etl:1.4").ecr
    EcrRegistry(account='123456789012', region='eu-west-1')
    >>> ImageReference.parse("user/etl").registry
    ''
    """

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Take a name apart.

        :raises InvalidValueError: when Docker would not take it.
        """
        found = _REFERENCE.fullmatch(text)
        if found is None or _ID.fullmatch(found["name"]):
            raise InvalidValueError(OWNER, "uri", text, "is no name of an image", _mend(text))
        first, slash, rest = found["name"].partition("/")
        registry, repository = (first, rest) if slash and _is_host(first) else ("", found["name"])
        if repository != repository.lower():
            raise InvalidValueError(OWNER, "uri", text, "is no name of an image", _mend(text))
        reference = cls(registry, repository, found["tag"] or "", found["digest"] or "")
        if len(reference._whole_name) > MAX_NAME:
            mend = f"shorten it to {MAX_NAME} characters without tag and digest"
            raise InvalidValueError(OWNER, "uri", text, "is too long", mend)
        return reference

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}{f'@{self.digest}' if self.digest else ''}"

    @property
    def name(self) -> str:
        """The name without tag and digest, as it was written."""
        return f"{self.registry}/{self.repository}" if self.registry else self.repository

    @property
    def _whole_name(self) -> str:
        if self.registry:
            return self.name
        return f"docker.io/{self.repository if '/' in self.repository else f'library/{self.repository}'}"

    @property
    def ecr(self) -> EcrRegistry | None:
        """The registry of ECR it is in; None for any other."""
        return EcrRegistry.of(self.registry)

    @property
    def trusted_as(self) -> str:
        """What ``docker.trusted.registries`` has to list for it.

        A registry's host; of Docker Hub the namespace, and ``library`` for an image without one.

        >>> ImageReference.parse("python:3.11").trusted_as, ImageReference.parse("user/etl").trusted_as
        ('library', 'user')
        """
        if self.registry:
            return self.registry
        namespace, slash, _ = self.repository.partition("/")
        return namespace if slash else "library"

    def is_trusted_by(self, registries: Iterable[str]) -> bool:
        """Tell whether YARN's container-executor takes the image where these registries are trusted.

        It compares the beginning of the image's name, letter by letter, up to a slash (Hadoop's
        ``docker-util.c``, ``check_trusted_image``).
        """
        name = self.name
        return any(
            ("/" not in name and entry.rstrip("/") == "library") or name.startswith(f"{entry.rstrip('/')}/")
            for entry in registries
        )


def _is_host(first: str) -> bool:
    """Tell whether the first part of a name is a host: ``user/etl`` is of Docker Hub."""
    return any(sign in first for sign in ".:[") or first == "localhost"


def _mend(text: str) -> str:
    """Tell what to write instead of what is no name."""
    if "://" in text:
        return "write it without the scheme, like 123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.4"
    return "write it like 123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.4, in lower case"
