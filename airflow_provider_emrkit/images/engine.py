"""The container engine of this machine: docker or podman."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.images.processes import Ran, run_captured, run_shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENGINES = ("docker", "podman")
# Environment variable that chooses one where no option does; for the local EMR, too.
CHOSEN = "EMRKIT_ENGINE"
# Of the containers that are run to look into an image.
LABEL = "emrkit.image"

ASKING = 60.0
RUNNING = 120.0

# How lines begin by which docker ends its errors.
_ADVICE = ("Run 'docker", "See 'docker")
_UNKNOWN = ("no such image", "no such object", "image not known")
_START = {
    "docker": "start it (Docker Desktop, or: sudo systemctl start docker), or say in DOCKER_HOST where it is",
    "podman": "start it (podman machine start), or say in CONTAINER_HOST where it is",
}


class EngineError(Exception):
    """The container engine is missing, does not answer, or does not do what it is asked for.

    :param sentence: What went wrong.
    :param mend: What to do about it; may be empty.

    >>> print(EngineError("there is no docker on the PATH", "install it"))
    there is no docker on the PATH; install it
    """

    def __init__(self, sentence: str, mend: str = "") -> None:
        super().__init__(sentence, mend)
        self.sentence = sentence
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.sentence}; {self.mend}" if self.mend else self.sentence


@dataclass(frozen=True)
class Build:
    """What an image is built of.

    :param context: Directory whose files the build may copy.
    :param file: Path of the Dockerfile.
    :param tag: Name of the image.
    :param platform: Such as ``linux/amd64``; empty for the engine's own.
    :param arguments: ``NAME=value`` for the Dockerfile's ``ARG``.
    :param network: Which network the build has; empty for the engine's default.

    >>> engine.build(Build(".", "Dockerfile", "etl:1.4"))  # doctest: +SKIP
    0
    """

    context: str
    file: str
    tag: str
    platform: str = ""
    arguments: tuple[str, ...] = ()
    network: str = ""

    def options(self) -> list[str]:
        """Give what the engine's ``build`` takes."""
        found = ["--tag", self.tag, "--file", self.file]
        found += ["--platform", self.platform] if self.platform else []
        found += ["--network", self.network] if self.network else []
        for argument in self.arguments:
            found += ["--build-arg", argument]
        return [*found, "--", self.context]


@dataclass(frozen=True)
class Pushed:
    """How a push went.

    :param code: The engine's exit code.
    :param digests: What the registry may know the image by: one, unless it was pushed more than once.

    >>> engine.push("registry.example.com/etl:1.4")  # doctest: +SKIP
    Pushed(code=0, digests=('sha256:…',))
    """

    code: int
    digests: tuple[str, ...] = ()


