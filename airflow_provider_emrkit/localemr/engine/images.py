"""Finds an image in an engine, or has it pulled, and looks which Java it has."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.engine.arguments import Traits, entry_point_option, labels
from airflow_provider_emrkit.localemr.engine.choice import EngineError
from airflow_provider_emrkit.localemr.spark.image import LaunchFailure

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.engine.client import Answer, EngineClient
    from airflow_provider_emrkit.localemr.spark.image import ImageRequest

PULL_SECONDS = 3600.0
# As YARN's program reports a failure of Docker itself.
ENGINE_FAILED = 7

_JAVA_SECONDS = 60.0
_LOOK_FOR_JAVA = '"${JAVA_HOME:-/nowhere}"/bin/java -version 2>&1 || java -version 2>&1'
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
_UNKNOWN = "unknown"


class LaunchError(Exception):
    """A container can't be launched."""

    def __init__(self, failure: LaunchFailure) -> None:
        super().__init__("\n".join(failure.shell_error))
        self.failure = failure


def engine_failed(answer: Answer) -> LaunchError:
    """Give the failure of a call of the engine, in the engine's own words."""
    return LaunchError(LaunchFailure(ENGINE_FAILED, answer.complaint))


class KnownJavas:
    """Which Java images have, each looked at once.

    >>> KnownJavas().of(client, "sha256:…", "me", "one")  # doctest: +SKIP
    '17'
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[tuple[object, str, str], str] = {}

    def of(self, client: EngineClient, image_id: str, instance: str, name: str, entry_point: str = "") -> str:
        """Say which major of Java an image has; see :func:`ask_java`."""
        key = (client.engine, image_id, entry_point)
        with self._lock:
            found = self._found.get(key)
        if found is None:
            found = ask_java(client, image_id, instance, name, entry_point)
            with self._lock:
                self._found[key] = found
        return found


def ask_traits(client: EngineClient) -> Traits:
    """Ask an engine how it is set up.

    :raises EngineError: when it does not answer.
    """
    name, is_podman = client.engine.name, client.engine.is_podman
    template = "{{json .Host.Security}}" if is_podman else "{{json .SecurityOptions}}"
    try:
        answer = client.call("info", "--format", template)
        problem = " ".join(answer.complaint) if answer.code else ""
    except EngineError as error:
        problem = str(error)
    if problem:
        raise EngineError(
            f"a job's image needs a container engine, and {name} does not answer: {problem} "
            f"Start it, or name its socket in {'CONTAINER_HOST' if is_podman else 'DOCKER_HOST'} when the "
            "local EMR is started."
        )
    said = _json(answer.out)
    rootless = bool(said.get("rootless")) if isinstance(said, dict) else "name=rootless" in str(said)
    return Traits(rootless=rootless, podman=is_podman)


def find_image(client: EngineClient, request: ImageRequest) -> str:
    """Give the id of an image, which is pulled when the engine does not have it.

    :raises LaunchError: when it can't be had.
    """
    for name in request.names:
        answer = client.call("image", "inspect", "--format", "{{.Id}}", name)
        if answer.code == 0:
            return answer.out.strip()
    pulled = client.call("pull", "--quiet", request.image, seconds=PULL_SECONDS)
    if pulled.code:
        raise engine_failed(pulled)
    answer = client.call("image", "inspect", "--format", "{{.Id}}", request.image)
    if answer.code:
        raise engine_failed(answer)
    return answer.out.strip()


def ask_java(client: EngineClient, image_id: str, instance: str, name: str, entry_point: str = "") -> str:
    """Say which major of Java an image has, where EMR would look for it; empty for none.

    :param entry_point: A shell that takes the place of the image's own entry point; empty for none.
    """
    options = ("--rm", "--network=none", *labels(instance, name), *entry_point_option(entry_point))
    command = ("-c", _LOOK_FOR_JAVA) if entry_point else ("bash", "-c", _LOOK_FOR_JAVA)
    answer = client.call("run", *options, image_id, *command, seconds=_JAVA_SECONDS)
    found = _VERSION.search(answer.out)
    if found:
        return found[1]
    # An image without bash, or whose entry point runs something else, says nothing about Java.
    return "" if "java" in answer.out else _UNKNOWN


def java_note(request: ImageRequest, java: str) -> str:
    """Say what EMR would make of an image's Java; empty when that fits."""
    if java in (request.java, _UNKNOWN):
        return ""
    has = f"Java {java}" if java else "no Java"
    mend = f"give the image Java {request.java}, with JAVA_HOME"
    if request.home:
        mend = "build it on EMR Serverless's own image of the release"
    return (
        f"localemr: {request.image} has {has}, and runs here by this machine's; on EMR the job would fail: "
        f"{mend}."
    )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
