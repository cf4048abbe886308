"""What a program or library of Linux says of itself: its machine, what it needs, where it looks. Pure.

Layout: System V ABI, ELF-64, little endian, which all machines of EMR have.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

MAGIC = b"\x7fELF"
ARCHITECTURES = {62: "x86_64", 183: "arm64"}

_CLASS_64, _LITTLE_ENDIAN = 2, 1
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRINGS, _RPATH, _RUNPATH = 1, 5, 15, 29
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_ENTRY = struct.Struct("<qQ")
_GLIBC = re.compile(rb"\0GLIBC_(\d+)\.(\d+)(?:\.\d+)?(?=\0)")


@dataclass(frozen=True)
class Elf:
    """A program or library.

    :param architecture: ``x86_64``, ``arm64``, or the number of another one.
    :param needed: Names of the libraries it needs.
    :param rpath: Where it looks for them first; empty for nowhere.
    :param glibc: The newest version of glibc that it asks for.
    :param rpath_at: Where in the file :attr:`rpath` is written.

    >>> Elf.parse(b"#!/bin/sh") is None
    True
    """

    architecture: str
    needed: tuple[str, ...] = ()
    rpath: str = ""
    glibc: tuple[int, int] = (0, 0)
    rpath_at: int = 0

    @classmethod
    def parse(cls, content: bytes) -> Elf | None:
        """Read a file; None for what is no program, or a broken one."""
        if not content.startswith(MAGIC) or content[4:6] != bytes((_CLASS_64, _LITTLE_ENDIAN)):
            return None
        try:
            return _parsed(content)
        except (struct.error, ValueError):
            return None


def with_rpath(content: bytes, elf: Elf, rpath: str) -> bytes | None:
    """Give a file that looks for libraries elsewhere; None when its place for that is too short.

    :param rpath: ``$ORIGIN`` in it is the file's own directory.
    """
    new, room = rpath.encode(), len(elf.rpath.encode())
    if not room or len(new) > room:
        return None
    end = elf.rpath_at + room
    return content[: elf.rpath_at] + new.ljust(room, b"\0") + content[end:]


def _parsed(content: bytes) -> Elf:
    header = _HEADER.unpack_from(content)
    machine, start, size, count = header[2], header[5], header[9], header[10]
    segments = [_SEGMENT.unpack_from(content, start + size * index) for index in range(count)]
    versions = ((int(major), int(minor)) for major, minor in _GLIBC.findall(content))
    architecture = ARCHITECTURES.get(machine, str(machine))
    entries = _dynamic(content, segments)
    strings = next((value for tag, value in entries if tag == _STRINGS), None)
    if strings is None:
        return Elf(architecture, glibc=max(versions, default=(0, 0)))
    table = _offset(segments, strings)
    needed = tuple(_text(content, table + value) for tag, value in entries if tag == _NEEDED)
    rpath_at = next((table + value for tag, value in entries if tag in (_RPATH, _RUNPATH)), 0)
    rpath = _text(content, rpath_at) if rpath_at else ""
    return Elf(architecture, needed, rpath, max(versions, default=(0, 0)), rpath_at)


def _dynamic(content: bytes, segments: list[tuple[int, ...]]) -> list[tuple[int, int]]:
    for kind, _, offset, _, _, size, *_ in segments:
        if kind == _DYNAMIC:
            return list(_ENTRY.iter_unpack(content[offset : offset + size - size % _ENTRY.size]))
    return []


def _offset(segments: list[tuple[int, ...]], address: int) -> int:
    """Give where in the file is what is at an address once it is loaded."""
    for kind, _, offset, start, _, size, *_ in segments:
        if kind == _LOAD and start <= address < start + size:
            return offset + address - start
    raise ValueError(f"nothing is loaded at {address:#x}")


def _text(content: bytes, start: int) -> str:
    return content[start : content.index(b"\0", start)].decode("utf-8", "replace")
