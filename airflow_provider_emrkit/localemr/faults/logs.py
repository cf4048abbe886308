"""Logs that arrive late: what delivers them waits before each call, as EMR's own agents do."""

from __future__ import annotations

import collections
import contextlib
import functools
import logging
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_emrkit.localemr.faults.cluster_kinds import LateEvents, LogDelay

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.localemr.faults.active import Active, Faults
    from airflow_provider_emrkit.localemr.faults.model import Subject

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024 * 1024
"""How much may wait in memory; what is more is delivered early, the oldest first."""


@dataclass(frozen=True)
class _Call:
    """A call that is made later.

    :param due: When, by the clock of :class:`LateLogs`.
    :param delay: The fault that delays it, which may be taken away before.
    :param size: What it holds in memory (bytes).
    """

    due: float
    delay: Active[LogDelay] | Active[LateEvents] | None
    make: Callable[[], None]
    size: int


class _Queue(NamedTuple):
    """Calls that are made in their order.

    :param client: Whose.
    :param lines: The fault that keeps their lines back from others of the client; None for its own calls.
    """

    client: LateClient
    lines: Active[LateEvents] | None = None


class LateLogs:
    """Makes the calls that deliver logs, now or later, those of one client in their order. Thread-safe.

    :param faults: Say how late logs are.
    :param clock: Seconds that only go up.

    >>> late = LateLogs(Faults())  # doctest: +SKIP
    >>> client = late.client(boto3.client("s3"), "s3", {"cluster": ("etl",)}, "j-1")  # doctest: +SKIP
    >>> client.put_object(Bucket="logs", Key="stderr.gz", Body=b"")  # doctest: +SKIP
    """

    def __init__(self, faults: Faults, clock: Callable[[], float] = time.monotonic) -> None:
        self._faults = faults
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: dict[_Queue, collections.deque[_Call]] = {}
        self._bytes = 0
        self._is_flushing = False
        self._thread: threading.Thread | None = None
        faults.subscribe(self._wake)

    def client(self, client: Any, logs: str, subject: Subject, occasion: str) -> LateClient:
        """Give a client of a log service whose calls are late when faults say so.

        :param client: A boto3 client.
        :param logs: ``cloudwatch`` or ``s3``.
        :param subject: Whose logs they are.
        :param occasion: Tells these logs from others.
        """
        return LateClient(self, client, {**subject, "logs": (logs,)}, f"{occasion}/{logs}")

    def submit(self, client: LateClient, method: Callable[..., Any], **params: Any) -> Any:
        """Make a call, now or later; gives its answer, None when that is yet to come."""
        if params.get("logEvents") and self._faults.any(LateEvents):
            params = {**params, "logEvents": self._kept_back(client, method, params)}
            if not params["logEvents"]:
                return None
        delay = self._faults.strike_once(LogDelay, client.subject, client.occasion)
        with self._changed:
            if delay is None and _Queue(client) not in self._waiting:
                make = functools.partial(method, **params)
            else:
                due = self._clock() + (delay.fault.seconds if delay else 0.0)
                call = _Call(due, delay, _later(client.occasion, method, params), _size(params))
                self._put_off(_Queue(client), call)
                return None
        return make()

    def _kept_back(self, client: LateClient, method: Callable[..., Any], params: dict[str, Any]) -> list[Any]:
        """Put off the lines that come after later ones; gives the others."""
        on_time: list[Any] = []
        late: dict[Active[LateEvents], list[Any]] = {}
        for event in params["logEvents"]:
            active = self._faults.strike(LateEvents, client.subject)
            (on_time if active is None else late.setdefault(active, [])).append(event)
        with self._changed:
            # Their stream is made by a call before, which may be put off itself.
            before = max((call.due for call in self._waiting.get(_Queue(client), ())), default=0.0)
            for active, events in late.items():
                part = {**params, "logEvents": events}
                due = max(before, self._clock() + active.fault.seconds)
                call = _Call(due, active, _later(client.occasion, method, part), _size(part))
                self._put_off(_Queue(client, active), call)
        return on_time

    def _put_off(self, queue: _Queue, call: _Call) -> None:
        self._bytes += call.size
        self._waiting.setdefault(queue, collections.deque()).append(call)
        self._start()
        self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Make all calls at once, and wait for it; False when it took too long."""
        with self._changed:
            self._is_flushing = True
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: not self._waiting, seconds)
            self._is_flushing = False
        return done

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="localemr-late-logs", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                while (queue := self._ripe()) is None:
                    self._changed.wait(self._until_next())
                call = self._waiting[queue][0]
            call.make()
            with self._changed:
                # Only now: whoever waits for the queue's end, waits for the call's.
                self._bytes -= self._waiting[queue].popleft().size
                if not self._waiting[queue]:
                    del self._waiting[queue]
                self._changed.notify_all()

    def _ripe(self) -> _Queue | None:
        """Give a queue whose next call is due."""
        now = self._clock()
        at_once = self._is_flushing or self._bytes > MAX_BYTES
        for queue, calls in self._waiting.items():
            delay = calls[0].delay
            if at_once or calls[0].due <= now or (delay is not None and delay.is_lifted):
                return queue
        return None

    def _until_next(self) -> float | None:
        dues = [calls[0].due for calls in self._waiting.values()]
        return max(0.0, min(dues) - self._clock()) if dues else None


class LateClient:
    """A boto3 client of a log service; see :class:`LateLogs`.

    :param late: Makes the calls.
    :param client: The client itself.
    :param subject: Whose logs it delivers.
    :param occasion: Tells these logs from others.

    >>> LateClient(late, boto3.client("logs"), {}, "j-1/cloudwatch")  # doctest: +SKIP
    """

    def __init__(self, late: LateLogs, client: Any, subject: Subject, occasion: str) -> None:
        self.subject = subject
        self.occasion = occasion
        self._late = late
        self._client = client

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return functools.partial(self._late.submit, self, found) if callable(found) else found


def _size(params: dict[str, Any]) -> int:
    return sum(len(event["message"]) for event in params.get("logEvents", ()))


def _later(name: str, method: Callable[..., Any], params: dict[str, Any]) -> Callable[[], None]:
    """Give a call that can be made later: its body is kept, its errors are logged."""
    body: Any = params.get("Body")
    if hasattr(body, "read"):
        # The caller closes its own file.
        kept = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the call was made
        shutil.copyfileobj(body, kept)
        kept.seek(0)
        params = {**params, "Body": kept}

    def make() -> None:
        with contextlib.ExitStack() as stack:
            if hasattr(body, "read"):
                stack.enter_context(params["Body"])
            try:
                method(**params)
            except Exception as error:
                # A group or stream that is there already is what the caller would have borne, too.
                is_there = type(error).__name__ == "ResourceAlreadyExistsException"
                log.log(logging.DEBUG if is_there else logging.WARNING, "late logs of %s: %s", name, error)

    return make
