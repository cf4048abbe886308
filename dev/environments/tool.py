"""A uv of our own, below ``.venv/uv``: the one tool every other environment is made with."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from environments import commands, disk, registry
from environments.catalog import UV, Layout
from environments.problems import BootstrapError, Kind

SIZE_MIB = 150
_STEP = "installing uv"

Say = Callable[[str], None]


class UvTool:
    """uv, and the environment variables it runs with.

    Example: ``UvTool(layout, os.environ, say).run("pip", "sync", lock, step="installing localemr")``.

    :param environ: The user's environment.
    :param say: Told each long step before it begins.
    """

    def __init__(self, layout: Layout, environ: Mapping[str, str], say: Say) -> None:
        self._layout = layout
        self._environ = registry.without_misleading(environ)
        self._say = say
        self._uv_environ: dict[str, str] | None = None

    @property
    def executable(self) -> Path:
        """Where uv is, once it is installed."""
        return self._layout.bin(UV) / "uv"

    def run(self, *arguments: str | Path, step: str, shown: bool = True) -> str:
        """Run uv to its end and return what it wrote.

        :param shown: Whether the user sees its output as it comes, if there is a terminal.
        :raises BootstrapError: when it fails.
        """
        if self._uv_environ is None:
            self._uv_environ = self._variables()
        return commands.run([self.executable, *arguments], step=step, environ=self._uv_environ, shown=shown)

    def user_settings(self) -> dict[str, str]:
        """Return what tells any uv where the user gets packages from, and a cache that can be written."""
        settings = registry.pip_settings(self._pip_config(), self._environ)
        cache = disk.uv_cache(self._environ, self._layout.root)
        return {"UV_CACHE_DIR": str(cache), **registry.uv_variables(settings, self._environ)}

    def _variables(self) -> dict[str, str]:
        # Pythons come from another host than packages, and without a way there a download takes long to fail.
        never = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "0" if sys.stderr.isatty() else "1"}
        return {**never, **self._environ, **self.user_settings()}

    def _pip_config(self) -> list[str]:
        pip = [str(self._layout.python(UV)), "-m", "pip", "config", "list"]
        if not Path(pip[0]).exists():
            pip[0] = str(Path(sys.executable).resolve())  # a virtual environment may have no pip
        done = subprocess.run(pip, env=self._environ, capture_output=True, text=True, check=False)
        return done.stdout.splitlines() if done.returncode == 0 else []

    def ensure(self) -> None:
        """Install the pinned uv unless it is there.

        :raises BootstrapError: when there is no way to install it; it names the ways that were tried.
        """
        wanted = self._layout.lock(UV).read_text()
        note = self._layout.directory(UV) / ".emrkit-lock.txt"
        if self.executable.exists() and note.exists() and note.read_text() == wanted:
            return
        shutil.rmtree(self._layout.directory(UV), ignore_errors=True)
        self._install()
        note.write_text(wanted)

    def _install(self) -> None:
        tried: list[str] = []
        for way in (self._by_venv, self._by_pip, self._by_other_uv, self._by_venv_after_apt):
            try:
                reason = way()
            except BootstrapError as error:
                if error.kind is not Kind.OTHER:
                    raise  # no space or no network: another way would end the same
                reason = "; ".join(error.tried)
            if reason is None:
                return
            tried.append(reason)
            shutil.rmtree(self._layout.directory(UV), ignore_errors=True)
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        raise BootstrapError(
            f"{sys.executable} can make no virtual environment and has no pip, so uv cannot be installed",
            f"sudo apt-get install {version}-venv   (or put uv on PATH); then run it again",
            tried,
        )

    # Each way returns None when uv is installed, or why it is no way here.

    def _by_venv(self) -> str | None:
        if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
            return f"{sys.executable} -m venv: its module ensurepip is missing"
        self._say("making a virtual environment for uv, and installing it")
        home = self._layout.directory(UV)
        commands.run([sys.executable, "-m", "venv", "--clear", home], step=_STEP, environ=self._environ)
        self._pip_install(self._layout.python(UV))
        return None

    def _by_pip(self) -> str | None:
        if importlib.util.find_spec("pip") is None:
            return f"{sys.executable} -m pip: there is no pip"
        self._say("installing uv with pip, into a folder of its own")
        self._pip_install(sys.executable, "--target", self._layout.directory(UV))
        return None

    def _pip_install(self, python: str | Path, *where: str | Path) -> None:
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        commands.run([*pip, *where, "-r", self._layout.lock(UV)], step=_STEP, environ=self._environ)

    def _by_other_uv(self) -> str | None:
        other = shutil.which("uv", path=self._environ.get("PATH"))
        if other is None:
            return "uv on PATH: there is none"
        self._say(f"installing the pinned uv with {other}")
        into = ("--python", sys.executable, "--target", self._layout.directory(UV))
        install: list[str | Path] = [other, "pip", "install", *into, "-r", self._layout.lock(UV)]
        commands.run(install, step=_STEP, environ=self._variables())
        return None

    def _by_venv_after_apt(self) -> str | None:
        apt = shutil.which("apt-get", path=self._environ.get("PATH"))
        if apt is None or os.geteuid() != 0:
            return "apt-get install: " + ("there is no apt-get" if apt is None else "only root may")
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        self._say(f"installing the system package {package} (this Python lacks ensurepip)")
        environ = {**self._environ, "DEBIAN_FRONTEND": "noninteractive"}
        # A machine that has just been started may be updating itself.
        patient = [apt, "-o", "DPkg::Lock::Timeout=300"]
        for arguments in (["update", "-qq"], ["install", "-y", "-qq", package]):
            commands.run([*patient, *arguments], step=f"installing {package}", environ=environ)
        importlib.invalidate_caches()
        return self._by_venv()
