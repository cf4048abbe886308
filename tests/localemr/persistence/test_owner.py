"""State is read only where nobody else can have written it: to read it is to run it."""

from __future__ import annotations

import os
import stat

import pytest

from airflow_provider_emrkit.localemr.persistence.contents import KeptError
from airflow_provider_emrkit.localemr.persistence.state import KeptState


def test_the_state_of_another_user_is_not_read(tmp_path, monkeypatch):
    KeptState(tmp_path).close()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(KeptError, match="belongs to another user"):
        KeptState(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("is_link", [False, True])
def test_a_file_that_another_user_has_put_there_is_not_read(tmp_path, is_link):
    planted = tmp_path / "services" / "sqs.db"
    planted.parent.mkdir(mode=0o777)
    if is_link:
        planted.symlink_to(tmp_path / "mine.db")
    else:
        planted.touch()
    os.chown(planted, 12345, -1, follow_symlinks=False)
    with pytest.raises(KeptError, match=r"sqs\.db belongs to another user"):
        KeptState(tmp_path)


def test_nobody_else_can_put_a_file_there(tmp_path):
    for name in ("s3", "services"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
    KeptState(tmp_path).close()
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("s3", "services")] == [0o700] * 2
