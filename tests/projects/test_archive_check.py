from __future__ import annotations

import io
import struct
import subprocess
import sys
import tarfile

import pytest

from airflow_provider_emrkit.projects.archive_check import ArchiveTarget, check_archive

EMR_7 = ArchiveTarget("emr-7.11.0")


def program(machine: int = 62, glibc: bytes = b"2.17") -> bytes:
    """A program that says little more than its machine."""
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    return struct.pack("<16sHHIQQQIHHHHHH", identity, 2, machine, 1, 0, 0, 0, 0, 64, 56, 0, 64, 0, 0) + (
        b"\0GLIBC_" + glibc + b"\0"
    )


WHOLE = {
    "bin/python3.11": program(),
    "bin/python": "->python3.11",
    "lib/python3.11/os.py": b"",
}


@pytest.fixture
def findings(tmp_path):
    """Looks through an archive with these members; ``->x`` is a link to x, None a directory."""

    def look(members, target=EMR_7):
        path = tmp_path / "environment.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name, content in members.items():
                entry = tarfile.TarInfo(name)
                entry.mode = 0o755
                if isinstance(content, str):
                    entry.type, entry.linkname = tarfile.SYMTYPE, content.removeprefix("->")
                    archive.addfile(entry)
                else:
                    entry.size = len(content)
                    archive.addfile(entry, io.BytesIO(content))
        return [(one.level, one.subject, one.text) for one in check_archive(path, target)]

    return look


def test_a_whole_python_is_found_fault_with_by_nobody(findings):
    assert findings(WHOLE) == []


@pytest.mark.parametrize(
    ("link", "end"),
    [
        ("->/usr/bin/python3.11", "/usr/bin/python3.11"),
        ("->../../../usr/bin/python3", "../../usr/bin/python3"),
        ("->python3", "/root/.pyenv/versions/3.11.7/bin/python3"),
    ],
)
def test_a_python_that_is_a_link_out_of_the_archive_is_explained(findings, link, end):
    members = {"bin/python": link, "bin/python3": "->/root/.pyenv/versions/3.11.7/bin/python3"}
    level, _, text = next(one for one in findings(members) if one[1] == "bin/python")
    assert level == "error"
    assert f"leads out of the archive, to {end}" in text
    assert "“Too many levels of symbolic links”" in text
    assert "venv-pack" in text


def test_links_through_directories_and_in_circles_are_followed(findings):
    found = findings({**WHOLE, "lib64": "->lib", "a": "->b", "b": "->a", "lib/out": "->../../x"})
    assert [(level, subject) for level, subject, _ in found] == [
        ("error", "a"),
        ("error", "b"),
        ("error", "lib/out"),
    ]
    assert "in a circle" in found[0][2]
    assert findings({**WHOLE, "lib64": "->lib", "x": "->lib64/python3.11/os.py"}) == []
    (through,) = findings({**WHOLE, "lib64": "->/usr/lib64"})
    assert through[:2] == ("error", "lib64")


def test_an_environment_of_venv_is_no_python_by_itself(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    with tarfile.open(tmp_path / "environment.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "venv", ".")
    found = list(check_archive(tmp_path / "environment.tar.gz", EMR_7))
    assert {one.subject for one in found if one.level == "error"} >= {"bin/python", "bin/python3"}
    assert all("emrkit package --archive" in one.mend for one in found if "bin/python" in one.subject)


def test_a_copied_python_without_its_library_is_told(findings):
    found = findings({"bin/python": program(), "pyvenv.cfg": b"home = /usr/bin"})
    assert found == [
        (
            "error",
            "bin/python",
            "has no standard library beside it: it is that of the machine it was packed on; "
            "pyvenv.cfg says where it was",
        )
    ]


def test_a_python_in_a_directory_of_its_own_is_told(findings):
    found = findings({f"environment/{name}": content for name, content in WHOLE.items()})
    assert found == [("error", "bin/python", "is below environment/")]
    assert findings({"x": b""}) == [("error", "bin/python", "is not in the archive")]


def test_a_python_that_spark_does_not_take_is_told(findings):
    members = {"bin/python": program(), "lib/python3.14/os.py": b""}
    assert findings(members) == [
        ("error", "bin/python", "is Python 3.14, which Spark 3.5.6 of emr-7.11.0 does not take")
    ]


def test_programs_of_another_machine_are_told(findings):
    members = {**WHOLE, "lib/python3.11/x.so": program(machine=183)}
    assert findings(members) == [("error", "lib/python3.11/x.so", "is for arm64, and the job runs on x86_64")]
    (found,) = findings(WHOLE, ArchiveTarget("emr-7.11.0", "arm64"))
    assert found == ("error", "bin/python3.11", "is for x86_64, and the job runs on arm64")


@pytest.mark.parametrize(
    ("release", "glibc", "has"),
    [("emr-7.11.0", b"2.35", "2.34"), ("emr-6.15.0", b"2.28", "2.26"), ("emr-spark-8.0.0", b"2.35", "2.34")],
)
def test_what_asks_for_a_newer_glibc_than_the_release_has_is_told(findings, release, glibc, has):
    members = {**WHOLE, "bin/python3.11": program(), "lib/python3.11/x.so": program(glibc=glibc)}
    ((level, subject, text),) = findings(members, ArchiveTarget(release))
    assert (level, subject) == ("warning", "glibc")
    assert text.startswith(f"lib/python3.11/x.so asks for glibc {glibc.decode()}, and {release} has {has}")
    assert findings({**WHOLE, "x.so": program(glibc=has.encode())}, ArchiveTarget(release)) == []


def test_scripts_that_name_a_python_by_its_whole_path_are_told(findings):
    scripts = {"bin/tool": b"#!/tmp/build/bin/python\n", "bin/ok": b"#!/usr/bin/env python\n"}
    ((level, subject, text),) = findings({**WHOLE, **scripts})
    assert (level, subject) == ("warning", "first lines")
    assert "bin/tool" in text
    assert "bin/ok" not in text


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../outside"])
def test_members_outside_of_the_archive_are_told(findings, name):
    assert findings({**WHOLE, name: b""})[0][:2] == ("error", "archive")


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00broken"])
def test_what_is_no_archive_is_told(tmp_path, content):
    path = tmp_path / "environment.tar.gz"
    path.write_bytes(content)
    (found,) = check_archive(path, EMR_7)
    assert (found.level, found.subject) == ("error", "archive")
    assert "can't be read" in found.text


def test_an_archive_that_is_cut_off_is_told(findings, tmp_path):
    findings({**WHOLE, "large": bytes(range(256)) * 4000})
    path = tmp_path / "environment.tar.gz"
    path.write_bytes(path.read_bytes()[:-30])
    assert any("can't be read" in one.text for one in check_archive(path, EMR_7))
