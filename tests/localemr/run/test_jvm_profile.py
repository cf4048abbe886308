"""``--jvm-profile``: quick starts, or Java's own settings."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.run.environment import command_environment
from airflow_provider_emrkit.localemr.run.preparation import Wanted, prepare
from airflow_provider_emrkit.localemr.spark.java import Java
from airflow_provider_emrkit.localemr.spark.software import Software
from airflow_provider_emrkit.localemr.spark.versions import candidates


@pytest.fixture
def options(server_config, tmp_path):
    """Give the options of a step's JVM and of a ``hadoop`` command under a profile."""

    def call(profile: str, label: str = "emr-7.11.0") -> tuple[str, str]:
        (tmp_path / "java" / "bin").mkdir(parents=True)
        (tmp_path / "java" / "bin" / "java").write_text("#!/bin/sh\n")
        java = Java(tmp_path / "java", 17, "17")
        software = Software(candidates(label)[0], tmp_path, java, Path(sys.executable))
        config = dataclasses.replace(server_config, jvm_profile=profile)
        place = prepare(config, Wanted(label, "us-east-1"), software, tmp_path / "cluster").place
        return command_environment(place, tmp_path)["SPARK_SUBMIT_OPTS"], (place.shims / "hadoop").read_text()

    return call


def test_by_default_everything_is_for_a_quick_start(options):
    step, hadoop = options("fast")
    for text in (step, hadoop):
        assert "-XX:TieredStopAtLevel=1" in text
        assert "-XX:+UseSerialGC" in text


def test_full_leaves_the_compiler_and_the_collector_to_java(options):
    for text in options("full"):
        assert "Tiered" not in text
        assert "GC" not in text


def test_what_old_jobs_need_is_in_both(options):
    assert "-XX:+IgnoreUnrecognizedVMOptions" in options("full", "emr-6.15.0")[0]
