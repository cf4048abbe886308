"""Failures of a job's image, made by a real docker engine and put into the frame that YARN prints them in.

Nothing is pulled from anywhere: a registry of a few lines on this machine refuses what it is asked for, and
the images are made here. The engine is the one that the ``docker`` program finds (``DOCKER_HOST``).
"""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import shutil
import socket
import struct
import subprocess
import tarfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from failures.composed import IMAGE, entry
from failures.yarn_frame import launch_failed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from failures.corpus import Entry

HOW = "composed from a real docker engine's output and YARN's frame"
_TIMEOUT = 120
_ARM64 = 0xB7
BASH = "/bin/bash"
_ENV = "/usr/bin/env"
_JAVA = "exec $JAVA_HOME/bin/java -version"
_DOCKER = shutil.which("docker") or "docker"
_LDD = "/usr/bin/ldd"
_ECR = "arn:aws:ecr:us-east-1:123456789012:repository/etl"
_ROLE = "arn:aws:sts::123456789012:assumed-role/EMR_EC2_DefaultRole/i-0123456789abcdef0"
_ACTION = "ecr:BatchGetImage"
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


@dataclass(frozen=True)
class _Answer:
    """What a registry answers to who asks for a manifest; ``basic`` asks for a login first, as ECR does."""

    status: int = 404
    code: str = ""
    message: str = ""
    body: str = ""
    kind: str = "application/json"
    basic: bool = False

    def text(self) -> str:
        errors = {"errors": [{"code": self.code, "message": self.message}]}
        return self.body or json.dumps(errors)


# What ECR and Docker Hub answer, as they write it themselves.
_NO_LOGIN = _Answer(401, body="Not Authorized\n", basic=True)
NO_TAG = _Answer(404, "MANIFEST_UNKNOWN", "Requested image not found")
_NO_REPOSITORY = _Answer(
    404,
    "NAME_UNKNOWN",
    "The repository with name 'etl' does not exist in the registry with id '123456789012'",
)
_NO_RIGHT = _Answer(
    403,
    "DENIED",
    f"User: {_ROLE} is not authorized to perform: {_ACTION} on resource: {_ECR} because no "
    f"identity-based policy allows the {_ACTION} action",
)
_EXPIRED = _Answer(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
_TOO_MANY = _Answer(
    429,
    "TOOMANYREQUESTS",
    "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: "
    "https://www.docker.com/increase-rate-limit",
)
_OF_ARM = _Answer(
    200,
    body=json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": _LIST,
            "manifests": [
                {
                    "mediaType": _MANIFEST,
                    "size": 500,
                    "digest": f"sha256:{'a' * 64}",
                    "platform": {"architecture": "arm64", "os": "linux"},
                }
            ],
        }
    ),
    kind=_LIST,
)


class _Registry(http.server.BaseHTTPRequestHandler):
    """Answers as a registry does to who may not have what he asks for, or asks for what is not there."""

    answer = NO_TAG

    def do_GET(self) -> None:
        if self.answer.basic:
            headers = {"WWW-Authenticate": 'Basic realm="ECR"'}
            self._answer(self.answer.status, self.answer.text().encode(), headers)
        elif self.path == "/v2/":
            self._answer(200, b"{}", {})
        else:
            headers = {"Content-Type": self.answer.kind}
            self._answer(self.answer.status, self.answer.text().encode(), headers)

    do_HEAD = do_GET  # noqa: N815 - the name is the library's

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Docker-Distribution-Api-Version": "registry/2.0", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


# Name of the failure → what the registry answers, and what is told of it.
_ANSWERS = {
    "docker-missing-image": (NO_TAG, "manifest unknown: Requested image not found"),
    "docker-missing-repository": (_NO_REPOSITORY, "The repository with name 'etl' does not exist"),
    "docker-denied": (_NO_LOGIN, "no basic auth credentials"),
    "docker-without-rights": (_NO_RIGHT, "is not authorized to perform: ecr:BatchGetImage"),
    "docker-expired-token": (_EXPIRED, "Your authorization token has expired"),
    "docker-too-many-pulls": (_TOO_MANY, "toomanyrequests: You have reached your pull rate limit"),
    "docker-no-such-architecture": (_OF_ARM, "no matching manifest for linux/amd64"),
}


