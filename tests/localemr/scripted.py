"""A cluster runner whose steps do what the test says: no processes, no Spark, no waiting.

>>> runner.script("daily_sales", stdout=["hello"])                   # logs a line, COMPLETED
>>> runner.script("broken", fails="ValueError: no such day")  # FAILED
>>> runner.script("long", hold=True)  # RUNNING until runner.finish("long") or a cancel
>>> runner.wait_started("long"); runner.write("long", "a live line"); runner.finish("long")

A script is chosen by a text that occurs in the step's name or in one of its arguments; the last one that
fits counts. A step without a script is COMPLETED at once.
"""

from __future__ import annotations

import contextlib
import gzip
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3

from airflow_provider_emrkit.localemr.run.contract import (
    ClusterRequest,
    ClusterStartError,
    RunningStep,
    StepRequest,
    StepResult,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_emrkit.localemr.config import ServerConfig

# A test that forgets to finish a held step fails instead of hanging.
LIMIT = 60.0


@dataclass
class Script:
    """What one step does.

    :param fails: Message of its failure; None for success.
    :param hold: Whether it runs until it is finished or cancelled.
    :param stdout: Lines it writes at its start.
    :param stderr: Lines it writes at its start.
    :param ignores_cancel: Whether a cancel without force changes nothing.
    :param raises: An error of the runner itself.
    """

    text: str
    fails: str | None = None
    hold: bool = False
    stdout: Sequence[str] = ()
    stderr: Sequence[str] = ()
    ignores_cancel: bool = False
    raises: Exception | None = None


@dataclass
class _Gate:
    """What decides when a held step goes on."""

    opened: threading.Event = field(default_factory=threading.Event)
    cancelled: bool = False


class ScriptedRunner:
    """Implements ``ClusterRunner``.

    :param config: The server's configuration; log lines are written to its address.
    """

    def __init__(self, config: ServerConfig) -> None:
        self.endpoint_url = config.url
        self.clusters: list[ClusterRequest] = []
        self.steps: list[StepRequest] = []
        self.cancels: list[tuple[str, bool]] = []
        self.stopped: list[str] = []
        self._condition = threading.Condition()
        self.forget()

    def forget(self) -> None:
        """Forget all scripts and what was started."""
        with self._condition:
            self._scripts: list[Script] = []
            self._running: dict[str, ScriptedStep] = {}
            self.start_error: Exception | None = None
            self.last_active: float | None = None
            self.start_lines: list[str] = []
            self.refused_labels: dict[str, str] = {}
            self._starts = threading.Event()
            self._starts.set()
            for seen in (self.clusters, self.steps, self.cancels, self.stopped):
                seen.clear()

    def script(self, text: str, **script: Any) -> None:
        """Say what steps with ``text`` in their name or arguments do; see :class:`Script`."""
        with self._condition:
            self._scripts.append(Script(text, **script))

    def hold_starts(self) -> None:
        """Let clusters stay in STARTING until ``release_starts``."""
        self._starts.clear()

    def release_starts(self) -> None:
        """Let clusters start."""
        self._starts.set()

    def finish(self, text: str) -> None:
        """Let a held step go on to its end."""
        self.wait_started(text).gate.opened.set()

    def write(self, text: str, *lines: str, stream: str = "stdout") -> None:
        """Write log lines of a step that runs."""
        self.wait_started(text).write(stream, lines)

    def wait_started(self, text: str) -> ScriptedStep:
        """Wait until a step runs that has ``text`` in its name or arguments, and return it."""
        with self._condition:
            if not self._condition.wait_for(lambda: self._find(text) is not None, LIMIT):
                raise TimeoutError(f"no step with {text!r} runs; running: {list(self._running)}")
            found = self._find(text)
            assert found is not None
            return found

    def _find(self, text: str) -> ScriptedStep | None:
        return next((step for step in self._running.values() if _fits(step.request, text)), None)

    def check(self, release_label: str) -> None:
        """Refuse the labels in ``refused_labels``."""
        if release_label in self.refused_labels:
            raise ClusterStartError(self.refused_labels[release_label])

    def start(self, request: ClusterRequest, progress: Callable[[str], None]) -> ScriptedCluster:
        """Report ``start_lines``, wait while starts are held, fail with ``start_error`` if there is one."""
        with self._condition:
            self.clusters.append(request)
            self._condition.notify_all()
        lines = list(self.start_lines) or ["starting"]
        for line in lines:
            progress(line)
        while not self._starts.wait(0.02):
            progress(lines[-1])
        if self.start_error is not None:
            raise self.start_error
        return ScriptedCluster(self, request)

    def run(self, step: ScriptedStep) -> None:
        """Note that a step runs."""
        with self._condition:
            self.steps.append(step.request)
            self._running[step.request.step_id] = step
            self._condition.notify_all()

    def ended(self, step: ScriptedStep) -> None:
        """Note that a step's end has come."""
        with self._condition:
            self._running.pop(step.request.step_id, None)

    def script_of(self, request: StepRequest) -> Script:
        """Find the script that counts for a step."""
        with self._condition:
            fitting = [script for script in self._scripts if _fits(request, script.text)]
        return fitting[-1] if fitting else Script("")

    def client(self, service: str, region: str) -> Any:
        """Make a boto3 client of the local endpoint."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=region,
            aws_access_key_id="localemr",
            aws_secret_access_key="localemr",
        )


class ScriptedCluster:
    """Implements ``RunningCluster``."""

    def __init__(self, runner: ScriptedRunner, request: ClusterRequest) -> None:
        self.runner = runner
        self.request = request

    def start_step(self, step: StepRequest) -> RunningStep:
        """Start a step."""
        script = self.runner.script_of(step)
        if script.raises is not None:
            raise script.raises
        running = ScriptedStep(self, step, script)
        self.runner.run(running)
        return running

    def last_active(self) -> float | None:
        """Say what the test says."""
        return self.runner.last_active

    def stop(self) -> None:
        """Note that the cluster was stopped."""
        self.runner.stopped.append(self.request.cluster_id)


class ScriptedStep:
    """Implements ``RunningStep``; writes logs the way EMR does: to CloudWatch at once, to S3 at the end."""

    def __init__(self, cluster: ScriptedCluster, request: StepRequest, script: Script) -> None:
        self.cluster = cluster
        self.request = request
        self.script = script
        self.gate = _Gate()
        self._lines: dict[str, list[str]] = {"stdout": [], "stderr": []}
        if not script.hold:
            self.gate.opened.set()

    def wait(self) -> StepResult:
        """Write the script's lines, wait for the gate and end as the script says."""
        self.write("stdout", self.script.stdout)
        self.write("stderr", self.script.stderr)
        if not self.gate.opened.wait(LIMIT):
            raise TimeoutError(f"step {self.request.name!r} was held and never finished")
        self._upload()
        self.cluster.runner.ended(self)
        if self.gate.cancelled:
            return StepResult(False, cancelled=True)
        if self.script.fails is not None:
            return StepResult(
                False, reason="Unknown Error.", message=self.script.fails, log_file=self._log_uri("stderr")
            )
        return StepResult(True)

    def cancel(self, *, force: bool = False) -> None:
        """End a held step."""
        self.cluster.runner.cancels.append((self.request.step_id, force))
        if force or not self.script.ignores_cancel:
            self.gate.cancelled = True
            self.gate.opened.set()

    def write(self, stream: str, lines: Sequence[str]) -> None:
        """Write log lines, with the present time, into the step's CloudWatch stream if there is one."""
        self._lines[stream].extend(lines)
        target = self.cluster.request.monitoring.get("CloudWatchLogConfiguration", {})
        if not lines or not target.get("Enabled"):
            return
        logs = self.cluster.runner.client("logs", self.cluster.request.region)
        group = target.get("LogGroupName") or f"/aws/emr/{self.cluster.request.cluster_id}"
        prefix = target.get("LogStreamNamePrefix", "")
        name = f"{prefix}/steps/{self.request.step_id}/{stream}".lstrip("/")
        _create(logs, "create_log_group", logGroupName=group)
        _create(logs, "create_log_stream", logGroupName=group, logStreamName=name)
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line or " "} for line in lines]
        logs.put_log_events(logGroupName=group, logStreamName=name, logEvents=events)

    def _upload(self) -> None:
        if not self.cluster.request.log_uri:
            return
        s3 = self.cluster.runner.client("s3", self.cluster.request.region)
        for stream, lines in self._lines.items():
            bucket, _, key = self._log_uri(stream).removeprefix("s3://").partition("/")
            s3.put_object(
                Bucket=bucket, Key=key, Body=gzip.compress("".join(f"{x}\n" for x in lines).encode())
            )

    def _log_uri(self, stream: str) -> str | None:
        if not self.cluster.request.log_uri:
            return None
        base = "s3://" + self.cluster.request.log_uri.partition("://")[2].rstrip("/")
        return f"{base}/{self.cluster.request.cluster_id}/steps/{self.request.step_id}/{stream}.gz"


def _create(logs: Any, operation: str, **names: str) -> None:
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        getattr(logs, operation)(**names)


def _fits(step: StepRequest, text: str) -> bool:
    return any(text in part for part in (step.name, *step.args))
