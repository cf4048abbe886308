"""Whether a job's image can run on a cluster: judged before anything is submitted. Pure.

What a cluster's configuration does not say may be said elsewhere (in its AMI, by a bootstrap action), hence
it is not taken for a no; only trust is, as EMR documents whom a cluster trusts where nothing else is said.
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.configurations import properties_of
from airflow_provider_emrkit.compute.docker_on_yarn import (
    DEFAULT_TRUSTED,
    DOCKER_PATH,
    ECR_LOGIN_ENABLED,
    ECR_PROVIDER,
    ECR_PROVIDER_CLASS,
    TRUSTED,
    DockerOnYarn,
    needs_ecr_provider,
    release_mend,
    with_docker,
)
from airflow_provider_emrkit.compute.pool import ClusterPool
from airflow_provider_emrkit.compute.targets import DynamicCluster
from airflow_provider_emrkit.jobs.docker_image import Mount
from airflow_provider_emrkit.releases import known_release, parse_label
from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emrkit.compute.cluster_spec import ClusterSpec
    from airflow_provider_emrkit.jobs.docker_image import DockerImage
    from airflow_provider_emrkit.jobs.spark_job import SparkJob

YARN_SITE = "yarn-site"
READ_ONLY = "docker.allowed.ro-mounts"
WRITABLE = "docker.allowed.rw-mounts"
# Where EMR keeps what YARN writes: containers may write some of it, wherever that is said.
_DISK = re.compile(r"/mnt\d*(/|$)")


@dataclass(frozen=True)
class ImageProblem:
    """Why an image can't run on a cluster, and what mends it.

    :param problem: What is wrong, read after the image's name: ``is not trusted by …``.
    :param mend: What to do.

    >>> print(ImageProblem("is not trusted by the cluster", "add its registry"))
    is not trusted by the cluster; add its registry
    """

    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.problem}; {self.mend}"


def image_problem(
    image: DockerImage,
    *,
    release_label: str,
    configurations: Sequence[Mapping[str, Any]],
    region: str | None,
    trust_mend: str = "",
) -> ImageProblem | None:
    """Tell why an image can't run on a cluster; None where nothing is known to stand against it.

    :param image: The image, rendered.
    :param release_label: The cluster's; empty, or one nobody knows, for a release that is not judged.
    :param configurations: The cluster's, as RunJobFlow takes and DescribeCluster gives them.
    :param region: AWS region of the cluster; None where it is not known.
    :param trust_mend: What makes the cluster trust the image; by default, what EMR would have to be told.

    >>> from airflow_provider_emrkit import DockerImage
    >>> image = DockerImage("user/etl:1.4")
    >>> image_problem(image, release_label="emr-6.15.0", configurations=[], region=None).problem
    'is not trusted by the cluster, which trusts local, centos'
    """
    found = _docker_of(configurations)
    docker, yarn = found or {}, properties_of(configurations, YARN_SITE) or {}
    trust_mend = trust_mend or f"make the cluster with {_addition(image, release_label, docker, yarn)}"
    return (
        _release_problem(image, release_label, has_docker=found is not None)
        or _trust_problem(image, docker, trust_mend)
        or _mount_problem(image, docker)
        or _login_problem(image, release_label, yarn, region)
    )


def needs_ecr_login(image: DockerImage, release_label: str) -> bool:
    """Tell whether the step itself has to log in to ECR: where it was asked to, else where EMR does not.

    :param image: The image, rendered.
    :param release_label: The cluster's; empty, or one nobody knows, for a release that is not judged.

    >>> from airflow_provider_emrkit import DockerImage
    >>> image = DockerImage("123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.4")
    >>> needs_ecr_login(image, "emr-6.0.0"), needs_ecr_login(image, "emr-6.1.0")
    (True, False)
    """
    if image.reference.ecr is None:
        return False
    if image.ecr_login is None:
        return not image.client_config and _is_before_ecr_login(release_label)
    return image.ecr_login


def check_image_fits(owner: str, job: SparkJob, compute: object, region: str | None = None) -> None:
    """Check that the clusters a job is to run on can run its image, as far as that is known.

    What holds a template is judged when it has been rendered, but for the cluster's release; an existing
    cluster when it has been asked.

    :param owner: What the job belongs to, for errors.
    :param job: The job.
    :param compute: Where it is to run.
    :param region: AWS region, where it is known.
    :raises InvalidValueError: when they can't, with what mends it.
    """
    image = job.docker
    if image is None or not isinstance(compute, (DynamicCluster, ClusterPool)):
        return
    found = _refused(compute) or _unfit(image, compute, region)
    if found:
        raise InvalidValueError(owner, "job.docker", image.uri, found.problem, found.mend)


# --- clusters that are made for jobs ----------------------------------------------------------------------


def _refused(compute: DynamicCluster | ClusterPool) -> ImageProblem | None:
    if compute.spec.docker is not False:
        return None
    mend = "leave docker=False out of its ClusterSpec"
    return ImageProblem("is an image, which the cluster is told to refuse", mend)


def _unfit(
    image: DockerImage, compute: DynamicCluster | ClusterPool, region: str | None
) -> ImageProblem | None:
    """Judge an image by the request that would be sent, where that is known."""
    spec = compute.spec
    if is_template(spec.release_label):
        return None
    listed = spec.docker.trusted_registries if isinstance(spec.docker, DockerOnYarn) else ()
    is_open = any(map(is_template, (image.uri, *listed)))
    made_for = image if isinstance(compute, DynamicCluster) and not is_open else None
    own = spec.overrides.get("Configurations", spec.configurations)
    sent = own if "Configurations" in spec.overrides else with_docker(spec, own, made_for)
    if is_open:  # no image runs where Docker does not
        return _release_problem(image, spec.release_label, has_docker=_docker_of(sent) is not None)
    is_set = TRUSTED in (_docker_of(own) or {})
    trust_mend = "" if made_for or is_set else _pool_mend(image, spec)
    return image_problem(
        image,
        release_label=spec.release_label,
        configurations=sent,
        region=region,
        trust_mend=trust_mend,
    )


def _pool_mend(image: DockerImage, spec: ClusterSpec) -> str:
    """Write what a pool has to say, whose clusters do not depend on whose job comes first."""
    docker = spec.docker if isinstance(spec.docker, DockerOnYarn) else DockerOnYarn()
    registries = [*docker.trusted_registries, image.reference.trusted_as]
    asked = replace(docker, trusted_registries=registries)
    return f"give the pool's ClusterSpec docker={asked!r}"


# --- what stands against an image -------------------------------------------------------------------------


def _release_problem(image: DockerImage, label: str, *, has_docker: bool) -> ImageProblem | None:
    known = known_release(label)
    if known is None:
        return None
    mend = release_mend(label)
    # Whoever has told a cluster of EMR 7 about Docker has tried it.
    if mend and not (has_docker and known.label.family == "emr" and known.label.major >= 7):
        return ImageProblem(f"can't run on {label}, for which AWS does not document Docker on YARN", mend)
    is_pinned = image.pin_digest or (not is_template(image.uri) and image.reference.digest)
    if is_pinned and tuple(map(int, known.hadoop.split(".")[:2])) < (3, 3):
        problem = f"is named by its digest, which YARN of {label} (Hadoop {known.hadoop}) does not take"
        return ImageProblem(problem, "use emr-6.15.0, or a tag that is never moved and no pin_digest")
    return None


def _trust_problem(image: DockerImage, docker: Mapping[str, str], mend: str) -> ImageProblem | None:
    trusted = _trusted(docker)
    if trusted is None or image.reference.is_trusted_by(trusted):
        return None
    problem = f"is not trusted by the cluster, which trusts {', '.join(trusted) or 'nobody'}"
    if image.reference.name in trusted:
        problem += " (each the beginning of images' names, up to a slash)"
    return ImageProblem(problem, mend)


def _docker_of(configurations: Any) -> dict[str, str] | None:
    return properties_of(configurations, *DOCKER_PATH)


def _trusted(docker: Mapping[str, str]) -> tuple[str, ...] | None:
    """Give the registries that a cluster trusts; None for what is not known yet."""
    value = docker.get(TRUSTED)
    if value is None:
        return DEFAULT_TRUSTED
    return None if is_template(value) else tuple(filter(None, map(str.strip, value.split(","))))


def _addition(image: DockerImage, label: str, docker: Mapping[str, str], yarn: Mapping[str, str]) -> str:
    """Write the classifications that a cluster has to have for an image, as EMR takes them."""
    trusted = ",".join((*(_trusted(docker) or ()), image.reference.trusted_as))
    outer, inner = DOCKER_PATH
    nested = [{"Classification": inner, "Properties": {TRUSTED: trusted}}]
    added: list[dict[str, Any]] = [{"Classification": outer, "Properties": {}, "Configurations": nested}]
    if _lacks_provider(image, label, yarn):
        added.append({"Classification": YARN_SITE, "Properties": {ECR_PROVIDER: ECR_PROVIDER_CLASS}})
    return json.dumps(added)


def _mount_problem(image: DockerImage, docker: Mapping[str, str]) -> ImageProblem | None:
    for text in image.all_mounts:
        mount = None if is_template(text) else Mount.parse(text)
        if mount is None or _may_mount(mount, docker):
            continue
        name = READ_ONLY if mount.is_read_only else WRITABLE
        paths = ",".join(filter(None, (docker[name].strip(), mount.source)))
        problem = f"is to mount {mount.source}, which the cluster's {name} does not allow: {docker[name]}"
        other = ", or leave the mount out" if text in image.mounts else ""
        return ImageProblem(problem, f"make the cluster with {name}={paths}{other}")
    return None


def _may_mount(mount: Mount, docker: Mapping[str, str]) -> bool:
    """Tell whether a cluster may allow a mount: what may be written may be read, too."""
    names = (READ_ONLY, WRITABLE) if mount.is_read_only else (WRITABLE,)
    values = [docker[name] for name in names if name in docker]
    if any(map(is_template, values)) or names[0] not in docker:
        return True
    if any(_covers(path.strip(), mount.source) for value in values for path in value.split(",")):
        return True
    return WRITABLE not in docker and _DISK.match(mount.source) is not None


def _covers(path: str, source: str) -> bool:
    return path.startswith("/") and f"{source}/".startswith(f"{posixpath.normpath(path).rstrip('/')}/")


def _login_problem(
    image: DockerImage, label: str, yarn: Mapping[str, str], region: str | None
) -> ImageProblem | None:
    """Tell why nobody would log in to the image's registry of ECR."""
    ecr = image.reference.ecr
    if ecr is None or image.client_config or needs_ecr_login(image, label):
        return None
    if _is_before_ecr_login(label):
        mend = "leave ecr_login=False out, or give DockerImage a client_config"
        return ImageProblem(f"is in ECR, to which {label} does not log in by itself", mend)
    if yarn.get(ECR_LOGIN_ENABLED, "").strip().lower() == "false":
        mend = f"use DockerImage(…, ecr_login=True), or make the cluster with {ECR_LOGIN_ENABLED}=true"
        return ImageProblem("is in ECR, to which the cluster is told not to log in", mend)
    if region and ecr.region != region:
        problem = f"is in ECR of {ecr.region}, and EMR logs in only in the cluster's own region, {region}"
        mend = f"copy it to ECR of {region}, or use DockerImage(…, ecr_login=True) or a client_config"
        return ImageProblem(problem, mend)
    if _lacks_provider(image, label, yarn):
        setting = f"{ECR_PROVIDER}={ECR_PROVIDER_CLASS}"
        mend = f"use DockerImage(…, ecr_login=True), or make the cluster with yarn-site's {setting}"
        return ImageProblem(f"is in ECR, to which {label} logs in only where it is told how", mend)
    return None


def _lacks_provider(image: DockerImage, label: str, yarn: Mapping[str, str]) -> bool:
    """Tell whether EMR is to log in to ECR and was not told how, where it has to be."""
    is_left_to_emr = image.reference.ecr and not image.client_config and not image.ecr_login
    return bool(
        is_left_to_emr and known_release(label) and needs_ecr_provider(label) and not yarn.get(ECR_PROVIDER)
    )


def _is_before_ecr_login(label: str) -> bool:
    known = known_release(label)
    return known is not None and known.label.family == "emr" and known.label < parse_label("emr-6.1.0")
