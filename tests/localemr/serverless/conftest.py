"""An EMR Serverless of its own for each test: a clock that the test moves, and jobs that do what it says."""

from __future__ import annotations

import itertools
import time
from datetime import datetime, timedelta, timezone

import pytest
from localemr_fixtures import _load_scripted

from airflow_provider_emrkit.localemr.aws_json import ApiError
from airflow_provider_emrkit.localemr.call import Call
from airflow_provider_emrkit.localemr.serverless.context import Serverless
from airflow_provider_emrkit.localemr.serverless.journal import ServerlessJournal
from airflow_provider_emrkit.localemr.serverless.model import ENDED_STATES
from airflow_provider_emrkit.localemr.serverless.service import OPERATIONS

ROLE = "arn:aws:iam::123456789012:role/job"
NOW = datetime(2026, 11, 28, 9, 30, tzinfo=timezone.utc)
WAIT = 20
scripted = _load_scripted("scripted_jobs")


class Clock:
    """A time that moves only when it is told to."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> datetime:
        return self.time


class Emr:
    """EMR Serverless without HTTP.

    :param journal: Where its records are kept.
    """

    def __init__(self, journal=None, **settings) -> None:
        self.jobs = scripted.ScriptedJobRunner()
        self.clock = Clock()
        self.serverless = Serverless(
            self.jobs, "/spark/{}".format, now=self.clock, journal=journal, **settings
        )
        self._tokens = itertools.count()

    @property
    def store(self):
        return self.serverless.store

    def __call__(self, operation, *, region="us-east-1", is_waiter=False, **params):
        """Carry out an operation."""
        call = Call(operation, params, region, is_waiter)
        with self.store.lock:
            return OPERATIONS[operation](self.serverless, call)

    def refused(self, operation, **params) -> ApiError:
        """Carry out an operation that must be refused, and give the error."""
        with pytest.raises(ApiError) as caught:
            self(operation, **params)
        return caught.value

    def token(self) -> str:
        """Give a new client token."""
        return f"token-{next(self._tokens)}"

    def create(self, **request) -> str:
        """Make an application."""
        given = {"releaseLabel": "emr-7.11.0", "type": "SPARK", "clientToken": self.token(), **request}
        return self("CreateApplication", **given)["applicationId"]

    def start(self, application_id, text="job.py", **request) -> str:
        """Start a job run; ``text`` finds its script."""
        given = {
            "clientToken": self.token(),
            "executionRoleArn": ROLE,
            "jobDriver": {"sparkSubmit": {"entryPoint": f"s3://code/{text}"}},
            **request,
        }
        return self("StartJobRun", applicationId=application_id, **given)["jobRunId"]

    def later(self, **time) -> None:
        """Move the clock, and let everybody look at it."""
        with self.store.lock:
            self.clock.time += timedelta(**time)
            self.serverless.scheduler.changed.notify_all()

    def application(self, application_id, *states):
        """Wait until an application is in one of the states, and give its record."""
        record = self.store.find_application(application_id)
        return self._wait(record, states)

    def run(self, application_id, run_id, *states):
        """Wait until a job run is in one of the states, an end state by default, and give its record."""
        return self._wait(self.store.run(application_id, run_id), states or ENDED_STATES)

    def _wait(self, record, states):
        with self.store.lock:
            changed = self.serverless.scheduler.changed
            assert changed.wait_for(lambda: record.state in states, WAIT), (record.state, states, record)
            return record

    def settled(self) -> None:
        """Wait until the scheduler has nothing to do."""
        scheduler, deadline = self.serverless.scheduler, time.monotonic() + WAIT
        with self.store.lock:
            # It works with the lock held, and tells nobody when it is done.
            while scheduler._dirty:
                assert time.monotonic() < deadline
                scheduler.changed.wait(0.01)


@pytest.fixture
def make_emr():
    made = []

    def make(path=None, **settings):
        emr = Emr(ServerlessJournal(path) if path else None, **settings)
        made.append(emr)
        return emr

    yield make
    for emr in made:
        emr.serverless.stop(0.5)


@pytest.fixture
def emr(make_emr):
    return make_emr()
