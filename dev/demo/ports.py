"""Whether a port is free, and who has it."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from demo.processes import all_processes, command_of

_LISTEN = "0A"
_HIGHEST = 65535
_FIRST_OFFERED = 10_000
_HANDED_OUT = Path("/proc/sys/net/ipv4/ip_local_port_range")


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1 at this port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def next_free(port: int) -> int | None:
    """Return the first free port above this one, to be offered in a message."""
    return next(filter(is_free, range(port + 1, _HIGHEST + 1)), None)


def any_free() -> int:
    """Return a port that is free now, and that the kernel gives to nobody by itself, where there are such."""
    lowest = int(_HANDED_OUT.read_text().split()[0]) if _HANDED_OUT.exists() else 0
    offered = range(_FIRST_OFFERED, lowest)
    for _ in offered:
        if is_free(port := secrets.choice(offered)):
            return port
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def holder(port: int) -> str | None:
    """Name the process that listens on a port, e.g. ``pid 17: python -m http.server``.

    :returns: None when it can't be told.
    """
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for one in all_processes() if wanted else ():
        if wanted & _open_files(one.pid):
            return f"pid {one.pid}: {command_of(one.pid)[:80]}"
    return None


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        lines = table.read_text().splitlines()[1:] if table.exists() else []
        for fields in (line.split() for line in lines):
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _open_files(pid: int) -> set[str]:
    folder = Path(f"/proc/{pid}/fd")
    found = set()
    try:
        for entry in folder.iterdir():
            found.add(str(entry.readlink()))
    except OSError:  # gone, or another user's
        return found
    return found