def entries() -> Iterator[Entry]:
    """Let a docker engine fail in all ways, and make an entry of each.

    :raises FileNotFoundError: without docker.
    """
    for name, (answer, contains) in _ANSWERS.items():
        with registry(answer) as image:
            yield _entry(name, _run(image), contains, image)
    with _no_registry() as image:
        yield _entry("docker-unreachable-registry", _run(image), "connection refused", image)
    with made_image("etl:arm", {BASH: arm_program()}, "linux/arm64") as image:
        yield _entry("docker-other-architecture", _run(image), "exec format error", image)
    with made_image("etl:empty", {"/etc/none": b""}, "") as image:
        yield _entry("docker-without-bash", _run(image), 'exec: "bash": executable file not found', image)
        said = _run(image, "--user", "hadoop")
        yield _entry("docker-unknown-user", said, "unable to find user hadoop", image)
        said = _run(image, "--volume", "/mnt/models:models:ro")
        yield _entry(
            "docker-bad-mount", said, "invalid mount path: 'models' mount path must be absolute", image
        )
    with made_image("etl:bare", _programs(), "") as image:
        said = _run(image, command=_JAVA)
        yield _entry(
            "docker-without-java", said, "/usr/lib/jvm/jre-17/bin/java: No such file or directory", image
        )
        said = _run(image, command="exec env python3.9 -V")
        yield _entry("docker-without-python", said, "python3.9", image)
    said = _run("etl:1.4", host="unix:///var/run/none.sock")
    yield _entry("docker-no-daemon", said, "Cannot connect to the Docker daemon", "etl:1.4")


def _entry(name: str, said: tuple[int, list[str]], contains: str, image: str) -> Entry:
    code, lines = said
    host, repository = image.partition("/")[0], image.rpartition(":")[0]
    words = {
        image: IMAGE,
        f"http://{host}/": f"https://{IMAGE.partition('/')[0]}/",
        repository: IMAGE.rpartition(":")[0],
        host: "10.0.0.53:443",
        "/var/run/none.sock": "/var/run/docker.sock",
    }
    for ours, theirs in words.items():
        lines = [line.replace(ours, theirs) for line in lines]
    # Docker's own failure, which YARN's launcher reports as 7; else the container's own words.
    by_docker = any(line.startswith("docker: ") for line in lines)
    failed = launch_failed(7, lines) if by_docker else launch_failed(code, [], lines)
    told = {"contains": contains, "about": "docker", "error": "DockerError"}
    return entry(name, {"submit.log": failed.submit_log()}, told, HOW)


def _run(image: str, *options: str, command: str = _JAVA, host: str = "") -> tuple[int, list[str]]:
    """Start the driver's command as YARN does; give docker's exit code and what it wrote."""
    always = ["--rm", "--network", "none", "-e", "JAVA_HOME=/usr/lib/jvm/jre-17"]
    at = ["--host", host] if host else []
    ran = subprocess.run(
        [_DOCKER, *at, "run", *always, *options, image, "bash", "-c", command],
        capture_output=True, text=True, check=False, timeout=_TIMEOUT,
    )  # fmt: skip
    return ran.returncode, ran.stderr.splitlines()


@contextlib.contextmanager
def registry(answer: _Answer) -> Iterator[str]:
    """Let a registry answer; give the name of an image in it."""
    handler = type("Registry", (_Registry,), {"answer": answer})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}/etl:1.4"
        finally:
            server.shutdown()


@contextlib.contextmanager
def _no_registry() -> Iterator[str]:
    """Give a registry that nobody answers for."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{kept.getsockname()[1]}/etl:1.4"


@contextlib.contextmanager
def made_image(name: str, files: Mapping[str, bytes], platform: str) -> Iterator[str]:
    """Have an image of some programs, for a platform; empty for this machine's."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, body in files.items():
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size, member.mode = len(body), 0o755
            archive.addfile(member, io.BytesIO(body))
    options = ["--platform", platform] if platform else []
    imported = [_DOCKER, "import", *options, "-", name]
    subprocess.run(imported, input=packed.getvalue(), check=True, capture_output=True, timeout=_TIMEOUT)
    try:
        yield name
    finally:
        subprocess.run([_DOCKER, "rmi", name], check=True, capture_output=True, timeout=_TIMEOUT)


def arm_program() -> bytes:
    """Give the head of a program for another processor."""
    ident = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    rest = struct.pack("<HHIQQQIHHHHHH", 2, _ARM64, 1, 0x400000, 64, 0, 0, 64, 56, 0, 64, 0, 0)
    return ident + rest


def _programs() -> Mapping[str, bytes]:
    """Give this machine's bash and env, and their libraries."""
    command = [_LDD, BASH, _ENV]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_TIMEOUT)
    libraries = [word for word in listed.stdout.split() if word.startswith("/") and not word.endswith(":")]
    return {name: Path(name).read_bytes() for name in (BASH, _ENV, *libraries)}
