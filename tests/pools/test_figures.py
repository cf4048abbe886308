from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from faulty_emr import aws_error, throttled, unreachable

from airflow_provider_emrkit.pools.figures import KEPT, REST, PoolFigures, read_figures

MEMORY, PENDING = "YARNMemoryAvailablePercentage", "ContainerPending"


@pytest.fixture
def cloudwatch(localemr_server):
    return localemr_server.client("cloudwatch")


@pytest.fixture
def put(cloudwatch):
    """Put a figure of a cluster as EMR does, some minutes ago."""

    def put_one(cluster_id: str, name: str, value: float, minutes: float = 1.0) -> datetime:
        at = datetime.now(timezone.utc) - timedelta(minutes=minutes)
        datum = {
            "MetricName": name,
            "Dimensions": [{"Name": "JobFlowId", "Value": cluster_id}],
            "Timestamp": at,
            "Value": value,
        }
        cloudwatch.put_metric_data(Namespace="AWS/ElasticMapReduce", MetricData=[datum])
        return at

    return put_one


class CountedCloudWatch:
    """CloudWatch that counts its calls, and fails when it is told to."""

    def __init__(self, client=None, answer=None) -> None:
        self._client = client
        self.answer = answer
        self.requests = []
        self.error = None

    def get_metric_data(self, **request):
        self.requests.append(request)
        if self.error:
            raise self.error
        return self._client.get_metric_data(**request) if self._client else self.answer(request)


def of(cloudwatch, clock=lambda: 0.0) -> PoolFigures:
    def client(service: str, retries: bool = True):
        assert (service, retries) == ("cloudwatch", False)
        return cloudwatch

    return PoolFigures(SimpleNamespace(client=client, region_name="us-east-1"), clock)


def said(caplog) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name == PoolFigures.__module__]


# --- what is read -----------------------------------------------------------------------------------------


def test_the_newest_figures_of_all_clusters_are_read_by_one_call(cloudwatch, put):
    put("j-1", MEMORY, 90.0, minutes=10)
    at = put("j-1", MEMORY, 62.5, minutes=3)
    put("j-1", PENDING, 0.0, minutes=3)
    put("j-2", MEMORY, 12.0)
    put("j-2", PENDING, 7.0)
    put("j-3", MEMORY, 1.0)
    counted = CountedCloudWatch(cloudwatch)
    found = read_figures(counted, ["j-1", "j-2"])
    assert (found["j-1"].memory_available, found["j-1"].containers_pending) == (62.5, 0.0)
    assert (found["j-2"].memory_available, found["j-2"].containers_pending) == (12.0, 7.0)
    assert found["j-1"].at == pytest.approx(at.timestamp(), abs=60.0)
    assert set(found) == {"j-1", "j-2"}
    assert len(counted.requests) == 1


def test_figures_older_than_fifteen_minutes_tell_nothing(cloudwatch, put):
    put("j-1", MEMORY, 90.0, minutes=17)
    assert read_figures(cloudwatch, ["j-1"]) == {}


def test_a_cluster_may_have_one_figure_without_the_other(cloudwatch, put):
    put("j-1", PENDING, 4.0)
    (found,) = read_figures(cloudwatch, ["j-1"]).values()
    assert (found.memory_available, found.containers_pending) == (None, 4.0)


def test_no_clusters_take_no_call():
    counted = CountedCloudWatch()
    assert (read_figures(counted, []), counted.requests) == ({}, [])


def answered(request):
    """Answer each query with its number, in two pages."""
    queries = request["MetricDataQueries"]
    half = len(queries) // 2
    page = queries[half:] if "NextToken" in request else queries[:half]
    at = [datetime.now(timezone.utc)]
    results = [{"Id": one["Id"], "Timestamps": at, "Values": [float(one["Id"][1:])]} for one in page]
    return {"MetricDataResults": results, **({} if "NextToken" in request else {"NextToken": "more"})}


def test_as_many_queries_are_asked_at_once_as_cloudwatch_takes():
    counted = CountedCloudWatch(answer=answered)
    found = read_figures(counted, [f"j-{number}" for number in range(251)])
    assert len(found) == 251
    assert all(None not in (one.memory_available, one.containers_pending) for one in found.values())
    assert [len(one["MetricDataQueries"]) for one in counted.requests] == [500, 500, 2, 2]


# --- how often it is asked --------------------------------------------------------------------------------


def test_figures_are_kept_for_a_minute(cloudwatch, put):
    now = [0.0]
    put("j-1", MEMORY, 50.0)
    counted = CountedCloudWatch(cloudwatch)
    figures = of(counted, lambda: now[0])
    assert figures.of(["j-1"])["j-1"].memory_available == 50.0
    now[0] = KEPT - 1
    assert figures.of(["j-1"])["j-1"].memory_available == 50.0
    assert len(counted.requests) == 1
    now[0] = KEPT
    figures.of(["j-1"])
    assert len(counted.requests) == 2


def test_a_cluster_that_was_not_asked_for_is_asked_for_at_once(cloudwatch, put):
    put("j-2", MEMORY, 50.0)
    figures = of(cloudwatch)
    assert figures.of(["j-1"]) == {}
    assert set(figures.of(["j-1", "j-2"])) == {"j-2"}


@pytest.mark.parametrize(
    "error",
    [aws_error("AccessDenied", "not authorized: cloudwatch:GetMetricData"), throttled(), unreachable()],
)
def test_cloudwatch_that_can_not_be_asked_is_said_once_and_let_alone_for_a_while(error, caplog):
    now = [0.0]
    counted = CountedCloudWatch(answer=answered)
    counted.error = error
    figures = of(counted, lambda: now[0])
    with caplog.at_level(logging.WARNING):
        assert figures.of(["j-1"]) == {}
        now[0] = REST - 1
        assert figures.of(["j-1", "j-2"]) == {}
        assert len(counted.requests) == 1
        now[0] = REST
        assert figures.of(["j-1"]) == {}
    assert len(counted.requests) == 2
    (told,) = said(caplog)
    assert "are chosen by their steps" in told
    counted.error, now[0] = None, 2 * REST
    assert set(figures.of(["j-1"])) == {"j-1"}


def test_what_is_no_trouble_of_aws_is_not_swallowed():
    counted = CountedCloudWatch()
    counted.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        of(counted).of(["j-1"])


def test_a_local_emr_has_no_figures_which_is_said_once(cloudwatch, caplog):
    now = [0.0]
    figures = of(cloudwatch, lambda: now[0])
    with caplog.at_level(logging.INFO):
        assert figures.of([]) == {}
        assert not said(caplog)
        for minute in range(3):
            now[0] = 61.0 * minute
            assert figures.of(["j-1"]) == {}
    assert len(said(caplog)) == 1


def test_threads_that_ask_at_once_share_a_call():
    def slow(request):
        entered.set()
        assert go_on.wait(10)
        return answered({**request, "NextToken": "the last"})

    entered, go_on = threading.Event(), threading.Event()
    counted = CountedCloudWatch(answer=slow)
    figures = of(counted)
    threads = [threading.Thread(target=figures.of, args=(["j-1"],)) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert entered.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert len(counted.requests) == 1
