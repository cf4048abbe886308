"""A command in a container of an image; to its owner it is what a process of this machine is.

The container is made first, and started then: at any moment it is known whether it may be there, and a record
of it is on disk before. It is removed by its label, whatever became of the program that watched it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import signal
import subprocess
import threading
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from airflow_provider_emrkit.localemr.engine.arguments import ContainerSpec, create_arguments
from airflow_provider_emrkit.localemr.engine.choice import EngineError, find_engine
from airflow_provider_emrkit.localemr.engine.client import EngineClient, StoppedError
from airflow_provider_emrkit.localemr.engine.images import (
    ENGINE_FAILED,
    KnownJavas,
    LaunchError,
    ask_traits,
    engine_failed,
    find_image,
    java_note,
)
from airflow_provider_emrkit.localemr.engine.reading import read_until_end
from airflow_provider_emrkit.localemr.engine.script import launch_script
from airflow_provider_emrkit.localemr.engine.settings import IS_LINUX
from airflow_provider_emrkit.localemr.engine.sweeping import ContainerRecord, swept
from airflow_provider_emrkit.localemr.run.process import Session
from airflow_provider_emrkit.localemr.spark.image import LaunchFailure, invalid_mount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from airflow_provider_emrkit.localemr.engine.settings import ContainerSettings
    from airflow_provider_emrkit.localemr.spark.image import ImageRequest, Mount

log = logging.getLogger(__name__)

_JAVAS = KnownJavas()
_SHELL = "bash"
_ANSWER_WITHIN = 10.0
_CREATE_WITHIN = 60.0
_TRY_AGAIN, _TRY_AGAIN_AT_LATEST = 15.0, 600.0
_ASK_AGAIN = 0.2
_HELD_BACK = 64 * 1024
_UNTESTED = "localemr: containers on this system are not tested: the image brings its own Java here."


@dataclass(frozen=True)
class ContainerJob:
    """What is to run in a container.

    :param request: The image.
    :param command: The command.
    :param env: Its environment, beside the image's own.
    :param work: Its working directory.
    :param directory: Holds what belongs to it, seen in the container as it is here.
    :param owner: What it is called after.
    :param files: Files of this machine that the command names.

    >>> ContainerJob(request, ["spark-submit", "job.py"], {}, work, directory, "s-1").files  # doctest: +SKIP
    ()
    """

    request: ImageRequest
    command: Sequence[str]
    env: Mapping[str, str]
    work: Path
    directory: Path
    owner: str
    files: Sequence[str] = ()


class ContainerProcess:
    """A command in a container, from the search for its image to its removal.

    :param job: What to run.
    :param settings: What all containers of the cluster have in common.
    :raises OSError: when its files can't be written.

    >>> process = ContainerProcess(job, settings)  # doctest: +SKIP
    >>> process.wait()  # doctest: +SKIP
    0
    """

    def __init__(self, job: ContainerJob, settings: ContainerSettings) -> None:
        self._job = job
        self._settings = settings
        self._name = _container_name(settings.instance, job.owner)
        self._mark = secrets.token_hex(16)
        self._launched = job.directory / "launched"
        self._script = job.directory / "launch_container.sh"
        self._script.touch(mode=0o600)
        script = launch_script(job.command, job.env, self._launched, job.request.home)
        self._script.write_text(script, encoding="utf-8")
        self._client: EngineClient | None = None
        self._record: ContainerRecord | None = None
        self._recorded: Path | None = None
        self._may_be_there = False
        self._watcher: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._asked: signal.Signals | None = None
        self._ended = threading.Event()
        self._code = 0
        self.launch_failure: LaunchFailure | None = None
        out, self._out = os.pipe()
        error, self._error = os.pipe()
        self.pipes: tuple[IO[bytes], IO[bytes]] = (os.fdopen(out, "rb"), os.fdopen(error, "rb"))
        """The reading ends of the command's stdout and stderr; whoever reads them closes them."""
        threading.Thread(target=self._run, name=f"localemr-{self._name}", daemon=True).start()

    def wait_begun(self) -> bool:
        """Wait until the command runs; False when it never will, e.g. since there is no such image."""
        while not self._launched.exists():
            if self._ended.wait(_ASK_AGAIN):
                return self._launched.exists()
        return True

    def wait(self) -> int:
        """Wait until the command has ended and its container is gone."""
        self._ended.wait()
        return self._code

    def wait_for(self, seconds: float) -> int | None:
        """Wait as :meth:`wait` does, but not longer than some seconds: then None."""
        return self._code if self._ended.wait(seconds) else None

    @property
    def has_ended(self) -> bool:
        """Whether the command has ended; its container may still be there."""
        return self._ended.is_set() or (self._watcher is not None and self._watcher.poll() is not None)

    def cancel(self, *, force: bool = False, grace: float | None = None) -> None:
        """End the command: SIGTERM, or SIGKILL with ``force``; does not wait.

        :param grace: Seconds after which SIGKILL follows a SIGTERM; None for never.
        """
        with self._lock:
            if self._ended.is_set() or self._asked is signal.SIGKILL or (self._asked and not force):
                return
            self._asked = signal.SIGKILL if force else signal.SIGTERM
            if self._client:
                self._client.stop()
            if self._watcher is None:
                # It looks before it starts anything.
                return
        args = () if force else (grace,)
        target = self._kill if force else self._terminate
        threading.Thread(target=target, args=args, name="localemr-kill", daemon=True).start()

    def _run(self) -> None:
        try:
            self._code = self._whole_run()
        except StoppedError:
            self._code = -int(self._asked or signal.SIGKILL)
        except LaunchError as error:
            self._fail(error.failure)
        except EngineError as error:
            self._fail(LaunchFailure(ENGINE_FAILED, (str(error),), is_local=True))
        except Exception as error:
            log.exception("a container could not be run")
            self._fail(LaunchFailure(ENGINE_FAILED, (f"localemr: {error!r}",)))
        finally:
            try:
                self._remove()
            finally:
                os.close(self._out)
                os.close(self._error)
                with self._lock:
                    self._ended.set()

    def _fail(self, failure: LaunchFailure) -> None:
        self.launch_failure = failure
        self._code = failure.exit_code

    def _whole_run(self) -> int:
        request = self._job.request
        self._say(request.notes)
        if request.refusal:
            raise LaunchError(request.refusal)
        mounts = [*self._settings.mounts(self._job.files), *self._asked_mounts()]
        client = EngineClient(find_engine(self._settings.engine, os.environ), self._mark)
        with self._lock:
            self._client = client
            if self._asked:
                raise StoppedError
        traits = ask_traits(client)
        self._record = ContainerRecord(self._name, self._settings.instance, self._mark, client.engine)
        self._recorded = self._record.save(self._settings.records)
        image = find_image(client, request)
        self._may_be_there = True
        self._say_java(client, image)
        spec = self._spec(image, mounts)
        created = client.call(*create_arguments(spec, traits), seconds=_CREATE_WITHIN, must_end=True)
        if created.code:
            raise engine_failed(created)
        return self._watch(client)

    def _spec(self, image: str, mounts: Sequence[Mount]) -> ContainerSpec:
        entry_point, script = self._entry_point, str(self._script)
        return ContainerSpec(
            self._name,
            self._settings.instance,
            image,
            f"{os.getuid()}:{os.getgid()}",
            self._job.work,
            mounts,
            (script,) if entry_point else (_SHELL, script),
            entry_point,
        )

    @property
    def _entry_point(self) -> str:
        """What takes the place of the image's own entry point; YARN runs that."""
        return _SHELL if self._job.request.home else ""

    def _asked_mounts(self) -> list[Mount]:
        """Give the job's own mounts, refused as YARN refuses them when there is nothing to mount."""
        found = []
        for asked in self._job.request.mounts:
            mount = self._settings.source(asked)
            if not os.path.exists(mount.source):  # noqa: PTH110 - a text is all there is
                mode = "rw" if asked.writable else "ro"
                raise LaunchError(invalid_mount(f"{asked.source}:{asked.destination}:{mode}"))
            found.append(mount)
        return found

    def _say_java(self, client: EngineClient, image: str) -> None:
        if not IS_LINUX:
            self._say((_UNTESTED,))
            return
        java = _JAVAS.of(client, image, self._settings.instance, self._name, self._entry_point)
        note = java_note(self._job.request, java)
        self._say((note,) if note else ())

    def _watch(self, client: EngineClient) -> int:
        """Start the container and pass on what it writes, until it ends."""
        with self._lock:
            if self._asked:
                raise StoppedError
            watcher = subprocess.Popen(
                [client.engine.program, "start", "--attach", self._name],
                env=client.environment,
                stdin=subprocess.DEVNULL,
                stdout=self._out,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            self._watcher = watcher
        held = self._relay(watcher)
        code = watcher.wait()
        # A program of ssh's, by which a distant engine is reached, may outlive it.
        Session(watcher.pid, 0, self._mark).sweep(reaped=True)
        if self._launched.exists() or self._asked:
            self._write(held)
            return code
        said = tuple(held.decode(errors="replace").splitlines())
        raise LaunchError(LaunchFailure(code or ENGINE_FAILED, said))

    def _relay(self, watcher: subprocess.Popen[bytes]) -> bytes:
        """Pass on stderr. What comes before the command has begun is the engine's, and is held back."""
        held = b""
        for chunk in read_until_end(watcher):
            if self._launched.exists():
                self._write(held + chunk)
                held = b""
            else:
                held = (held + chunk)[-_HELD_BACK:]
        return held

    def _terminate(self, grace: float | None) -> None:
        """Send SIGTERM; a command that has not begun would not get it, and is ended at once."""
        name = self._name
        while not self._ended.is_set() and self._launched.exists():
            if self._try("kill", "--signal=TERM", name):
                if grace is not None and not self._ended.wait(grace):
                    self._kill()
                return
            self._ended.wait(_ASK_AGAIN)
        self._kill()

    def _kill(self) -> None:
        """End the container, and in any case what watches it: a dead engine must not hold us."""
        if not self._ended.is_set():
            self._try("rm", "--force", self._name)
        if self._watcher and not self._ended.wait(1.0):
            self._watcher.kill()

    def _try(self, *args: str) -> bool:
        if self._client is None:
            return True
        try:
            client = EngineClient(self._client.engine, self._mark)
            return client.call(*args, seconds=_ANSWER_WITHIN).code == 0
        except EngineError as error:
            log.warning("%s: %s", self._name, error)
            return True

    def _remove(self) -> None:
        """Remove the container, or leave the record of it to a later sweep."""
        if self._record is None or self._recorded is None:
            return
        if not self._may_be_there:
            Session(0, 0, self._mark).sweep()
            self._recorded.unlink(missing_ok=True)
        elif not swept(self._record, self._recorded):
            threading.Thread(
                target=self._remove_later,
                args=(self._record, self._recorded),
                name="localemr-sweep",
                daemon=True,
            ).start()

    def _remove_later(self, record: ContainerRecord, recorded: Path) -> None:
        """An engine that answers again may still run it."""
        pause, seconds = threading.Event(), _TRY_AGAIN
        while recorded.exists() and not swept(record, recorded):
            pause.wait(seconds)
            seconds = min(2 * seconds, _TRY_AGAIN_AT_LATEST)

    def _say(self, lines: Sequence[str]) -> None:
        self._write("".join(f"{line}\n" for line in lines).encode())

    def _write(self, text: bytes) -> None:
        view = memoryview(text)
        # Nobody may read it any more.
        with contextlib.suppress(BrokenPipeError):
            while view:
                view = view[os.write(self._error, view) :]


def _container_name(instance: str, owner: str) -> str:
    safe = re.sub(r"[^A-Za-z0-9_.-]", "-", owner)[:64]
    return f"emrkit-{instance[:8]}-{safe}-{secrets.token_hex(4)}"
