from __future__ import annotations

import socket
import threading

from airflow_provider_emrkit.localemr import launcher
from airflow_provider_emrkit.localemr.config import ServerConfig


def test_a_port_that_a_killed_server_is_about_to_let_go_is_waited_for(tmp_path):
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
