"""A small Debian with Python and a few packages, made by debootstrap: for machines that can pull no image."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

from environments.problems import from_output
from images import streaming

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SUITE, PYTHON = "bookworm", "3.11"
# Spark's scripts ask `ps`.
PACKAGES = ("python3", "procps")
DIST_PACKAGES = Path("usr/local/lib") / f"python{PYTHON}" / "dist-packages"
# Without it, what is downloaded would not be checked.
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_QUIET_SECONDS = 3.0  # it writes hundreds of lines
_LEFT_OUT = ("./dev/*", "./var/cache/apt/*", "./var/lib/apt/lists/*", "./var/log/*", "./debootstrap")


def can_be_made() -> bool:
    """Tell whether this machine has what it takes: root, debootstrap and Debian's keys."""
    tools = all(which(tool, path=_SYSTEM_PATH) for tool in ("debootstrap", "unshare", "tar"))
    return os.geteuid() == 0 and tools and _KEYRING.exists()


def make(folder: Path, packages: Path, archive: Path, say: Callable[[str], None], *, held: int) -> None:
    """Make the archive, whole or not at all.

    :param folder: An empty folder to work in.
    :param packages: Folder of Python packages to put into it.
    :param held: A descriptor that debootstrap inherits: the lock, which so lasts until it has ended, even
        when this process is killed.
    :raises BootstrapError: when a command fails.
    """
    root, draft = folder / "root", folder / archive.name
    options = ("--variant=minbase", f"--include={','.join(PACKAGES)}", f"--keyring={_KEYRING}")
    # Its mounts are in a namespace of their own: none is left behind where it is killed.
    command = ("unshare", "--mount", "debootstrap", *options, SUITE, str(root))
    _run(command, f"making a small Debian ({SUITE})", say, held=held)
    (root / DIST_PACKAGES).mkdir(parents=True, exist_ok=True)
    copied = ("cp", "-r", f"{packages}/.", str(root / DIST_PACKAGES))
    _run(copied, "adding the Python packages", say, held=held)
    left_out = [f"--exclude={path}" for path in _LEFT_OUT]
    packed = ("tar", "--numeric-owner", "--sort=name", *left_out, "-C", str(root), "-cf", str(draft), ".")
    _run(packed, "packing it", say, held=held)
    draft.replace(archive)


def remove(folder: Path) -> None:
    """Remove a folder that was worked in, and nothing that may be mounted below it."""
    command = ("rm", "-rf", "--one-file-system", str(folder))
    subprocess.run(command, env=_environ({}), check=True)


def _run(command: tuple[str, ...], step: str, say: Callable[[str], None], *, held: int) -> None:
    say(step)
    said = time.monotonic()

    def thinned(line: str) -> None:
        nonlocal said
        if time.monotonic() - said > _QUIET_SECONDS:
            said = time.monotonic()
            say(line.removeprefix("I: "))

    code, output = streaming.run(command, _environ(os.environ), thinned, held=[held])
    if code:
        raise from_output(step, " ".join(command), output)


def _environ(user: Mapping[str, str]) -> dict[str, str]:
    proxies = {name: value for name, value in user.items() if name.lower().endswith("_proxy")}
    return {**proxies, "PATH": _SYSTEM_PATH, "LC_ALL": "C"}
