"""Make one environment, once."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from environments import disk, interpreters, stamp
from environments.catalog import BUILD, Environment, Layout
from environments.tool import SIZE_MIB, UvTool

Say = Callable[[str], None]


@contextmanager
def exclusive(layout: Layout, say: Say) -> Iterator[None]:
    """Hold the right to change ``.venv/``; another run that holds it is waited for.

    The system takes the right back when this process ends, however it ends.
    """
    layout.venvs.mkdir(parents=True, exist_ok=True)
    with (layout.venvs / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run to finish its work in .venv/")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Builder:
    """Makes environments of one checkout.

    Example: ``Builder(Layout(root), os.environ, print).ensure(ENVIRONMENTS["localemr"])``.

    :param environ: The user's environment: index settings, proxies, PATH.
    :param say: Told each long step, one line.
    """

    def __init__(self, layout: Layout, environ: Mapping[str, str], say: Say) -> None:
        self._layout = layout
        self._environ = environ
        self._say = say

    def ensure(self, environment: Environment) -> None:
        """Make the environment, mend it after an interrupted run, or leave it alone when it is as it must be.

        :raises BootstrapError: when that is not possible.
        :raises SkippedError: when no Python here can run it.
        """
        wanted = stamp.fingerprint(environment, self._layout)
        if stamp.read(environment, self._layout) == wanted:
            return
        with exclusive(self._layout, self._say):
            # Whoever was waited for may have made it.
            if stamp.read(environment, self._layout) != wanted:
                self._make(environment, wanted)

    def _make(self, environment: Environment, wanted: str) -> None:
        name, layout = environment.name, self._layout
        started = time.monotonic()
        cache = disk.uv_cache(self._environ, layout.root)
        disk.check_room(name, environment.size_mib + SIZE_MIB, [layout.venvs, cache])
        uv = UvTool(layout, self._environ, self._say)
        uv.ensure()
        python = interpreters.choose(environment, uv)
        size = environment.size_mib
        self._say(f"{name}: installing requirements/{name}.txt (up to {size} MiB) with {python}")
        self._prepare(environment, uv, python)
        self._install(environment, uv)
        stamp.write(environment, layout, wanted)
        self._say(f"{name}: ready after {time.monotonic() - started:.1f} s")

    def _prepare(self, environment: Environment, uv: UvTool, python: str) -> None:
        """Make an empty environment, unless a finished one of the same Python only needs other packages."""
        finished = stamp.read(environment, self._layout) is not None
        stamp.remove(environment, self._layout)
        directory = self._layout.directory(environment.name)
        if finished and _same_python(directory, python):
            return
        uv.run("venv", "--quiet", "--clear", "--python", python, directory, step=f"making {environment.name}")

    def _install(self, environment: Environment, uv: UvTool) -> None:
        name, layout = environment.name, self._layout
        into = ("--python", layout.python(name), "--build-constraints", layout.lock(BUILD))
        uv.run("pip", "sync", *into, layout.lock(name), step=f"installing {name}")
        if environment.project:
            step = f"installing this package into {name}"
            uv.run("pip", "install", *into, "--no-deps", "--editable", layout.root, step=step)


def _same_python(directory: Path, python: str) -> bool:
    """Tell whether an environment was made with that interpreter, by what both resolve to."""
    return (directory / "bin" / "python").resolve() == Path(python).resolve()
