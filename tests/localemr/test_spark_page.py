"""The page that leads to a Spark application's page."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from airflow_provider_emrkit.localemr.run.contract import ClusterStartError
from airflow_provider_emrkit.localemr.spark_page import SparkPage, spark_page_url


class Ui:
    def __init__(self):
        self.error = None

    def url(self, application_id=None):
        if self.error:
            raise self.error
        return f"http://127.0.0.1:18080/history/{application_id or ''}"

    def stop(self):
        pass


@pytest.fixture
def ui():
    return Ui()


@pytest.fixture
def get(ui):
    return lambda rest, method="GET": SparkPage(ui)({"REQUEST_METHOD": method}, rest)


@pytest.mark.parametrize(("rest", "end"), [("/00run-2", "00run-2"), ("", ""), ("/", "")])
def test_it_leads_to_the_applications_page_or_to_the_list(get, rest, end):
    answer = get(rest)
    assert answer.status == 302
    assert ("Location", f"http://127.0.0.1:18080/history/{end}") in answer.headers


@pytest.mark.parametrize("rest", ["/../x", "/a/b", "/a%0d", "/-x", "/" + "x" * 300])
def test_what_can_be_no_id_leads_nowhere(get, rest):
    assert get(rest).status == 404


def test_it_is_only_looked_at(get):
    assert get("/00run", "POST").status == 405


def test_a_history_server_that_cannot_be_started_says_why(get, ui):
    ui.error = ClusterStartError("no Spark is installed; run emrkit local prefetch")
    answer = get("/00run")
    assert (answer.status, answer.body) == (503, b"no Spark is installed; run emrkit local prefetch\n")


def test_the_server_has_it(localemr_server):
    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    url = spark_page_url(localemr_server.endpoint_url, "00run")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.build_opener(NoRedirect).open(url, timeout=30)
    with caught.value as error:
        assert (error.code, error.headers["Location"]) == (302, "http://127.0.0.1:18080/history/00run")
