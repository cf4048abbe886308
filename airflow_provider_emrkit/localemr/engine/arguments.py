"""The arguments by which an engine makes a container. Pure; of a job there are only paths in them."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_provider_emrkit.localemr.spark.image import Mount

LABEL = "emrkit.localemr"
"""Label of every container; its value says of which data directory it is."""

NAME_LABEL = "emrkit.localemr.container"
"""Label of a container and its helpers; its value is the container's name."""


@dataclass(frozen=True)
class Traits:
    """How an engine is set up.

    :param rootless: It runs as an ordinary user.
    :param podman: It is podman.

    >>> Traits(podman=True).rootless
    False
    """

    rootless: bool = False
    podman: bool = False


@dataclass(frozen=True)
class ContainerSpec:
    """A container to be.

    :param name: Its name, no other's.
    :param instance: The data directory it belongs to.
    :param image: The image's id.
    :param user: User and group ids, as ``1000:1000``.
    :param work: Its working directory.
    :param mounts: What it sees of this machine.
    :param command: What it runs, for the image's entry point if it has one.
    :param entry_point: A program that takes the place of the image's own entry point; empty for none.

    >>> ContainerSpec("one", "me", "sha256:0", "0:0", Path("/w"), (), ("bash",)).name
    'one'
    """

    name: str
    instance: str
    image: str
    user: str
    work: Path
    mounts: Sequence[Mount]
    command: Sequence[str]
    entry_point: str = ""


def labels(instance: str, name: str) -> list[str]:
    """Give the options that mark a container."""
    return ["--label", f"{LABEL}={instance}", "--label", f"{NAME_LABEL}={name}"]


def entry_point_option(program: str) -> list[str]:
    """Give the option by which a program takes the place of an image's entry point; none for no program."""
    return [f"--entrypoint={program}"] if program else []


def create_arguments(spec: ContainerSpec, traits: Traits) -> list[str]:
    """Give the arguments that make a container, which does not run yet."""
    return [
        "create",
        "--rm",
        "--init",
        "--network=host",
        f"--name={spec.name}",
        *labels(spec.instance, spec.name),
        *_user(spec.user, traits),
        f"--workdir={spec.work}",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        # Where SELinux watches, it would keep the container from the files of this machine.
        "--security-opt=label=disable",
        *(word for mount in spec.mounts for word in ("--mount", _mount(mount))),
        *entry_point_option(spec.entry_point),
        spec.image,
        *spec.command,
    ]


def _user(user: str, traits: Traits) -> list[str]:
    """Be the user of this machine, whose files are mounted."""
    if not traits.rootless:
        return [f"--user={user}"]
    # The root of a rootless docker is the user who runs it.
    return ["--userns=keep-id", f"--user={user}"] if traits.podman else ["--user=0:0"]


def _mount(mount: Mount) -> str:
    fields = ["type=bind", f"source={mount.source}", f"target={mount.destination}"]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([*fields, *([] if mount.writable else ["readonly"])])
    return line.getvalue()
