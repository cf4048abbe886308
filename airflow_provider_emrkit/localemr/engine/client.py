"""Calls of an engine's command line program: each has a time-out, and all end when they are told to."""

from __future__ import annotations

import os
import subprocess
import threading
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_emrkit.localemr.engine.choice import EngineError
from airflow_provider_emrkit.localemr.run.process import MARK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emrkit.localemr.engine.choice import Engine

SECONDS = 30.0
"""The longest that an engine may take for an answer."""


class StoppedError(Exception):
    """The call was ended, since nobody wants its result any more."""


class Answer(NamedTuple):
    """What a call has given.

    :param code: Exit code.
    :param out: What it printed.
    :param error: What it complained about.

    >>> Answer(1, "", "no such image").complaint
    ('no such image',)
    """

    code: int
    out: str
    error: str

    @property
    def complaint(self) -> tuple[str, ...]:
        """The lines of its complaint."""
        return tuple(line for line in (self.error or self.out).splitlines() if line.strip())


class EngineClient:
    """Calls an engine for one purpose, one call at a time.

    :param engine: The engine.
    :param mark: By which its processes are found after a restart.

    >>> EngineClient(Engine("/usr/bin/docker", "docker"), "mark").call("version").code  # doctest: +SKIP
    0
    """

    def __init__(self, engine: Engine, mark: str) -> None:
        self.engine = engine
        self._mark = mark
        self._lock = threading.Lock()
        self._running: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its calls: the user's own, by which the engine and its logins are found."""
        return {**os.environ, **dict(self.engine.address), MARK: self._mark}

    def call(self, *args: str, seconds: float = SECONDS, must_end: bool = False) -> Answer:
        """Call the engine.

        :param seconds: The longest that it may take.
        :param must_end: Don't let :meth:`stop` end it half-way.
        :raises EngineError: when the engine takes longer, or its program can't be started.
        :raises StoppedError: after :meth:`stop`.
        """
        process = self._start(args, must_end=must_end)
        try:
            out, error = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as late:
            process.kill()
            process.communicate()
            raise EngineError(f"{self.engine.name} has not answered for {seconds:.0f} seconds.") from late
        finally:
            with self._lock:
                self._running = None
        if self._stopped.is_set() and not must_end:
            raise StoppedError
        return Answer(process.returncode, out.decode(errors="replace"), error.decode(errors="replace"))

    def stop(self) -> None:
        """End the call that runs, and let no other begin."""
        with self._lock:
            self._stopped.set()
            if self._running:
                self._running.kill()

    def _start(self, args: Sequence[str], *, must_end: bool) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped.is_set():
                raise StoppedError
            try:
                process = subprocess.Popen(
                    [self.engine.program, *args],
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            except OSError as error:
                raise EngineError(f"{self.engine.program} can't be started: {error.strerror}.") from error
            self._running = None if must_end else process
            return process
