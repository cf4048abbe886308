"""The Airflow of the demo: its admin's password."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demo.airflow import USER, Home


def test_a_password_is_made_once_and_is_for_its_user_alone(tmp_path):
    home = Home(tmp_path / "new")
    assert home.password() == home.password()
    assert json.loads(home.passwords.read_text()) == {USER: home.password()}
    assert home.passwords.stat().st_mode & 0o777 == 0o600


def test_a_disk_that_is_full_spoils_no_later_start(tmp_path, monkeypatch):
    def full(self: Path, text: str) -> int:
        raise OSError(28, "No space left on device")

    home = Home(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match="No space left"):
            home.password()
    assert home.password()
