"""Containers of a small program that stands for an engine."""

from __future__ import annotations

import pytest
from fake_engine import fake_engine  # noqa: F401 - the fixture

from airflow_provider_emrkit.localemr.engine.process import ContainerJob, ContainerProcess
from airflow_provider_emrkit.localemr.engine.settings import ContainerSettings
from airflow_provider_emrkit.localemr.spark.image import ImageRequest


@pytest.fixture
def settings(tmp_path):
    java = tmp_path / "java"
    java.mkdir()
    users = tmp_path / "passwd"
    users.write_text("hadoop:x:0:0::/:/bin/bash\n")
    return ContainerSettings(None, "me", tmp_path / "records", (), (tmp_path / "cluster",), java, users)


@pytest.fixture
def start(fake_engine, settings, tmp_path):  # noqa: F811
    started = []

    def call(*command: str, owner: str = "s-1", **request):
        directory = tmp_path / "cluster" / f"step-{len(started)}"
        (directory / "work").mkdir(parents=True)
        asked = ImageRequest(**{"image": "local/etl:1", "java": "17", **request})
        job = ContainerJob(asked, command, {"GREETING": "it's\nme"}, directory / "work", directory, owner)
        started.append(ContainerProcess(job, settings))
        return started[-1]

    yield call
    for process in started:
        process.cancel(force=True)
        process.wait()
        for pipe in process.pipes:
            pipe.close()
