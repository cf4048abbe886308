"""What a cluster is told so that YARN runs jobs in containers of their own images. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.configurations import properties_of, with_defaults
from airflow_provider_emrkit.frozen import FrozenSpec
from airflow_provider_emrkit.jobs.image_reference import EcrRegistry, ImageReference
from airflow_provider_emrkit.releases import parse_label, release
from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import InvalidValueError, check_flag, check_texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emrkit.compute.cluster_spec import ClusterSpec
    from airflow_provider_emrkit.jobs.docker_image import DockerImage

OWNER = "DockerOnYarn"
# The classification whose nested ``docker`` holds them, and the properties.
DOCKER_PATH = ("container-executor", "docker")
TRUSTED = "docker.trusted.registries"
PRIVILEGED = "docker.privileged-containers.registries"
# What EMR trusts where nothing else is said.
DEFAULT_TRUSTED = ("local", "centos")

_RUNTIME = "yarn.nodemanager.runtime.linux"
ECR_PROVIDER = f"{_RUNTIME}.docker.docker-client-credential-provider.class"
ECR_PROVIDER_CLASS = "org.apache.hadoop.security.authentication.EcrDockerClientCredentialProvider"
ECR_LOGIN_ENABLED = f"{_RUNTIME}.docker.ecr-auto-authentication.enabled"

# What EMR 6 has by itself, for EMR 7, where AWS does not document it. Each path of the lists must exist on
# every node, or YARN runs no container at all.
_CAPABILITIES = (
    "CHOWN,DAC_OVERRIDE,FSETID,FOWNER,MKNOD,NET_RAW,SETGID,SETUID,SETFCAP,SETPCAP,NET_BIND_SERVICE,"
    "SYS_CHROOT,KILL,AUDIT_WRITE"
)
_EMR7_YARN = {
    "yarn.nodemanager.container-executor.class": (
        "org.apache.hadoop.yarn.server.nodemanager.LinuxContainerExecutor"
    ),
    "yarn.nodemanager.linux-container-executor.group": "hadoop",
    "yarn.nodemanager.linux-container-executor.nonsecure-mode.limit-users": "false",
    f"{_RUNTIME}.allowed-runtimes": "default,docker",
    f"{_RUNTIME}.docker.allowed-container-networks": "host",
    f"{_RUNTIME}.docker.default-container-network": "host",
    f"{_RUNTIME}.docker.capabilities": _CAPABILITIES,
    f"{_RUNTIME}.docker.default-ro-mounts": (
        "/etc/passwd:/etc/passwd,/usr/lib:/docker/usr/lib,/usr/share:/docker/usr/share"
    ),
    ECR_LOGIN_ENABLED: "true",
}
_EMR7_EXECUTOR = {
    "module.enabled": "true",
    "docker.binary": "/usr/bin/docker",
    "docker.allowed.capabilities": _CAPABILITIES,
    "docker.allowed.networks": "host",
    "docker.allowed.ro-mounts": "/sys/fs/cgroup,/etc/passwd,/usr/lib,/usr/share",
    "docker.allowed.rw-mounts": "/mnt",
}


@dataclass(frozen=True, repr=False)
class DockerOnYarn(FrozenSpec):
    """Which images a cluster runs.

    :param trusted_registries: Registries whose images may run: hosts, for Docker Hub the namespace, and
        ``library`` for its official images; ``host/team`` trusts what is below that. Beside ``local`` and
        ``centos``, which EMR always trusts. A cluster that is made for a job trusts that job's registry
        without being told.
    :param privileged_registries: Registries whose images may ask for privileged containers; none, unless
        asked for.
    :param experimental_emr7: Set up EMR 7 too, for which AWS does not document Docker on YARN.
    :raises InvalidValueError: when a field can't be right.

    >>> DockerOnYarn(["123456789012.dkr.ecr.us-east-1.amazonaws.com"]).privileged_registries
    ()
    >>> DockerOnYarn(["user/etl:1.4"])
    Traceback (most recent call last):
        ...
    airflow_provider_emrkit.validation.InvalidValueError: ...: 'user/etl:1.4' is ...; give 'user'
    """

    trusted_registries: Sequence[str] = ()
    privileged_registries: Sequence[str] = ()
    experimental_emr7: bool = False

    def __post_init__(self) -> None:
        for name in ("trusted_registries", "privileged_registries"):
            registries = check_texts(OWNER, name, getattr(self, name))
            for index, registry in enumerate(registries):
                if not is_template(registry):
                    _check_registry(f"{name}[{index}]", registry)
            self._set(name, registries)
        check_flag(OWNER, "experimental_emr7", self.experimental_emr7)


def docker_configurations(spec: ClusterSpec, image: DockerImage | None = None) -> list[dict[str, Any]]:
    """Give the classifications by which a cluster runs Docker on YARN; none where it is not to, or can't.

    :param spec: The cluster, rendered.
    :param image: The image of the job it is made for, rendered.

    >>> from airflow_provider_emrkit import ClusterSpec, DockerImage
    >>> docker_configurations(ClusterSpec("emr-6.15.0"), DockerImage("user/etl"))[0]["Configurations"]
    [{'Classification': 'docker', 'Properties': {'docker.trusted.registries': 'local,centos,user'}}]
    """
    wanted = _wanted(spec, image)
    if wanted is None or release_mend(spec.release_label, wanted):
        return []
    is_emr7 = not release(spec.release_label).supports("docker")
    trusted = _trusted(wanted, image)
    executor = {**(_EMR7_EXECUTOR if is_emr7 else {}), TRUSTED: ",".join(trusted)}
    if wanted.privileged_registries:
        executor[PRIVILEGED] = ",".join(wanted.privileged_registries)
    yarn = dict(_EMR7_YARN) if is_emr7 else {}
    if needs_ecr_provider(spec.release_label) and any(
        map(_is_of_ecr, (*trusted, *wanted.privileged_registries))
    ):
        yarn[ECR_PROVIDER] = ECR_PROVIDER_CLASS
    outer, inner = DOCKER_PATH
    found: list[dict[str, Any]] = [
        {
            "Classification": outer,
            "Properties": {},
            "Configurations": [{"Classification": inner, "Properties": executor}],
        }
    ]
    return [*found, {"Classification": "yarn-site", "Properties": yarn}] if yarn else found


def with_docker(
    spec: ClusterSpec, configurations: Sequence[Mapping[str, Any]], image: DockerImage | None = None
) -> list[Mapping[str, Any]]:
    """Give configurations with :func:`docker_configurations`; each property that is set already stays.

    So registries that the author lists are not silently more.
    """
    return with_defaults(configurations, docker_configurations(spec, image))


def check_said_once(owner: str, docker: DockerOnYarn, configurations: Any) -> None:
    """See that registries are not listed and then left out by configurations, which stay as they are.

    :raises InvalidValueError: otherwise.
    """
    said = properties_of(configurations, *DOCKER_PATH) or {}
    for name, key in (("trusted_registries", TRUSTED), ("privileged_registries", PRIVILEGED)):
        if key not in said or is_template(said[key]):
            continue
        known = {entry.strip() for entry in said[key].split(",")}
        for registry in getattr(docker, name):
            if registry not in known and not is_template(registry):
                problem = f"is not in {key}, which configurations set"
                raise InvalidValueError(owner, f"docker.{name}", registry, problem, "keep one of the two")


def release_mend(label: str, docker: DockerOnYarn | None = None) -> str:
    """Tell what to do about a release that does not run Docker on YARN; empty for one that does.

    :param label: A known release label.
    :param docker: What was asked for, as EMR 7 is set up when asked explicitly.
    """
    if release(label).supports("docker"):
        return ""
    serverless = "EMR Serverless with a custom image"
    found = parse_label(label)
    if found.family != "emr":
        return f"use an emr-6.x release, e.g. emr-6.15.0, or {serverless}"
    if found.major < 6:
        return f"use emr-6.0.0 or later of emr-6, e.g. emr-6.15.0, or {serverless}"
    if docker and docker.experimental_emr7:
        return ""
    experiment = "ClusterSpec(docker=DockerOnYarn(experimental_emr7=True)), which AWS does not document"
    return f"use an emr-6.x release, e.g. emr-6.15.0, {serverless}, or {experiment}"


def needs_ecr_provider(label: str) -> bool:
    """Tell whether a cluster has to be told how to log in to ECR, which up to emr-6.8 it knew by itself."""
    found = parse_label(label)
    return found.family == "emr" and found >= parse_label("emr-6.9.0")


def _wanted(spec: ClusterSpec, image: DockerImage | None) -> DockerOnYarn | None:
    if isinstance(spec.docker, DockerOnYarn):
        return spec.docker
    return DockerOnYarn() if spec.docker or (spec.docker is None and image) else None


def _trusted(wanted: DockerOnYarn, image: DockerImage | None) -> tuple[str, ...]:
    trusted = tuple(dict.fromkeys((*DEFAULT_TRUSTED, *wanted.trusted_registries)))
    if image is None or image.reference.is_trusted_by(trusted):
        return trusted
    return (*trusted, image.reference.trusted_as)


def _is_of_ecr(registry: str) -> bool:
    return EcrRegistry.of(registry.partition("/")[0]) is not None


def _check_registry(field: str, registry: str) -> None:
    problem, mend = _not_a_registry(registry)
    if problem:
        raise InvalidValueError(OWNER, field, registry, problem, mend)


def _not_a_registry(registry: str) -> tuple[str, str]:
    """Tell why a text can't be a registry, and what to write instead."""
    if "," in registry:
        return "is more than one", "give one list item per registry"
    if "://" in registry:
        return "has a scheme", f"write {registry.partition('://')[2]!r}"
    if registry.endswith("/"):
        return "ends with a slash", f"write {registry.rstrip('/')!r}"
    if registry != registry.lower():
        return "has capitals, which YARN compares letter by letter", f"write {registry.lower()!r}"
    # Whatever may be trusted is the beginning of images' names.
    if _parsed(f"{registry}/image"):
        return "", ""
    image = _parsed(registry)
    if image:
        return "is the name of an image", f"give {image.trusted_as!r}"
    return "is no registry", "write it like 123456789012.dkr.ecr.us-east-1.amazonaws.com, user or library"


def _parsed(text: str) -> ImageReference | None:
    try:
        return ImageReference.parse(text)
    except InvalidValueError:
        return None
