"""What stands in the way is said before anything is started, with the mend."""

from __future__ import annotations

import os
import socket
from collections import namedtuple
from pathlib import Path

import pytest

import demo.checks
import demo.record
from demo.environment import Places
from demo.ports import any_free, holder, is_free, next_free
from demo.processes import Process, process

_GONE = Process(pid=2**22 + 1, parent=1, session=1, started=1)


@pytest.fixture
def places(tmp_path):
    for program in ("airflow/bin/airflow", "localemr/bin/emrkit"):
        file = tmp_path / program
        file.parent.mkdir(parents=True)
        file.touch()
    return Places(
        root=tmp_path,
        folder=tmp_path / ".local" / "demo",
        airflow_env=tmp_path / "airflow",
        localemr_env=tmp_path / "localemr",
        data_env=tmp_path / "data",
        airflow_port=any_free(),
        localemr_port=any_free(),
    )


@pytest.fixture
def listener():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        yield server.getsockname()[1]


def _record(**changes) -> demo.record.Record:
    facts = {"marker": "no-such-marker", "airflow_url": "http://a", "endpoint": "http://e", "demo": _GONE}
    return demo.record.Record(**{**facts, **changes})


def test_nothing_stands_in_the_way(places):
    assert demo.checks.problems(places, None) == []


def test_a_taken_port_is_named_with_its_holder_and_another_port(places, listener):
    taken = Places(**{**vars(places), "airflow_port": listener})
    (problem,) = demo.checks.problems(taken, None)
    assert problem.startswith(f"port {listener}, wanted for Airflow, is taken by pid {os.getpid()}: ")
    assert problem.endswith(f"use another: make demo AIRFLOW_PORT={next_free(listener)}")


def test_each_port_has_its_own_variable(places, listener):
    taken = Places(**{**vars(places), "localemr_port": listener})
    (problem,) = demo.checks.problems(taken, None)
    assert "make demo LOCALEMR_PORT=" in problem


def test_one_port_is_not_for_two(places):
    port = places.airflow_port
    (problem,) = demo.checks.problems(Places(**{**vars(places), "localemr_port": port}), None)
    assert problem == f"AIRFLOW_PORT and LOCALEMR_PORT are both {port}; give them two"


def test_above_the_highest_port_there_is_none():
    assert next_free(65535) is None


def test_a_missing_environment_is_named_with_the_command_that_makes_it(places):
    (places.localemr_env / "bin" / "emrkit").unlink()
    (problem,) = demo.checks.problems(places, None)
    assert str(places.localemr_env) in problem
    assert "python3 dev/bootstrap.py" in problem


def test_a_full_disk_is_named_with_what_is_needed(places, monkeypatch):
    usage = namedtuple("usage", "total used free")(10, 10, 1024**3)
    monkeypatch.setattr(demo.checks.shutil, "disk_usage", lambda path: usage)
    (problem,) = demo.checks.problems(places, None)
    assert problem == f"{places.root} has 1.0 GiB left on its disk, the demo needs 2; make room there"


def test_a_demo_at_work_is_named(places):
    me = process(os.getpid())
    (problem,) = demo.checks.problems(places, _record(demo=me))
    assert problem.startswith(f"another demo is running (pid {me.pid})")


def test_a_kept_demo_is_named_with_its_addresses(places):
    kept = _record(kept=True, roots=(process(os.getppid()),))
    (problem,) = demo.checks.problems(places, kept)
    assert (
        problem
        == "an earlier demo has left Airflow at http://a and AWS at http://e running; stop it: make demo-stop"
    )


def test_the_record_of_a_demo_that_is_gone_is_no_problem(places):
    assert demo.checks.problems(places, _record(kept=True)) == []


def test_a_record_is_read_as_it_was_written(tmp_path):
    record = _record(roots=(_GONE,), kept=True)
    demo.record.write(tmp_path / "new" / "running.json", record)
    assert demo.record.read(tmp_path / "new" / "running.json") == record


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"roots": [1]}'], ids=["empty", "no fields", "a list", "wrong"]
)
def test_a_damaged_record_is_none(tmp_path, text):
    (tmp_path / "running.json").write_text(text)
    assert demo.record.read(tmp_path / "running.json") is None


def test_a_free_port_has_no_holder():
    port = any_free()
    assert is_free(port)
    assert holder(port) is None


@pytest.mark.skipif(not Path("/proc/sys/net/ipv4/ip_local_port_range").exists(), reason="Linux tells this")
def test_a_free_port_is_not_handed_out_to_those_who_take_any():
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    if lowest <= 10_000:
        pytest.skip("here all ports are handed out")
    assert all(10_000 <= any_free() < lowest for _ in range(20))


def test_a_taken_port_is_not_free(listener):
    assert not is_free(listener)
    assert next_free(listener) > listener


def test_only_a_demo_with_an_image_needs_an_engine(places, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/socket")
    monkeypatch.setenv("CONTAINER_HOST", "unix:///nowhere/socket")
    assert demo.checks.problems(places, None) == []
    (problem,) = demo.checks.problems(places, None, needs_engine=True)
    assert problem.startswith("no container engine runs here (")
    assert problem.endswith("start one, or name its address in DOCKER_HOST")
    assert "\n" not in problem
