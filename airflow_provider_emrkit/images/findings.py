"""What is found of an image, and what it was looked at for; and the judgements that all targets share. Pure.

All that is cited of an image is hostile text: whoever shows it makes it plain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airflow_provider_emrkit.images.dockerfile import PLATFORMS
from airflow_provider_emrkit.images.naming import size_text
from airflow_provider_emrkit.images.serverless_dockerfile import GALLERY
from airflow_provider_emrkit.images.yarn_dockerfile import EMRS_PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emrkit.images.probing import ImageFacts
    from airflow_provider_emrkit.releases import Release

Level = Literal["ok", "warning", "error"]
Kind = Literal["yarn", "serverless"]

# How images name the architectures of EMR's machines.
ARCHITECTURES = {platform.partition("/")[2]: arch for arch, platform in PLATFORMS.items()}
_MACHINES = {
    "yarn": {"x86_64": "x86_64 instances, as m5", "arm64": "arm64 instances (Graviton), as m6g"},
    "serverless": {"x86_64": "applications of X86_64", "arm64": "applications of ARM64 (Graviton)"},
}
# It is fetched before the first container starts; AWS names no limit. For EMR Serverless, EMR's own is in it.
_LARGE = {"yarn": 5_000_000_000, "serverless": 10_000_000_000}

_SECRET = re.compile(
    r"AWS_(SECRET_ACCESS_KEY|SESSION_TOKEN)|.*(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY)", re.ASCII
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    :param level: ``ok``; ``warning``: jobs run, but; ``error``: no job runs, or no Python job.
    :param subject: What it is about, in a word.
    :param text: What was found.
    :param mend: What to do about it; empty where there is nothing to do.

    >>> Finding("error", "bash", "there is none", "install it").level
    'error'
    """

    level: Level
    subject: str
    text: str
    mend: str = ""


@dataclass(frozen=True)
class Target:
    """What an image is to run on.

    :param release: Release of EMR; None when nobody said.
    :param arch: ``x86_64`` or ``arm64``; None when nobody said.
    :param python: Path of the job's Python: what EMR sets, or what ``SparkJob.env`` has for PYSPARK_PYTHON;
        empty for what the image says itself, in its own PYSPARK_PYTHON.
    :param kind: ``yarn`` for Docker on YARN, or ``serverless`` for EMR Serverless.
    :param modules: Modules that the job's Python has to be able to import.
    :param runs: Whether a small job of Spark's is to run in it; on EMR Serverless.

    >>> Target().python
    '/usr/bin/python3'
    """

    release: Release | None = None
    arch: str | None = None
    python: str = EMRS_PYTHON
    kind: Kind = "yarn"
    modules: tuple[str, ...] = ()
    runs: bool = False

    @property
    def is_serverless(self) -> bool:
        """Whether it is EMR Serverless."""
        return self.kind == "serverless"

    @property
    def options(self) -> str:
        """What says it on the command line."""
        return " --target serverless" if self.is_serverless else ""

    @property
    def fetcher(self) -> str:
        """What fetches an image."""
        return "each worker" if self.is_serverless else "each node"

    def machines(self, arch: str) -> str:
        """Say which machines are of an architecture."""
        return _MACHINES[self.kind][arch]

    def begin_with(self, what: str) -> str:
        """Say what to begin an image with, for something that the first one has to bring."""
        if not self.is_serverless:
            return f"begin with an image that has {what}"
        label = self.release.label if self.release else "emr-X.Y.Z"
        return f"begin with EMR's own, which has it: FROM {GALLERY}/{label}:latest"


def image_findings(facts: ImageFacts, target: Target) -> Iterator[Finding]:
    """Judge what an image is."""
    if facts.os != "linux":
        yield Finding("error", "system", f"it is for {facts.os}", "build it for linux")
    yield _architecture(facts, target)
    size = size_text(facts.size)
    if facts.size > _LARGE[target.kind]:
        mend = "leave out what jobs don't need; build in one stage and copy what is needed into another"
        text = f"{size}, which {target.fetcher} fetches before the job begins there"
        yield Finding("warning", "size", text, mend)
    else:
        yield Finding("ok", "size", size)


def _architecture(facts: ImageFacts, target: Target) -> Finding:
    has, wanted = facts.architecture, target.arch
    arch = ARCHITECTURES.get(has)
    if arch is None:
        mend = "build it for linux/amd64 or linux/arm64"
        return Finding("error", "architecture", f"{has or 'unknown'}, which no machine of EMR is", mend)
    if wanted and arch != wanted:
        text = f"{has}, for {target.machines(arch)}; on {wanted} its programs end with an exec format error"
        return Finding("error", "architecture", text, f"emrkit image build --arch {wanted}")
    return Finding("ok", "architecture", f"{has}, for {target.machines(arch)}")


def not_looked_into(facts: ImageFacts, target: Target) -> Finding:
    """Say why nothing is known of what is inside."""
    problem = facts.inside.problem
    if "exec format error" in problem.lower():
        text = f"this machine can't run {facts.architecture}, so what is inside was not looked at"
        emulating = f"docker run --privileged --rm tonistiigi/binfmt --install {facts.architecture}"
        mend = f"check it on such a machine, or let this one emulate it: {emulating}"
        return Finding("warning", "inside", text, mend)
    mend = target.begin_with("a shell and bash, as amazoncorretto has")
    if not any(words in problem.lower() for words in ("not found", "no such file")):
        mend = "see whether the engine can start other images, as hello-world"
    return Finding("error", "inside", f"nothing can be started in it: {problem}", mend)


def secret_findings(facts: ImageFacts) -> Iterator[Finding]:
    """Judge whether its environment holds secrets."""
    secrets = [name for name, value in facts.env.items() if value and _SECRET.fullmatch(name.upper())]
    if secrets:
        text = f"{', '.join(secrets)} looks like a secret, and whoever may pull the image can read it"
        mend = "take it out, change it, and let the job read it from AWS Secrets Manager"
        yield Finding("warning", "settings", text, mend)
