from __future__ import annotations

import pytest

from airflow_provider_emrkit.logs.containers import MAX_EXECUTORS, Application, ContainerLog
from airflow_provider_emrkit.logs.sources import LogLine

ID = "application_1700000000000_0001"


def line(text: str, label: str = "submit") -> LogLine:
    return LogLine(0, text, label)


def container(number: int, attempt: int = 1, file: str = "stderr") -> ContainerLog:
    log = ContainerLog.of(f"{ID}/container_1700000000000_0001_{attempt:02}_{number:06}/{file}")
    assert log is not None
    return log


@pytest.mark.parametrize(
    ("name", "attempt", "number", "file", "rotated"),
    [
        ("a/container_1700000000000_0001_01_000001/stdout", 1, 1, "stdout", ""),
        ("a/container_e17_1700000000000_12345_02_000104/stderr.gz", 2, 104, "stderr", ""),
        ("a/container_1_0001_01_000002/stderr.2026-11-28-10.gz", 1, 2, "stderr", "2026-11-28-10"),
    ],
)
def test_a_container_s_log_is_known_by_its_name(name, attempt, number, file, rotated):
    log = ContainerLog.of(name)
    assert log is not None
    assert (log.attempt, log.number, log.file, log.rotated) == (attempt, number, file, rotated)


@pytest.mark.parametrize(
    "name", ["launch_container.sh.gz", "directory.info.gz", "prelaunch.err.gz", "stderr/x"]
)
def test_what_else_a_container_leaves_is_no_log(name):
    assert ContainerLog.of(f"a/container_1700000000000_0001_01_000001/{name}") is None


def test_the_driver_of_a_later_attempt_is_told_from_the_first_one_s():
    application = Application(driver_apart=True, submit_label="submit")
    assert [application.label(container(1, attempt)) for attempt in (1, 2)] == [
        "stderr",
        "stderr of attempt 2",
    ]


def test_in_client_mode_the_first_container_is_not_the_driver():
    application = Application(driver_apart=False, submit_label="stderr", executors=True)
    assert [application.follows(container(number)) for number in (1, 2)] == [False, True]


def test_an_executor_has_the_number_that_spark_gives_it_where_that_is_known():
    application = Application(driver_apart=True, submit_label="submit", executors=True)
    said = (
        "INFO YarnAllocator: Launching container {} on host ip-10-0-0-7 for executor with ID 17 for Resource"
    )
    application.observe([line(said.format(container(5).container), "stderr")])
    assert application.label(container(5)) == "executor 17 stderr"
    assert application.label(container(6, 2, "stdout")) == "executor 6 stdout of attempt 2"


def test_executors_are_followed_on_request_only_and_not_all_of_a_thousand():
    asked = Application(driver_apart=True, submit_label="submit", executors=True)
    followed = [log for log in map(container, range(1, 1000)) if asked.follows(log)]
    assert [log.number for log in followed] == list(range(1, MAX_EXECUTORS + 2))
    assert asked.is_crowded
    assert asked.follows(container(2, file="stdout"))
    quiet = Application(driver_apart=True, submit_label="submit")
    assert [quiet.follows(container(number)) for number in (1, 2)] == [True, False]
    assert not quiet.is_crowded


def test_only_what_spark_submit_writes_names_the_application():
    application = Application(driver_apart=True, submit_label="submit")
    application.observe([line(ID.replace("0001", "0666"), "stdout"), line(f"Submitted application {ID}")])
    application.observe([line(ID.replace("0001", "0002"))])
    assert application.id == ID
