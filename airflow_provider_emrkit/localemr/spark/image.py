"""Which image a submission asks YARN to run it in, and whether EMR's YARN would. Pure.

On EMR, ``spark.yarn.appMasterEnv.`` says where the driver runs in deploy mode cluster, ``spark.executorEnv.``
where executors do; here both are in one place, and so in one image.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.spark.conf import classification, nested_classification
from airflow_provider_emrkit.releases import release

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RUNTIME = "YARN_CONTAINER_RUNTIME_"
DRIVER_ENV, EXECUTOR_ENV = "spark.yarn.appMasterEnv.", "spark.executorEnv."
LAUNCH_FAILED = "Launch container failed"

# What YARN takes for the name of an image; none begins like an option.
_NAME = re.compile(
    r"(?!-)(?:[a-zA-Z0-9.-]+(?::\d+)?/)?[a-z0-9_./-]+(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?", re.ASCII
)
_MOUNT = re.compile(
    r"(?P<source>[^:,\0]+):(?P<destination>[^:,\0]+)"
    r"(?::(?P<mode>r[ow]|(?:r[ow]\+)?(?:r?shared|r?slave|r?private)))?"
)
_ECR = re.compile(
    r"\d{12}\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|on\.aws)/(.+)", re.ASCII
)
_TRUSTED = ("local", "centos")
_DOCKER_OF_RELEASE = re.compile(r"emr-6\.")
_NOT_ALLOWED = "Requested runtime not allowed."
# The exit codes of YARN's program that starts containers, and of what never came to that.
_SANITIZING_FAILED, _NOT_STARTED = 29, -1


@dataclass(frozen=True)
class LaunchFailure:
    """Why a container was not launched.

    :param exit_code: As YARN would report it.
    :param shell_error: What the program wrote that launches containers.
    :param message: YARN's own message.
    :param is_local: Whether only this machine is the reason, and ``shell_error`` is a sentence about it.

    >>> LaunchFailure(29, ("image: x is not trusted.",)).message
    'Launch container failed'
    """

    exit_code: int
    shell_error: tuple[str, ...] = ()
    message: str = LAUNCH_FAILED
    is_local: bool = False

    @property
    def summary(self) -> str:
        """The line of it that says most."""
        return next(iter(self.shell_error), self.message)

    def diagnostics(self, container: str) -> list[str]:
        """Give what YARN says of it.

        :param container: The id of the container.
        """
        first, *more = self.shell_error or ("",)
        return [
            "Exception from container-launch.",
            f"Container id: {container}",
            f"Exit code: {self.exit_code}",
            f"Exception message: {self.message}",
            f"Shell error output: {first}",
            *more,
            "",
            f"Container exited with a non-zero exit code {self.exit_code}.",
        ]


@dataclass(frozen=True)
class Mount:
    """A file or directory of the machine that is to be seen in the container.

    :param source: Its path.
    :param destination: Its path in the container.
    :param writable: Whether the container may change it.

    >>> Mount("/mnt/models", "/models").writable
    False
    """

    source: str
    destination: str
    writable: bool = False


@dataclass(frozen=True)
class ImageRequest:
    """The image a submission asks for.

    :param image: Its name, as given.
    :param mounts: What it wants to see of the machine.
    :param notes: What the step's log says about it.
    :param java: Java's major that the release's Spark needs of an image.
    :param refusal: Why EMR would not run it.
    :param home: Of an image of EMR Serverless, where jobs begin: what is there is seen in the job's working
        directory, the image's entry point plays no part, and files that the job names are the image's. Empty
        for an image of YARN.

    >>> ImageRequest("123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1").names
    ('123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1', 'etl:1')
    """

    image: str
    mounts: tuple[Mount, ...] = ()
    notes: tuple[str, ...] = ()
    java: str = ""
    refusal: LaunchFailure | None = None
    home: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which an engine may have it; one of ECR also without its registry."""
        found = _ECR.fullmatch(self.image)
        return (self.image, found[1]) if found else (self.image,)


@dataclass(frozen=True)
class ImageRules:
    """What a cluster's configuration says about images.

    :param allowed: Whether its YARN runs containers at all.
    :param trusted: Registries, or beginnings of names, whose images it runs.
    :param java: Java's major that its Spark needs.

    >>> ImageRules(trusted=("library",)).trusts("python:3.11")
    True
    """

    allowed: bool = True
    trusted: tuple[str, ...] = _TRUSTED
    java: str = ""

    def refusal(self, image: str) -> LaunchFailure | None:
        """Say why YARN would not run an image; None when it would."""
        if not self.allowed:
            return LaunchFailure(_NOT_STARTED, message=_NOT_ALLOWED)
        if not image:
            return LaunchFailure(_NOT_STARTED, message=f"{RUNTIME}DOCKER_IMAGE not set!")
        if not _NAME.fullmatch(image):
            said = f"Image name {image!r} doesn't match docker image name pattern"
            return LaunchFailure(_NOT_STARTED, message=said)
        return None if self.trusts(image) else _not_trusted(image)

    def trusts(self, image: str) -> bool:
        """Tell whether its container-executor runs an image: it compares beginnings of names."""
        return any(
            "/" not in image if entry == "library" else image.startswith(f"{entry.rstrip('/')}/")
            for entry in self.trusted
        )


