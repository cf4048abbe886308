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
import struct
import subprocess
import tarfile
import threading
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
_BASH = "/bin/bash"
_DOCKER = shutil.which("docker") or "docker"
_LDD = "/usr/bin/ldd"
_NOT_FOUND = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "Requested image not found"}]}


class _Registry(http.server.BaseHTTPRequestHandler):
    """Answers as ECR does to somebody without permission, or to who asks for what is not there."""

    denies = False

    def do_GET(self) -> None:
        if self.denies:
            self._answer(401, b"Not Authorized\n", {"WWW-Authenticate": 'Basic realm="ECR"'})
        elif self.path == "/v2/":
            self._answer(200, b"{}", {})
        else:
            self._answer(404, json.dumps(_NOT_FOUND).encode(), {"Content-Type": "application/json"})

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


def entries() -> Iterator[Entry]:
    """Let a docker engine fail in all ways, and make an entry of each.

    :raises FileNotFoundError: without docker.
    """
    about = {"about": "docker", "error": "DockerError"}
    with _registry(denies=False) as image:
        said = _run(image)
        yield _entry("docker-missing-image", said, {"contains": "manifest", **about}, image)
    with _registry(denies=True) as image:
        said = _run(image)
        yield _entry("docker-denied", said, {"contains": "no basic auth credentials", **about}, image)
    with _image("etl:arm", {_BASH: _arm_program()}, "linux/arm64") as image:
        said = _run(image)
        yield _entry("docker-other-architecture", said, {"contains": "exec format error", **about}, image)
    with _image("etl:bare", _bash(), "") as image:
        said = _run(image)
        missing = {"contains": "/usr/lib/jvm/jre-17/bin/java: No such file or directory", **about}
        yield _entry("docker-without-java", said, missing, image)


def _entry(name: str, said: tuple[int, list[str]], told: Mapping[str, str], image: str) -> Entry:
    code, lines = said
    host, repository = image.partition("/")[0], image.rpartition(":")[0]
    words = {
        image: IMAGE,
        f"http://{host}/": f"https://{IMAGE.partition('/')[0]}/",
        repository: IMAGE.rpartition(":")[0],
    }
    for ours, theirs in words.items():
        lines = [line.replace(ours, theirs) for line in lines]
    # 125: docker's own failure, which YARN's launcher reports as 7; else the container's own words.
    failed = launch_failed(7, lines) if code == 125 else launch_failed(code, [], lines)
    return entry(name, {"submit.log": failed.submit_log()}, told, HOW)


def _run(image: str) -> tuple[int, list[str]]:
    """Start the driver's command as YARN does; give docker's exit code and what it wrote."""
    command = [_BASH, "-c", "exec $JAVA_HOME/bin/java -version"]
    options = ["--rm", "--network", "none", "-e", "JAVA_HOME=/usr/lib/jvm/jre-17"]
    ran = subprocess.run(
        [_DOCKER, "run", *options, image, *command],
        capture_output=True, text=True, check=False, timeout=_TIMEOUT,
    )  # fmt: skip
    return ran.returncode, ran.stderr.splitlines()


@contextlib.contextmanager
def _registry(*, denies: bool) -> Iterator[str]:
    handler = type("Registry", (_Registry,), {"denies": denies})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}/etl:1.4"
        finally:
            server.shutdown()


@contextlib.contextmanager
def _image(name: str, files: Mapping[str, bytes], platform: str) -> Iterator[str]:
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


def _arm_program() -> bytes:
    """Give the head of a program for another processor."""
    ident = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    rest = struct.pack("<HHIQQQIHHHHHH", 2, _ARM64, 1, 0x400000, 64, 0, 0, 64, 56, 0, 64, 0, 0)
    return ident + rest


def _bash() -> Mapping[str, bytes]:
    """Give this machine's bash and its libraries."""
    listed = subprocess.run([_LDD, _BASH], capture_output=True, text=True, check=True, timeout=_TIMEOUT)
    names = [word for word in listed.stdout.split() if word.startswith("/")]
    return {name: Path(name).read_bytes() for name in (_BASH, *names)}