@dataclass(frozen=True)
class ContainerEngine:
    r"""A container engine that answers. Make one with :meth:`find`.

    :param program: Path of its program.
    :param name: ``docker`` or ``podman``: what the program really is.
    :param version: Of the engine.
    :param architecture: That of its machine, as images name it: ``amd64``, ``arm64``.
    :param environ: Environment its program runs in.

    >>> engine = ContainerEngine.find()  # doctest: +SKIP
    >>> engine.run("python:3.11", ["python3", "--version"]).stdout  # doctest: +SKIP
    'Python 3.11.9\n'
    """

    program: str
    name: str
    version: str
    architecture: str
    environ: Mapping[str, str]

    @classmethod
    def find(cls, name: str | None = None, environ: Mapping[str, str] | None = None) -> ContainerEngine:
        """Find the engine of this machine, and see that it answers.

        :param name: Which one; None for what the environment chooses (:data:`CHOSEN`), else the first of
            :data:`ENGINES` that is installed.
        :param environ: Environment its program is looked for and runs in; that of the process by default.
        :raises EngineError: when there is none, or it does not answer.
        """
        environ = dict(os.environ if environ is None else environ)
        name = name or _chosen(environ)
        found = [(one, program) for one in ENGINES if (program := _path_of(one, environ))]
        chosen = [one for one in found if name in (None, one[0])]
        if not chosen:
            raise _missing(name, [one for one, _ in found])
        named, program = chosen[0]
        others = [one for one, _ in found if one != named]
        return cls(program, *_answer(named, program, environ, others), environ=environ)

    def inspect(self, image: str) -> dict[str, Any] | None:
        """Tell what the engine has of an image on this machine; None when it has no such image.

        :raises EngineError: when the engine can't tell.
        """
        ran = self._ask(["image", "inspect", "--", image])
        if ran.code == 0:
            return dict(_parsed(ran.stdout, self.name)[0])
        if any(words in ran.stderr.lower() for words in _UNKNOWN):
            return None
        raise EngineError(f"{self.name} can't tell of image {image}: {words_of(ran)}")

    def run(
        self,
        image: str,
        argv: Sequence[str],
        *,
        user: str | None = None,
        network: str | None = "none",
        entrypoint: str | None = None,
        timeout: float = RUNNING,
    ) -> Ran:
        """Run a program in a new container of an image that is here, and remove the container.

        :param argv: What the image's entrypoint gets; without one, the program and its arguments.
        :param user: Whom it runs as; the image's own by default.
        :param network: Which network it has; None for the engine's default.
        :param entrypoint: What to start in place of the image's entrypoint; empty for none.
        :param timeout: Seconds until it is ended.
        :return: What it left; code 125 when the container could not be made, 126 and 127 when the program
            could not be started.
        :raises EngineError: when it took too long.
        """
        name = f"emrkit-image-{uuid.uuid4().hex[:12]}"
        options = ["--rm", "--pull", "never", "--name", name, "--label", LABEL]
        for option, value in (("--user", user), ("--network", network), ("--entrypoint", entrypoint)):
            options += [option, value] if value is not None else []
        try:
            return self._ask(["run", *options, "--", image, *argv], timeout)
        except BaseException:
            # The program that was ended is not the container.
            with contextlib.suppress(EngineError):
                self._ask(["rm", "--force", name])
            raise

    def pull(self, image: str) -> None:
        """Fetch an image, with the user's own login; its progress is shown.

        :raises EngineError: when it can't be had.
        """
        if self._show(["pull", "--", image]):
            mend = f"see above; perhaps: {self.name} login"
            raise EngineError(f"{self.name} could not pull {image}", mend)

    def build(self, build: Build) -> int:
        """Build an image; what goes on is shown. Give the engine's exit code."""
        # Docker's older builder leaves the container of a command that failed.
        return self._show(["build", "--force-rm", *build.options()])

    def tag(self, image: str, name: str) -> None:
        """Give an image that is here one more name.

        :raises EngineError: when the engine refuses.
        """
        ran = self._ask(["tag", image, name])
        if ran.code:
            raise EngineError(f"{self.name} can't name {image} {name}: {words_of(ran)}")

    def push(self, image: str, environ: Mapping[str, str] | None = None) -> Pushed:
        """Send an image to its registry; its progress is shown.

        :param image: Its name, with a tag.
        :param environ: Environment with a login, as :func:`images.login.logged_in` gives it. The user's own
            login by default.
        :raises EngineError: when the engine can't tell what it has done.
        """
        if self.name == "podman":
            return self._push_by_podman(image, environ)
        before = self._digests(image)
        if code := self._show(["push", "--", image], environ):
            return Pushed(code)
        after = self._digests(image)
        # An image that was pushed before, and is the same, gets no new digest.
        return Pushed(0, tuple(digest for digest in after if digest not in before) or after)

    def _push_by_podman(self, image: str, environ: Mapping[str, str] | None) -> Pushed:
        """Push with podman, whose copy of the image does not know the digest it has in the registry."""
        with tempfile.TemporaryDirectory(prefix="emrkit-push-") as directory:
            file = Path(directory) / "digest"
            code = self._show(["push", "--digestfile", str(file), "--", image], environ)
            return Pushed(code) if code else Pushed(0, (file.read_text(encoding="utf-8").strip(),))

    def _digests(self, image: str) -> tuple[str, ...]:
        """Give the digests by which the engine knows an image in the repository of this name of it."""
        name = _familiar(image.rpartition(":")[0])
        known = [entry.partition("@") for entry in (self.inspect(image) or {}).get("RepoDigests") or ()]
        return tuple(digest for repository, _, digest in known if _familiar(repository) == name)

    def _ask(self, argv: Sequence[str], timeout: float = ASKING) -> Ran:
        return _asked([self.program, *argv], self.environ, self.name, timeout)

    def _show(self, argv: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
        try:
            return run_shown([self.program, *argv], self.environ if environ is None else environ)
        except OSError as error:
            raise EngineError(f"{self.program} can't be started: {error.strerror}") from error


def _familiar(name: str) -> str:
    """Give an image's name as docker shows it: without the host of Docker Hub."""
    return name.removeprefix("docker.io/").removeprefix("library/")


def words_of(ran: Ran) -> str:
    """Give the last thing an engine's program said, in one line that is safe to show."""
    from airflow_provider_emrkit.logs.text import clean_lines

    lines = [line.strip() for line in clean_lines(ran.stderr or ran.stdout)]
    said = [line for line in lines if line and not line.startswith(_ADVICE)]
    return said[-1] if said else f"it ended with code {ran.code}"


# --- finding it -------------------------------------------------------------------------------------------


def _chosen(environ: Mapping[str, str]) -> str | None:
    name = environ.get(CHOSEN) or None
    if name not in (None, *ENGINES):
        raise EngineError(f"{CHOSEN}: {name!r} is no engine known here", f"choose {' or '.join(ENGINES)}")
    return name


def _path_of(name: str, environ: Mapping[str, str]) -> str | None:
    return shutil.which(name, path=environ.get("PATH", os.defpath))


def _missing(name: str | None, there: Sequence[str]) -> EngineError:
    if name is None:
        mend = "install one of them (https://docs.docker.com/get-docker, https://podman.io)"
        return EngineError("neither docker nor podman is on the PATH", mend)
    mend = f"install it, or choose --engine {there[0]}" if there else "install it"
    return EngineError(f"there is no {name} on the PATH", mend)


def _answer(
    name: str, program: str, environ: Mapping[str, str], others: Sequence[str]
) -> tuple[str, str, str]:
    """Ask an engine for what it is: its real name, version and architecture."""
    ran = _asked([program, "version", "--format", "{{json .}}"], environ, name, ASKING)
    if ran.code:
        mend = _START[name] + (f"; or choose --engine {others[0]}" if others else "")
        if "permission denied" in ran.stderr.lower():
            mend = f"you may not use it: sudo usermod -aG docker $USER, and log in anew; or {mend}"
        raise EngineError(f"{name} is installed, but its engine does not answer: {words_of(ran)}", mend)
    told = _parsed(ran.stdout, name)
    client, server = (told.get(part) or {} for part in ("Client", "Server"))
    engine = server or client
    # A program called docker may be podman's.
    real = "podman" if "OsArch" in client else "docker"
    architecture = engine.get("Arch") or str(engine.get("OsArch", "")).rpartition("/")[2]
    return real, str(engine.get("Version", "")), str(architecture)


def _asked(argv: Sequence[str], environ: Mapping[str, str], name: str, timeout: float) -> Ran:
    try:
        return run_captured(argv, environ, timeout=timeout)
    except TimeoutError as error:
        raise EngineError(
            f"{name} {argv[1]} took longer than {timeout:.0f} s", "see whether the engine is well"
        ) from error
    except OSError as error:
        raise EngineError(f"{argv[0]} can't be started: {error.strerror}") from error


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise EngineError(f"{name} answered what is no JSON: {text[:100]!r}") from error
