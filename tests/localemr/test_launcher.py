from __future__ import annotations

import os
import socket
import threading

import pytest

from airflow_provider_emrkit.localemr import launcher
from airflow_provider_emrkit.localemr.config import ServerConfig
from airflow_provider_emrkit.localemr.instance import InstanceError, Status, locked, write_status
from airflow_provider_emrkit.localemr.processes import Process


def status_of_this_process(data_dir, port) -> Status:
    this = Process.of(os.getpid())
    return Status(
        pid=this.pid,
        process_started=this.started,
        host="127.0.0.1",
        port=port,
        url=f"http://127.0.0.1:{port}",
        data_dir=str(data_dir),
        version="1",
        started="",
    )


def test_a_port_that_a_killed_server_is_about_to_let_go_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(launcher, "PORT_PATIENCE", 30.0)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        config = ServerConfig(data_dir=tmp_path, port=held.getsockname()[1])
        threading.Timer(0.2, held.close).start()
        assert launcher._comes_free(config)


def test_a_port_that_stays_taken_is_not_waited_for_long(tmp_path, monkeypatch):
    monkeypatch.setattr(launcher, "PORT_PATIENCE", 0.1)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        assert not launcher._comes_free(ServerConfig(data_dir=tmp_path, port=held.getsockname()[1]))


def test_an_instance_that_is_being_started_is_waited_for(tmp_path):
    status = status_of_this_process(tmp_path, 1)
    with locked(tmp_path):
        threading.Timer(0.2, write_status, (tmp_path, status)).start()
        assert launcher.await_start(tmp_path) == status


def test_a_start_that_fails_is_not_waited_for(tmp_path):
    lock = locked(tmp_path)
    lock.__enter__()
    threading.Timer(0.2, lock.__exit__, (None, None, None)).start()
    assert launcher.await_start(tmp_path) is None


def test_a_server_waits_for_a_command_that_holds_the_lock_for_a_moment(tmp_path):
    lock = locked(tmp_path)
    lock.__enter__()
    threading.Timer(0.2, lock.__exit__, (None, None, None)).start()
    with locked(tmp_path, patience=30.0):
        assert (tmp_path / "instance.lock").exists()


def test_a_start_that_comes_to_no_end_is_named(tmp_path):
    with locked(tmp_path), pytest.raises(InstanceError, match="does not come up"):
        launcher.await_start(tmp_path, timeout=0.1)


def test_a_directory_that_is_not_there_is_not_made_to_find_out(tmp_path):
    assert launcher.await_start(tmp_path / "no") is None
    assert not (tmp_path / "no").exists()


def test_a_server_that_hangs_is_not_taken_for_one_that_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("airflow_provider_emrkit.localemr.instance._HEALTH_TIMEOUT", 0.1)
    with socket.socket() as hung:
        hung.bind(("127.0.0.1", 0))
        hung.listen()
        write_status(tmp_path, status_of_this_process(tmp_path, hung.getsockname()[1]))
        with pytest.raises(InstanceError, match="does not answer; end it with: emrkit local down --port"):
            launcher.start(ServerConfig(data_dir=tmp_path, port=0), print)


def test_a_full_disk_is_named_when_it_keeps_the_log_empty(tmp_path, monkeypatch):
    (tmp_path / "localemr.log").touch()
    assert "is empty" in launcher._with_log(tmp_path, "no")
    full = type("Usage", (), {"free": 0})
    monkeypatch.setattr("shutil.disk_usage", lambda _: full)
    assert "the disk is full" in launcher._with_log(tmp_path, "no")
