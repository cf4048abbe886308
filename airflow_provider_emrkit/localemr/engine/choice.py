"""Which container engine of this machine runs images."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from airflow_provider_emrkit.localemr.config import EngineName

if TYPE_CHECKING:
    from collections.abc import Mapping

CHOSEN = "EMRKIT_ENGINE"
"""Environment variable that chooses the engine where no option does."""

# What the engines' own programs read to find their engine, no secret among it.
_ADDRESSES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "CONTAINER_HOST", "CONTAINER_CONNECTION")


class EngineError(Exception):
    """The engine is not there, does not answer, or refuses; the message says which and what to do."""


@dataclass(frozen=True)
class Engine:
    """An engine.

    :param program: Path of its command line program.
    :param name: Which one it is.
    :param address: Variables by which the program finds the engine itself.

    >>> Engine("/usr/bin/docker", "docker").is_podman
    False
    """

    program: str
    name: str
    address: tuple[tuple[str, str], ...] = ()

    @property
    def is_podman(self) -> bool:
        """Whether it is podman, whose options differ in places."""
        return self.name == "podman"


def find_engine(chosen: str | None, environ: Mapping[str, str]) -> Engine:
    """Find an engine's program.

    :param chosen: Its name; None for what the environment chooses, else the first that is there.
    :raises EngineError: when there is none.
    """
    wanted = chosen or environ.get(CHOSEN)
    known = get_args(EngineName)
    if wanted and wanted not in known:
        raise EngineError(f"{CHOSEN}: {wanted!r} is no engine known here; choose {' or '.join(known)}.")
    for name in (wanted,) if wanted else known:
        program = shutil.which(name, path=environ.get("PATH"))
        if program:
            return Engine(os.path.abspath(program), name, _address(environ))  # noqa: PTH100 - links are kept
    raise EngineError(
        f"a job's image needs a container engine, and {wanted or ' or '.join(known)} is not installed here: "
        "install it, or run the job here without its image."
    )


def _address(environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, environ[name]) for name in _ADDRESSES if environ.get(name))
