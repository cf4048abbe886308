"""The class-data archive of a Spark, a Java and our jar."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.spark import archive as module
from airflow_provider_emrkit.localemr.spark.archive import make_archive
from airflow_provider_emrkit.localemr.spark.java import Java
from airflow_provider_emrkit.localemr.spark.software import Software
from airflow_provider_emrkit.localemr.spark.versions import candidates


@pytest.fixture
def make(tmp_path, monkeypatch):
    made: list[Path] = []

    def stand_in(software, jar, archive, directory):
        made.append(archive)
        archive.write_bytes(b"classes")

    monkeypatch.setattr(module, "_make", stand_in)

    def call(label: str = "emr-7.11.0", java: int = 17, jar: str = "s3-1.jar") -> Path | None:
        software = Software(
            candidates(label)[0], Path("/spark"), Java(Path("/java"), java, str(java)), Path("/py")
        )
        return make_archive(software, Path(jar), tmp_path, lambda _: None)

    call.made = made
    return call


def test_it_is_made_once(make):
    assert make() == make()
    assert len(make.made) == 1


def test_one_for_another_jar_takes_its_place_and_no_others(make):
    others = [make("emr-spark-8.0.0"), make(java=21)]
    old, new = make(), make(jar="s3-2.jar")
    assert not old.exists()
    assert new.exists()
    assert all(path.exists() for path in others)


def test_an_old_java_has_none(make):
    assert make("emr-6.3.0", java=11) is None
    assert make.made == []
