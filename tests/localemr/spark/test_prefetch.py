"""What is brought to this machine before the first cluster."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_provider_emrkit.localemr.spark import prefetch as module


@pytest.mark.parametrize(("kind", "made"), [("builtin", ["archive"]), ("s3a", ["s3a", "archive"])])
def test_hadoops_s3a_is_installed_when_it_is_asked_for(tmp_path, monkeypatch, kind, made):
    done = []
    software = SimpleNamespace()
    monkeypatch.setattr(module, "install_software", lambda *_: software)
    monkeypatch.setattr(
        module, "install_s3a", lambda found, *_: done.append("s3a" if found is software else "")
    )
    monkeypatch.setattr(module, "make_archive", lambda *_: done.append("archive"))
    assert module.prefetch("emr-7.11.0", tmp_path, print, kind) is software
    assert done == made
