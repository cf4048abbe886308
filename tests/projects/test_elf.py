from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from airflow_provider_emrkit.projects.elf import Elf, with_rpath

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="programs of Linux")


@pytest.fixture(scope="module")
def program():
    """A program of this machine that is written in C."""
    return Path(sys.executable).resolve().read_bytes()


def test_a_program_tells_its_machine_and_what_it_needs(program):
    elf = Elf.parse(program)
    assert elf is not None
    assert elf.architecture in ("x86_64", "arm64")
    assert any(name.startswith("libc.so") for name in elf.needed)
    assert (2, 2) < elf.glibc < (3, 0)


def test_where_it_looks_for_libraries_can_be_changed_to_something_shorter(program):
    elf = Elf.parse(program)
    if not elf.rpath:
        pytest.skip("this Python looks nowhere by itself")
    changed = with_rpath(program, elf, "$ORIGIN/x")
    assert len(changed) == len(program)
    assert Elf.parse(changed).rpath == "$ORIGIN/x"
    assert Elf.parse(changed).needed == elf.needed
    assert with_rpath(program, elf, elf.rpath + "/longer") is None


def test_what_looks_nowhere_can_not_be_told_to():
    assert with_rpath(b"\x7fELF", Elf("x86_64"), "$ORIGIN") is None


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x01\x01" + bytes(100)])
def test_what_is_no_program_of_64_bits_is_none(content):
    assert Elf.parse(content) is None


def test_a_broken_program_is_none_or_told_but_no_error(program):
    chance = random.Random(8)
    for _ in range(200):
        broken = bytearray(program[: chance.randrange(64, 4096)])
        for _ in range(8):
            broken[chance.randrange(6, len(broken))] = chance.randrange(256)
        assert Elf.parse(bytes(broken)) is None or isinstance(Elf.parse(bytes(broken)), Elf)
