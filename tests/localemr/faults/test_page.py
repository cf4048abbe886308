"""The page ``/_emrkit/faults``, and the context manager that uses it."""

from __future__ import annotations

import pytest
import requests

from airflow_provider_emrkit.localemr.faults.checks import InvalidFaultError
from airflow_provider_emrkit.localemr.faults.client import FaultsClient, FaultsError
from airflow_provider_emrkit.testing.faults import faults


@pytest.fixture
def url(localemr_server):
    return localemr_server.endpoint_url


@pytest.fixture
def page(url):
    return f"{url}/_emrkit/faults"


def shown(page):
    return requests.get(page, timeout=10).json()["faults"]


def test_a_set_is_made_seen_and_taken_away(page):
    made = requests.put(f"{page}/mine", json={"throttle": "ListSteps"}, timeout=10)
    assert (made.status_code, made.json()["set"]) == (200, "mine")
    assert shown(f"{page}/mine") == shown(page) == {"throttle": {"operation": "ListSteps"}}
    assert shown(f"{page}/other") == {}
    assert requests.delete(f"{page}/mine", timeout=10).json()["faults"] == {}
    assert requests.delete(f"{page}/mine", timeout=10).status_code == 200
    assert shown(page) == {}


def test_a_post_adds_a_set_with_a_name_of_its_own(page):
    names = [requests.post(page, json={"slow_start": 0}, timeout=10).json()["set"] for _ in range(2)]
    assert len(shown(page)["slow_start"]) == 2
    requests.delete(f"{page}/{names[0]}", timeout=10)
    assert shown(page) == {"slow_start": {}}


def test_a_put_of_everything_and_a_delete_of_everything(page):
    requests.put(f"{page}/mine", json={"throttle": True}, timeout=10)
    requests.put(page, json={"quotas": "emr"}, timeout=10)
    assert shown(page) == {"quotas": {"service": "emr"}}
    requests.delete(page, timeout=10)
    assert shown(page) == {}


def test_a_reset_takes_faults_away(localemr_server, url, page):
    requests.put(f"{page}/mine", json={"throttle": True}, timeout=10)
    requests.post(f"{url}/moto-api/reset", timeout=60)
    assert shown(page) == {}
    localemr_server.client("emr").list_clusters()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("PUT", "/mine", b"{", 400, "ValidationException"),
        ("PUT", "/mine", b'{"throttle": {"times": 0}}', 400, "ValidationException"),
        ("PUT", "/two/parts", b"{}", 404, "NotFound"),
        ("PUT", "/" + "x" * 65, b"{}", 404, "NotFound"),
        ("POST", "/mine", b"{}", 405, "MethodNotAllowed"),
        ("PATCH", "", b"{}", 405, "MethodNotAllowed"),
    ],
)
def test_what_cant_be_is_refused_and_changes_nothing(page, method, path, body, status, code):
    requests.put(f"{page}/mine", json={"slow_start": 0}, timeout=10)
    answer = requests.request(method, page + path, data=body, timeout=10)
    assert (answer.status_code, answer.json()["__type"]) == (status, code)
    assert shown(page) == {"slow_start": {}}


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}])
def test_web_pages_set_no_faults(page, headers):
    assert requests.put(page, json={"throttle": True}, headers=headers, timeout=10).status_code == 403
    assert shown(page) == {}


def test_the_page_works_whatever_the_faults_are(page):
    requests.put(page, json={"lost_request": True, "error": {"service": "*"}, "latency": 60}, timeout=10)
    assert len(shown(page)) == 3


def test_nothing_is_left_after_the_block(url, page):
    requests.put(
        f"{page}/others", json={"latency": {"operation": "ListClusters", "seconds": 0, "nth": 9}}, timeout=10
    )
    before = requests.get(page, timeout=10).json()
    with faults(url, throttle="ListSteps", hung_step=True) as active:
        assert set(shown(page)) == {"latency", "throttle", "hung_step"}
        assert active.struck == 0
    assert requests.get(page, timeout=10).json() == before
    assert active.struck == 0


def test_nothing_is_left_after_a_block_that_failed(url, page):
    with pytest.raises(ZeroDivisionError), faults(url, throttle=True):
        1 / 0  # noqa: B018
    assert shown(page) == {}


def test_blocks_may_be_nested(localemr_server, url, page):
    with faults(url, throttle={"operation": "ListClusters", "times": 1}):
        with faults(url, slow_start=0):
            assert set(shown(page)) == {"throttle", "slow_start"}
        assert set(shown(page)) == {"throttle"}
    assert shown(page) == {}


def test_a_fault_that_cant_be_is_an_error_of_the_test(url, page):
    with (
        pytest.raises(InvalidFaultError, match=r"throttle\.operation: 'ListStep'"),
        faults(url, throttle="ListStep"),
    ):
        pytest.fail("entered")
    assert shown(page) == {}


def test_where_no_local_emr_is_there_are_no_faults():
    with pytest.raises(FaultsError, match="does not answer"):
        FaultsClient("http://127.0.0.1:9").show()


def test_a_server_that_is_no_local_emr_is_told_from_one(url):
    with pytest.raises(FaultsError, match="HTTP status 404"):
        FaultsClient(f"{url}/elsewhere").show()
