"""Faults of EMR Serverless, as the API shows them."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.testing.faults import faults


@pytest.fixture
def url(localemr_server):
    return localemr_server.endpoint_url


class Jobs:
    """Applications and job runs of the tests' server."""

    def __init__(self, server):
        self.server = server
        self.api = server.client("emr-serverless")

    def application(self, name="app"):
        answer = self.api.create_application(name=name, releaseLabel="emr-7.11.0", type="SPARK")
        return answer["applicationId"]

    def run(self, application, name, **request):
        return self.api.start_job_run(
            applicationId=application,
            executionRoleArn="arn:aws:iam::123456789012:role/job",
            name=name,
            jobDriver={"sparkSubmit": {"entryPoint": f"s3://code/{name}.py"}},
            **request,
        )["jobRunId"]

    def wait(self, find, *states):
        serverless = self.server.server.serverless
        with serverless.scheduler.changed:
            is_so = serverless.scheduler.changed.wait_for(lambda: find(serverless.store).state in states, 20)
            assert is_so, (states, find(serverless.store))

    def wait_run(self, application, run, *states):
        self.wait(lambda store: store.run(application, run), *states)
        return self.api.get_job_run(applicationId=application, jobRunId=run)["jobRun"]

    def wait_application(self, application, *states):
        self.wait(lambda store: store.find_application(application), *states)


@pytest.fixture
def jobs(localemr_server):
    return Jobs(localemr_server)


def test_an_application_starts_slowly_until_the_fault_is_taken_away(jobs, url):
    slow, other = jobs.application("slow-one"), jobs.application("other")
    with faults(url, slow_application={"seconds": 3600, "application": "slow*"}):
        for application in (slow, other):
            jobs.api.start_application(applicationId=application)
        jobs.wait_application(other, "STARTED")
        jobs.wait_application(slow, "STARTING")
    jobs.wait_application(slow, "STARTED")


def test_an_application_that_does_not_start_fails_the_runs_that_wait_for_it(jobs, url, localemr_server):
    broken, other = jobs.application("broken"), jobs.application("other")
    with faults(url, failed_application={"application": "broken", "times": 1}):
        failed = jobs.wait_run(broken, jobs.run(broken, "etl"), "FAILED")
        jobs.wait_run(other, jobs.run(other, "etl"), "SUCCESS")
        shown = jobs.api.get_application(applicationId=broken)["application"]
        assert shown["state"] == "STOPPED"
        assert "not authorized to perform: ECR:DescribeImages" in shown["stateDetails"]
        assert failed["stateDetails"] == shown["stateDetails"]
        # The next start goes well.
        jobs.wait_run(broken, jobs.run(broken, "etl"), "SUCCESS")
    assert len(localemr_server.jobs.requests) == 2


def test_a_run_waits_for_capacity_until_the_fault_is_taken_away(jobs, url):
    application = jobs.application()
    with faults(url, waiting_run={"seconds": 3600, "run": "waits"}):
        waits = jobs.run(application, "waits")
        jobs.wait_run(application, jobs.run(application, "other"), "SUCCESS")
        jobs.wait_run(application, waits, "SCHEDULED")
    jobs.wait_run(application, waits, "SUCCESS")


def test_a_run_that_waits_for_capacity_can_be_cancelled(jobs, url, localemr_server):
    application = jobs.application()
    with faults(url, waiting_run=3600):
        run = jobs.run(application, "waits")
        jobs.wait_run(application, run, "SCHEDULED")
        jobs.api.cancel_job_run(applicationId=application, jobRunId=run)
        jobs.wait_run(application, run, "CANCELLED")
    assert localemr_server.jobs.requests == []


def test_the_nth_run_fails_without_having_run(jobs, url, localemr_server):
    application = jobs.application()
    with faults(url, failed_run={"nth": 2, "message": "no capacity at all"}):
        states = []
        for name in ("one", "two", "three"):
            shown = jobs.wait_run(application, jobs.run(application, name), "SUCCESS", "FAILED")
            states.append((shown["state"], shown["stateDetails"]))
    assert states == [("SUCCESS", "SUCCESS"), ("FAILED", "no capacity at all"), ("SUCCESS", "SUCCESS")]
    assert len(localemr_server.jobs.requests) == 2


def test_a_retry_policy_gets_a_run_through_an_attempt_that_fails(jobs, url, localemr_server):
    application = jobs.application()
    with faults(url, failed_run={"times": 1, "runs": True}):
        run = jobs.run(application, "etl", retryPolicy={"maxAttempts": 2})
        assert jobs.wait_run(application, run, "SUCCESS")["attempt"] == 2
    assert len(localemr_server.jobs.requests) == 2


def test_the_logs_of_a_run_are_delivered_by_clients_that_may_be_late(jobs, url, localemr_server):
    application = jobs.application()
    jobs.wait_run(application, jobs.run(application, "etl"), "SUCCESS")
    (request,) = localemr_server.jobs.requests
    calls = []

    class Client:
        def put_object(self, **params):
            calls.append(params)

    client = request.deliver(Client(), "s3")
    client.put_object(Key="in time")
    with faults(url, log_delay={"seconds": 3600, "application": "app"}):
        client.put_object(Key="late")
        assert calls == [{"Key": "in time"}]
