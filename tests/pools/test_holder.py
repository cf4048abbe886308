from __future__ import annotations

import os
import socket

from airflow_provider_emrkit.pools.holder import new_holder


def test_no_two_have_the_same_name():
    assert len({new_holder() for _ in range(1_000)}) == 1_000


def test_it_says_where_to_look(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "worker-1")
    assert new_holder().startswith(f"worker-1:{os.getpid()}:")


def test_it_fits_into_the_record_whatever_the_machine_is_called(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "a:b\n" * 100)
    assert len(new_holder()) <= 100
    assert new_holder().count(":") == 2
