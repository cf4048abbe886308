"""The YARN that isn't there."""

from __future__ import annotations

import re

from airflow_provider_emrkit.localemr.run.yarn import Application

APPLICATION = Application(1700000000000, 7)


def test_ids_look_like_yarns():
    assert APPLICATION.application_id == "application_1700000000000_0007"
    assert APPLICATION.driver_container == "container_1700000000000_0007_01_000001"
    assert Application(1, 12345).application_id == "application_1_12345"


def test_a_step_tells_its_application_at_once():
    lines = APPLICATION.submitted(0)
    assert any(
        re.search(r"INFO .*Submitted application application_1700000000000_0007$", line) for line in lines
    )
    assert lines[0].startswith("70/01/01 00:00:00 ")


def test_the_end_says_how_it_went():
    assert any("final status: SUCCEEDED" in line for line in APPLICATION.finished(0, 0))
    failed = APPLICATION.finished(0, 13)
    assert any("final status: FAILED" in line for line in failed)
    assert APPLICATION.failure in failed
    assert APPLICATION.failure == (
        'Exception in thread "main" org.apache.spark.SparkException: '
        "Application application_1700000000000_0007 finished with failed status"
    )


def test_a_driver_that_a_signal_ended_has_the_status_a_shell_gives():
    assert any("exited with status 137" in line for line in APPLICATION.finished(0, -9))
