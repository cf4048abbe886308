"""When faults strike."""

from __future__ import annotations

import threading
import time

import pytest

from airflow_provider_emrkit.localemr.faults.active import Faults
from airflow_provider_emrkit.localemr.faults.api_kinds import Throttle
from airflow_provider_emrkit.localemr.faults.checks import InvalidFaultError
from airflow_provider_emrkit.localemr.faults.cluster_kinds import FailedStep, HungStep, LateListing
from airflow_provider_emrkit.localemr.faults.model import Fault

ASKED = {"service": ("emr",), "operation": ("ListSteps",)}


def strikes(faults, count, subject=ASKED, kind=Throttle):
    return [faults.strike(kind, subject) is not None for _ in range(count)]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({}, [True, True, True, True]),
        ({"times": 2}, [True, True, False, False]),
        ({"nth": 2}, [False, True, False, False]),
        ({"nth": 2, "times": 2}, [False, True, True, False]),
    ],
)
def test_a_fault_strikes_when_it_says(when, expected):
    assert strikes(Faults([Throttle(**when)]), 4) == expected


def test_only_what_fits_is_counted():
    faults = Faults([Throttle(operation="ListSteps", nth=2)])
    assert strikes(faults, 3, {**ASKED, "operation": ("DescribeStep",)}) == [False] * 3
    assert strikes(faults, 2) == [False, True]


def test_an_operation_without_a_service_is_one_of_emrs():
    faults = Faults([Throttle(operation="TagResource")])
    for service, struck in (("emr-serverless", True), ("s3", False), ("emr", True)):
        subject = {"service": (service,), "operation": ("TagResource",)}
        assert strikes(faults, 1, subject) == [struck]


def test_a_name_or_an_id_fits():
    faults = Faults([FailedStep(step="s-1", cluster="nightly*")])
    assert strikes(faults, 1, {"cluster": ("nightly", "j-1"), "step": ("etl", "s-1")}, FailedStep) == [True]
    assert strikes(faults, 1, {"cluster": ("daily", "j-1"), "step": ("etl", "s-1")}, FailedStep) == [False]


def test_the_first_fault_of_a_kind_that_strikes_counts():
    faults = Faults([Throttle(times=1), Throttle(times=1)])
    assert strikes(faults, 3) == [True, True, False]
    assert [active.struck for active in faults.active(Throttle)] == [1, 1]


def test_an_occasion_that_comes_again_is_counted_once():
    faults = Faults([LateListing(seconds=1, nth=2)])
    seen = [faults.strike_once(LateListing, {"step": ("x",)}, step) for step in ("a", "b", "a", "b", "c")]
    assert [active is not None for active in seen] == [False, True, False, True, False]


def test_sets_come_and_go_without_touching_others():
    faults = Faults([Throttle(times=2)])
    strikes(faults, 1)
    faults.put("mine", [HungStep()])
    faults.put("mine", [FailedStep()])
    faults.remove("mine")
    faults.remove("mine")
    assert [(active.owner, active.struck) for active in faults.active(Fault)] == [("config", 1)]


def test_a_set_may_be_all_there_is():
    faults = Faults([Throttle()])
    faults.put("mine", [HungStep()])
    faults.put("all", [FailedStep()], alone=True)
    assert [active.fault.kind for active in faults.active(Fault)] == ["failed_step"]


def test_a_reset_goes_back_to_the_configured_faults_as_they_were():
    faults = Faults([Throttle(times=1)])
    faults.put("mine", [HungStep()])
    strikes(faults, 1)
    faults.clear()
    assert faults.active(Fault) == []
    faults.reset()
    assert strikes(faults, 2) == [True, False]
    assert not faults.any(HungStep)


def test_there_are_not_too_many():
    faults = Faults([Throttle()] * 600)
    with pytest.raises(InvalidFaultError, match="at most 1000"):
        faults.put("mine", [Throttle()] * 600)
    assert len(faults.active(Fault)) == 600


def test_listeners_hear_of_each_change():
    heard = []
    faults = Faults()
    faults.subscribe(lambda: heard.append(len(faults.active(Fault))))
    faults.put("x", [Throttle()])
    faults.clear()
    assert heard == [1, 0]


def test_a_pause_ends_with_its_fault():
    faults = Faults()
    faults.put("x", [Throttle()])
    (active,) = faults.active(Throttle)
    threading.Timer(0.1, faults.clear).start()
    begun = time.monotonic()
    faults.pause(active, 30)
    assert time.monotonic() - begun < 10


def test_many_threads_strike_no_more_often_than_the_fault_says():
    faults = Faults([Throttle(times=100)])
    struck = []
    threads = [threading.Thread(target=lambda: struck.extend(strikes(faults, 50))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(struck), len(struck)) == (100, 400)
