"""The example's image: a small Debian with Python and a package that the host does not have."""

from __future__ import annotations

import fcntl
import hashlib
import platform
from contextlib import contextmanager
from typing import TYPE_CHECKING

from environments.build import exclusive
from environments.tool import UvTool
from images import rootfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from environments.catalog import Layout
    from images.engine import Engine

# As in ECR: the local EMR takes an image that the engine has, under whatever name.
NAME = "123456789012.dkr.ecr.us-east-1.amazonaws.com/emrkit-example:1"
LABEL = "emrkit.example-image"
LOCK = "example-image"

_ENV = {"LANG": "C.UTF-8", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
# For an engine that can pull; the same Debian and the same Python.
_DOCKERFILE = f"""\
FROM debian:{rootfs.SUITE}-slim
RUN apt-get update \\
 && apt-get install -y --no-install-recommends {" ".join(rootfs.PACKAGES)} \\
 && rm -rf /var/lib/apt/lists/*
COPY packages /{rootfs.DIST_PACKAGES}
"""


class ExampleImage:
    """Makes the image in an engine, once: it is known by what it is made from.

    :param layout: The checkout; what it is made from is kept below its ``.cache``.
    :param say: Told each step, and the lines that its commands write.

    Example: ``ExampleImage(Engine.find(os.environ), Layout(root), print).ensure()``.
    """

    def __init__(self, engine: Engine, layout: Layout, say: Callable[[str], None]) -> None:
        self._engine = engine
        self._layout = layout
        self._say = say
        self._folder = layout.root / ".cache" / "example-image"

    def ensure(self) -> str:
        """Return the image's name, after it was made when the engine did not have it.

        :raises EngineError: when the engine can't make it.
        :raises BootstrapError: when what it is made from can't be had.
        """
        if not self._is_there():
            with self._exclusive() as held:
                if not self._is_there():  # whoever was waited for may have made it
                    self._make(held)
        return NAME

    @property
    def key(self) -> str:
        """What the image is made from, in a few digits."""
        parts = (_DOCKERFILE, str(_ENV), self._layout.lock(LOCK).read_text(), platform.machine())
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    def _is_there(self) -> bool:
        return self._engine.label(NAME, LABEL) == self.key

    @contextmanager
    def _exclusive(self) -> Iterator[int]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say("waiting for another run that makes the example's image")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file.fileno()

    def _make(self, held: int) -> None:
        work = self._folder / "work"
        rootfs.remove(work)  # of a run that was killed
        work.mkdir()
        try:
            if rootfs.can_be_made():
                self._import(work, held)
            else:
                self._build(work)
            # What had the name before; another checkout may have made it a moment ago, and use it.
            old = (f"--filter=label={LABEL}", "--filter=until=24h")
            self._engine.run("image", "prune", "--force", *old)
        finally:
            rootfs.remove(work)

    def _import(self, work: Path, held: int) -> None:
        archive = self._folder / f"{self.key}.tar"
        if not archive.exists():
            for other in self._folder.glob("*.tar"):
                other.unlink()
            self._install_packages(work / "packages")
            rootfs.make(work, work / "packages", archive, self._say, held=held)
        self._say(f"importing it as {NAME}")
        settings = [f"ENV {name}={value}" for name, value in _ENV.items()]
        changes = [f"--change={change}" for change in (*settings, f"LABEL {LABEL}={self.key}")]
        self._engine.run("import", *changes, archive, NAME)

    def _build(self, work: Path) -> None:
        self._install_packages(work / "packages")
        settings = "".join(f"ENV {name}={value}\n" for name, value in _ENV.items())
        (work / "Dockerfile").write_text(_DOCKERFILE + settings)
        self._say(f"building {NAME}")
        self._engine.build(work, f"--label={LABEL}={self.key}", f"--tag={NAME}", say=self._say)

    def _install_packages(self, folder: Path) -> None:
        uv = UvTool(self._layout, self._engine.environ, self._say)
        with exclusive(self._layout, self._say):
            uv.ensure()
        where = ("--target", folder, "--python-version", rootfs.PYTHON, "--only-binary", ":all:")
        lock = self._layout.lock(LOCK)
        uv.run("pip", "install", *where, "--no-deps", "--requirements", lock, step=f"installing {lock.name}")
