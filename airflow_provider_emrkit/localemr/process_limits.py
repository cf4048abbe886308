"""What the server's process may take of the machine: set once, before its threads begin."""

from __future__ import annotations

import contextlib
import ctypes
import resource

MAX_OPEN_FILES = 65_536
# Of glibc's malloc.h: how many heaps threads may have of their own, and how many are plenty for a process
# whose threads take turns.
_M_ARENA_MAX, _ARENAS = -8, 2


def set_limits() -> None:
    """Let this process open many files, and keep what its threads free in few places."""
    _raise_open_files_limit()
    # Only glibc has it, and only it makes a heap for nearly every thread: a load left half as much again.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def _raise_open_files_limit() -> None:
    """Let it open as many files as it may: moto keeps one open for each larger S3 object."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