def image_rules(release_label: str, configurations: Sequence[Mapping[str, Any]]) -> ImageRules:
    """Read what a cluster says about images.

    :param configurations: EMR's ``Configurations`` list.
    """
    docker = nested_classification(configurations, "container-executor", "docker")
    runtimes = classification(configurations, "yarn-site").get(
        "yarn.nodemanager.runtime.linux.allowed-runtimes", ""
    )
    by_configuration = "docker" in _comma_list(runtimes)
    listed = docker.get("docker.trusted.registries")
    return ImageRules(
        allowed=by_configuration or bool(_DOCKER_OF_RELEASE.match(release_label)),
        trusted=_TRUSTED if listed is None else _comma_list(listed),
        java=release(release_label).java,
    )


def requested_image(conf: Mapping[str, str], deploy_mode: str, rules: ImageRules) -> ImageRequest | None:
    """Give the image a submission asks for; None when it asks for none.

    :param conf: Its properties, those of ``spark-defaults`` among them.
    """
    driver = _Wish.of(conf, DRIVER_ENV) if deploy_mode == "cluster" else _Wish()
    executors = _Wish.of(conf, EXECUTOR_ENV)
    wish = driver if driver.is_one else executors
    if not wish.is_one:
        return None
    mounts, problem = _mounts(wish.mounts)
    known = wish.kind == "docker"
    refusal = rules.refusal(wish.image) if known else LaunchFailure(_NOT_STARTED, message=_NOT_ALLOWED)
    return ImageRequest(
        wish.image,
        mounts,
        _notes(driver, executors),
        rules.java,
        refusal or problem,
    )


@dataclass(frozen=True)
class _Wish:
    """What is asked for of YARN's container runtime, for driver or executors."""

    kind: str = "default"
    image: str = ""
    mounts: str = ""

    @classmethod
    def of(cls, conf: Mapping[str, str], prefix: str) -> _Wish:
        kind = conf.get(f"{prefix}{RUNTIME}TYPE") or "default"
        named = (conf.get(f"{prefix}{RUNTIME}DOCKER_{name}", "") for name in ("IMAGE", "MOUNTS"))
        return cls(kind, *named)

    @property
    def is_one(self) -> bool:
        return self.kind != "default"


def _notes(driver: _Wish, executors: _Wish) -> tuple[str, ...]:
    if not driver.is_one:
        return (
            f"localemr: the whole application runs in {executors.image}; on EMR only its executors would, "
            "and the driver outside of the image.",
        )
    if not executors.is_one:
        return (
            f"localemr: the whole application runs in {driver.image}; on EMR only its driver would, and the "
            f"executors outside of the image: set {EXECUTOR_ENV}{RUNTIME}* too.",
        )
    if driver.image != executors.image:
        return (
            f"localemr: the whole application runs in the driver's image, {driver.image}; on EMR its "
            f"executors would run in {executors.image}.",
        )
    return ()


def _mounts(text: str) -> tuple[tuple[Mount, ...], LaunchFailure | None]:
    found: list[Mount] = []
    for part in text.split(",") if text else ():
        match = _MOUNT.fullmatch(part)
        if match is None:
            said = f"Unable to parse some mounts in user supplied mount list: {text}"
            return (), LaunchFailure(_NOT_STARTED, message=said)
        if not match["source"].startswith("/"):
            said = f"Mount must be absolute: {match['source']}"
            return (), LaunchFailure(_NOT_STARTED, message=said)
        if not match["destination"].startswith("/"):
            return (), invalid_mount(part)
        writable = not (match["mode"] or "rw").startswith("ro")
        found.append(Mount(match["source"], match["destination"], writable))
    return tuple(found), None


def invalid_mount(mount: str) -> LaunchFailure:
    """Give the failure of a mount that container-executor does not take, e.g. since it is not there."""
    return LaunchFailure(
        _SANITIZING_FAILED, (f"Invalid docker mount '{mount}'", *_constructing(13, "Invalid docker mount"))
    )


def _not_trusted(image: str) -> LaunchFailure:
    said = (
        f"image: {image} is not trusted.",
        "Disable mount volume for untrusted image",
        *_constructing(14, "Docker image is not trusted"),
    )
    return LaunchFailure(_SANITIZING_FAILED, said)


def _constructing(number: int, text: str) -> tuple[str, ...]:
    return (f"Error constructing docker command, docker error code={number}, error message='{text}'",)


def _comma_list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
