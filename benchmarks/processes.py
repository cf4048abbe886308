"""The two processes of a run: the endpoint and the triggerer."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from benchmarks.endpoint.tls import HOST, Certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.scenarios import Scenario

ROOT = Path(__file__).resolve().parents[1]

# Seconds that a process has for ending by itself.
PATIENCE = 15.0

_COMPLAINTS = 20


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and see to it."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Endpoint:
    """The stand-in for AWS.

    :param certificate: What it is reached with.
    :param seed: Of the schedule.
    :ivar pid: Its process's id.
    :ivar url: Where it is reached.
    """

    def __init__(self, scenario: Scenario, seed: int, certificate: Certificate) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.endpoint"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._context = ssl.create_default_context(cafile=str(certificate.chain))
        order = {
            "shape": asdict(scenario.shape),
            "seed": seed,
            "quotas": dict(scenario.quotas),
            "log": asdict(scenario.log) if scenario.log else None,
            "chain": str(certificate.chain),
            "key": str(certificate.key),
        }
        stdin, stdout = pipe(self._process.stdin), pipe(self._process.stdout)
        stdin.write(json.dumps(order).encode() + b"\n")
        stdin.flush()
        port = stdout.readline().strip()
        if not port:
            raise RuntimeError("the endpoint did not start; what it said is above")
        self.pid = self._process.pid
        self.url = f"https://{HOST}:{int(port)}"

    def start(self, started: float) -> None:
        """Let the schedule begin.

        :param started: Its second 0, in seconds since 1970.
        """
        self._ask("/start", json.dumps({"started": started}).encode())

    def counts(self) -> dict[str, Any]:
        """Tell what was called: ``served``, ``throttled``, ``refused``, ``connections``, ``shown``.

        ``log_calls`` holds the time of each call to CloudWatch Logs, in seconds since 1970.
        """
        return self._ask("/counts", None)

    def close(self) -> None:
        """End it."""
        end(self._process)

    def _ask(self, path: str, body: bytes | None) -> dict[str, Any]:
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context)
        )
        with opener.open(self.url + path, body, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


class Triggerer:
    """A process with Airflow's TriggerRunner.

    :param folder: An empty one for it.
    :param environ: Settings beside this process's own.
    :param take: Is given each line of its log, by another thread.
    :ivar sock: What its supervisor talks to it through.
    """

    def __init__(
        self, folder: Path, environ: Mapping[str, str], take: Callable[[bytes], None] | None = None
    ) -> None:
        self._take = take
        self._report = folder / "report.json"
        self.sock, theirs = socket.socketpair()
        read, write = os.pipe()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.triggerer"),
                *("--report", str(self._report), "--log-fd", str(write)),
            ],
            cwd=ROOT,
            env={**os.environ, **environ},
            stdin=theirs.fileno(),
            pass_fds=(write,),
        )
        theirs.close()
        os.close(write)
        self.complaints: list[str] = []
        self._reader = threading.Thread(target=self._read_log, args=(os.fdopen(read, "rb"),), daemon=True)
        self._reader.start()

    def stop(self) -> None:
        """Ask it to end; its socket has to be served until it has."""
        self.process.send_signal(signal.SIGTERM)

    def report(self) -> dict[str, Any]:
        """Give what it wrote at the end."""
        end(self.process)
        self._reader.join(PATIENCE)
        found: dict[str, Any] = json.loads(self._report.read_text())
        return found

    def close(self) -> None:
        """End it, whatever it does."""
        end(self.process)
        self.sock.close()

    def _read_log(self, stream: IO[bytes]) -> None:
        """Take the log as the supervisor does, and keep the first of what is worse than information."""
        with stream:
            for line in stream:
                if self._take is not None:
                    self._take(line)
                if len(self.complaints) < _COMPLAINTS and (b'"warning"' in line or b'"error"' in line):
                    self.complaints.append(line.decode(errors="replace").strip()[:2_000])


def pipe(stream: IO[bytes] | None) -> IO[bytes]:
    """Give a process's stream that was asked to be a pipe."""
    if stream is None:
        raise AssertionError("a pipe was asked for")
    return stream
