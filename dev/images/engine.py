"""The container engine of this machine, through its command line."""

from __future__ import annotations

import contextlib
import subprocess
import tarfile
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

from images import streaming

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROGRAMS = ("docker", "podman")
CHOSEN = "EMRKIT_ENGINE"
"""Environment variable that chooses one of them, for the local EMR as well."""

_ANSWER_SECONDS = 20
_TRIAL_SECONDS = 60
_SHOWN_LINES = 5
# What engines end with where all is there but the program that was to be run.
_NO_SUCH_PROGRAM = 127


class EngineError(Exception):
    """No engine runs containers, or one refused what it was asked."""


@dataclass(frozen=True)
class Engine:
    """A container engine that runs containers.

    :param program: Its command, ``docker`` or ``podman``.
    :param environ: The environment its commands run in: ``DOCKER_HOST`` and the like.

    Example: ``Engine.find(os.environ).containers("emrkit.localemr")``.
    """

    program: str
    environ: Mapping[str, str]

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> Engine:
        """Return the first engine that runs containers, or the one that the environment chooses.

        :raises EngineError: with what each of them said, when none does.
        """
        said = []
        wanted = environ.get(CHOSEN)
        for program in (wanted,) if wanted else PROGRAMS:
            if which(program, path=environ.get("PATH")) is None:
                said.append(f"{program} is not installed")
                continue
            engine = cls(program, environ)
            try:
                engine.run("ps", "--quiet", seconds=_ANSWER_SECONDS)
                engine.try_out()
            except EngineError as error:
                said.append(str(error))
                continue
            return engine
        mend = "start one, or name its address in DOCKER_HOST"
        raise EngineError(f"no container engine runs here ({'; '.join(said)}); {mend}")

    def try_out(self) -> None:
        """Start a container: an engine may answer, and not be allowed what that takes.

        The image is empty, as none can be pulled everywhere: it is enough that its program is missed.

        :raises EngineError: when it starts none, with its own words.
        """
        image = f"emrkit-trial:{uuid.uuid4().hex[:12]}"
        with tempfile.TemporaryDirectory(prefix="emrkit-trial-") as folder:
            archive = Path(folder) / "empty.tar"
            tarfile.open(archive, "w").close()
            self.run("import", archive, image, seconds=_TRIAL_SECONDS)
        try:
            done = self._ended(
                "run", "--rm", "--network=none", image, "/emrkit-trial", seconds=_TRIAL_SECONDS
            )
        finally:
            with contextlib.suppress(EngineError):
                self.run("rmi", "--force", image, seconds=_TRIAL_SECONDS)
        if done.returncode != _NO_SUCH_PROGRAM:
            raise EngineError(f"{self.program} starts no container: {_last_words(done.stderr)}")

    def run(self, *arguments: str | Path, seconds: float | None = None) -> str:
        """Run one of its commands to its end; what it printed.

        :param seconds: How long to wait for it.
        :raises EngineError: when it fails, with its own words.
        """
        done = self._ended(*arguments, seconds=seconds)
        if done.returncode:
            said = _last_words(done.stderr or done.stdout)
            raise EngineError(f"{self.program} {arguments[0]}: {said}")
        return done.stdout.strip()

    def _ended(self, *arguments: str | Path, seconds: float | None) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [self.program, *map(str, arguments)],
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            raise EngineError(f"{self.program} does not answer for {seconds:g} s") from None
        except OSError as error:
            raise EngineError(f"{self.program} can't be started: {error}") from error

    def build(self, context: Path, *options: str, say: Callable[[str], None]) -> None:
        """Build an image.

        :param context: Folder of the Dockerfile and the files it copies.
        :param say: Told each line the engine writes.
        :raises EngineError: when it fails.
        """
        code, output = streaming.run([self.program, "build", *options, str(context)], self.environ, say)
        if code:
            raise EngineError(f"{self.program} build: {_last_words(output)}")

    def label(self, image: str, name: str) -> str:
        """Return the value of an image's label; empty when it has none, or when there is no such image."""
        try:
            return self.run("image", "inspect", "--format", f'{{{{index .Config.Labels "{name}"}}}}', image)
        except EngineError:
            return ""

    def containers(self, label: str) -> list[str]:
        """Return the ids of all containers with a label, running or not.

        :param label: ``name`` or ``name=value``.
        """
        return self.run("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={label}").split()


def _last_words(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return " | ".join(lines[-_SHOWN_LINES:]) or "it failed without a word"
