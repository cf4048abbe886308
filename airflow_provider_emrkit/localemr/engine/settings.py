"""What the containers of one cluster have in common."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.spark.image import Mount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
RECORDS = "containers"
"""Directory of a data directory with a record of each container that may be there."""

USERS = "/etc/passwd"
IS_LINUX = sys.platform == "linux"


@dataclass(frozen=True)
class ContainerSettings:
    """Where containers are made, and what they all see of this machine.

    :param engine: The engine that was chosen, if one was.
    :param instance: The data directory they belong to.
    :param records: Where a record of each is kept while it may be there.
    :param shown: Files and directories that they see at their own paths, and don't change.
    :param shared: Directories that they also write to.
    :param java: The real directory of Java.
    :param users: A ``/etc/passwd`` that knows the user they run as.

    >>> ContainerSettings(None, "me", Path("d/containers"), (), (), Path("/java"), Path("d/passwd")).instance
    'me'
    """

    engine: str | None
    instance: str
    records: Path
    shown: Sequence[Path]
    shared: Sequence[Path]
    java: Path
    users: Path

    def mounts(self, files: Sequence[str] = ()) -> list[Mount]:
        """Give what a container sees. Only Linux can run this machine's Java in a container.

        :param files: Files that the job names, by their full paths; those that are there are seen.
        """
        java = java_mounts(self.java) if IS_LINUX else ()
        for path in self.shared:
            # One of a cache that is another user's may not be there, nor be made.
            with contextlib.suppress(OSError):
                path.mkdir(parents=True, exist_ok=True)
        return [
            *(Mount(str(path), str(path)) for path in self.shown if path.exists()),
            *java,
            *(Mount(str(path), str(path), writable=True) for path in self.shared if path.exists()),
            *(Mount(file, file) for file in sorted(set(files)) if self._is_to_show(Path(file))),
        ]

    def _is_to_show(self, file: Path) -> bool:
        seen = (*self.shown, *self.shared)
        return file.exists() and not any(file.is_relative_to(path) for path in seen)

    def source(self, mount: Mount) -> Mount:
        """Give what stands for a file of an EMR node: its list of users is one that fits this machine."""
        return Mount(str(self.users), mount.destination) if mount.source == USERS else mount


def instance_id(data_dir: Path) -> str:
    """Give the id of a data directory, by which the containers of one machine's directory are known."""
    text = f"{platform.node()}:{data_dir.resolve()}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def users_file(home: Path) -> str:
    """Write an ``/etc/passwd`` in which the user that runs containers is EMR's ``hadoop``.

    :param home: The user's home directory.
    """
    mine = f"hadoop:x:{os.getuid()}:{os.getgid()}:EMR:{home}:/bin/bash"
    root = ["root:x:0:0:root:/root:/bin/bash"] if os.getuid() else []
    return "\n".join([mine, *root, "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin", ""])


def java_mounts(home: Path) -> list[Mount]:
    """Give what a Java consists of: its directory, and what the links in it lead to."""
    real = os.path.realpath(home)
    found = {str(home): real}
    for target in _outside_links(real):
        if os.path.exists(target):  # noqa: PTH110 - a text is all that is wanted
            found[target] = os.path.realpath(target)
    return [Mount(source, path) for path, source in sorted(found.items())]


def _outside_links(home: str) -> Iterator[str]:
    """Give the targets, out of it, of the links in a directory."""
    for folder, folders, files in os.walk(home):
        for name in (*folders, *files):
            path = os.path.join(folder, name)  # noqa: PTH118
            if os.path.islink(path):  # noqa: PTH114
                target = os.path.normpath(os.path.join(folder, os.readlink(path)))  # noqa: PTH115, PTH118
                if not target.startswith(f"{home}{os.sep}"):
                    yield target
