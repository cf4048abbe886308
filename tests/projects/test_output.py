"""The directory that a package is put into: all of it, or nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from airflow_provider_emrkit.projects.output import replacing
from airflow_provider_emrkit.validation import InvalidValueError


def write(target, **files):
    with replacing(target) as made:
        for name, text in files.items():
            (made / name).write_text(text)
        (made / "package.json").write_text(json.dumps({"files": list(files)}))


def held(target):
    return {path.name: path.read_text() for path in target.iterdir() if path.name != "package.json"}


def test_it_is_made_with_what_it_is_in(tmp_path):
    target = tmp_path / "dist" / "emrkit"
    write(target, a="1")
    assert held(target) == {"a": "1"}
    assert [path.name for path in target.parent.iterdir()] == ["emrkit"]
    assert target.stat().st_mode & 0o777 == 0o755


def test_it_takes_the_place_of_an_earlier_one(tmp_path):
    target = tmp_path / "emrkit"
    write(target, a="1", b="2")
    write(target, a="3")
    assert held(target) == {"a": "3"}
    assert [path.name for path in tmp_path.iterdir()] == ["emrkit"]


def test_an_empty_directory_is_taken(tmp_path):
    write(tmp_path / "emrkit", a="1")
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty", a="1")
    assert held(tmp_path / "empty") == {"a": "1"}


def test_what_fails_leaves_the_earlier_one_and_nothing_else(tmp_path):
    target = tmp_path / "emrkit"
    write(target, a="1")
    with pytest.raises(TypeError):
        write(target, a="2", b=None)
    assert held(target) == {"a": "1"}
    assert [path.name for path in tmp_path.iterdir()] == ["emrkit"]


@pytest.mark.parametrize("name", ["notes.txt", "package.json", ".hidden"])
def test_what_is_the_users_is_not_replaced(tmp_path, name):
    target = tmp_path / "emrkit"
    write(target, a="1")
    (target / name).write_text("mine")
    with pytest.raises(InvalidValueError, match="which emrkit did not put there; name a directory"):
        write(target, a="2")
    assert (target / name).read_text() == "mine"
    assert (target / "a").read_text() == "1"


def test_what_the_user_puts_there_meanwhile_is_not_replaced(tmp_path):
    target = tmp_path / "emrkit"
    made = replacing(target)
    (made.__enter__() / "a").write_text("1")
    target.mkdir()
    (target / "mine").write_text("mine")
    with pytest.raises(InvalidValueError, match="which emrkit did not put there"):
        made.__exit__(None, None, None)
    assert held(target) == {"mine": "mine"}


def test_a_file_or_a_link_is_no_directory(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link"):
        with pytest.raises(InvalidValueError, match="is no directory"):
            write(tmp_path / name, a="1")
    with pytest.raises(InvalidValueError, match="can't be written"):
        write(tmp_path / "file" / "emrkit", a="1")


def test_a_disk_of_its_own_is_told_before_the_work_as_nothing_can_replace_it():
    disk = Path("/proc")
    if not os.path.ismount(disk):
        pytest.skip("there is no other disk")
    with pytest.raises(InvalidValueError, match=r"is a disk of its own, .*; name a directory in it"):
        replacing(disk).__enter__()


KILLED = """
import json, os, signal, sys
from pathlib import Path
from airflow_provider_emrkit.projects import output
target = Path(sys.argv[1])
rename = Path.rename
def renamed(path, to):
    rename(path, to)
    if path == target:
        os.kill(os.getpid(), signal.SIGKILL)
Path.rename = renamed
with output.replacing(target) as made:
    (made / "a").write_text("2")
    if sys.argv[2] == "early":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["early", "between the two renames"])
def test_a_process_that_is_killed_costs_nothing(tmp_path, when):
    target = tmp_path / "emrkit"
    write(target, a="1")
    killed = subprocess.run([sys.executable, "-c", KILLED, target, when], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == (2 if when == "early" else 1)
    with pytest.raises(TypeError):
        write(target, a=None)
    assert held(target) == {"a": "1"}
    assert [path.name for path in tmp_path.iterdir()] == ["emrkit"]


def test_two_at_a_time_leave_one_of_them_whole(tmp_path):
    target = tmp_path / "emrkit"
    write(target, a="0")
    starts = threading.Barrier(4)

    def package(number):
        starts.wait()
        for _ in range(10):
            write(target, a=number, b=number)

    threads = [threading.Thread(target=package, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = held(target)
    assert found["a"] == found["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["emrkit"]
