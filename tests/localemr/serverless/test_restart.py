"""What a server that is killed still knows of applications and job runs when it is started again."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.emr.journal import Journal
from airflow_provider_emrkit.localemr.serverless.journal import ServerlessJournal
from airflow_provider_emrkit.localemr.serverless.store import ServerlessStore


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "state.db"


def restarted(make_emr, path):
    """Start again as another process would: the one before has closed nothing."""
    return make_emr(path)


def records(emr):
    store = emr.store
    return {
        application.id: (application, list(store.runs(application.id)))
        for application in store.all_applications()
    }


def test_what_has_ended_comes_back_as_it_was(make_emr, path):
    emr = make_emr(path)
    application_id = emr.create(name="etl", tags={"a": "b"}, schedulerConfiguration={})
    emr.jobs.script("flaky", fails="OSError", times=1)
    run_id = emr.start(application_id, "flaky", retryPolicy={"maxAttempts": 2}, name="täglich")
    emr.run(application_id, run_id, "SUCCESS")
    emr("StopApplication", applicationId=application_id)
    emr.application(application_id, "STOPPED")
    before = records(emr)
    again = restarted(make_emr, path)
    assert records(again) == before
    assert [attempt.state for attempt in again.store.run(application_id, run_id).attempts] == [
        "FAILED",
        "SUCCESS",
    ]


def test_everything_keeps_its_order(make_emr, path):
    emr = make_emr(path)
    first, second = emr.create(), emr.create()
    runs = [emr.start(first) for _ in range(4)]
    for run_id in runs:
        emr.run(first, run_id)
    again = restarted(make_emr, path)
    assert [item["id"] for item in again("ListApplications")["applications"]] == [second, first]
    listed = again("ListJobRuns", applicationId=first)["jobRuns"]
    assert [item["id"] for item in listed] == runs[::-1]


def test_a_job_run_that_ran_is_lost_and_says_so(make_emr, path):
    emr = make_emr(path)
    application_id = emr.create()
    emr.jobs.script("long", hold=True)
    run_id = emr.start(application_id, "long", retryPolicy={"maxAttempts": 3})
    emr.run(application_id, run_id, "RUNNING")
    again = restarted(make_emr, path)
    run = again.store.run(application_id, run_id)
    assert (run.state, run.attempt.state, len(run.attempts)) == ("FAILED", "FAILED", 1)
    assert "localemr ended" in run.details
    assert run.ended is not None
    assert again.jobs.requests == []


def test_a_job_run_that_was_being_cancelled_is_cancelled(make_emr, path):
    emr = make_emr(path)
    application_id = emr.create()
    emr.jobs.script("deaf", hold=True, ignores_cancel=True)
    run_id = emr.start(application_id, "deaf")
    emr.run(application_id, run_id, "RUNNING")
    emr("CancelJobRun", applicationId=application_id, jobRunId=run_id, shutdownGracePeriodInSeconds=1800)
    run = restarted(make_emr, path).store.run(application_id, run_id)
    assert (run.state, run.details) == ("CANCELLED", "Job run was cancelled by the user")


def test_a_started_application_still_is_and_runs_jobs(make_emr, path):
    emr = make_emr(path)
    application_id = emr.create(autoStartConfiguration={"enabled": False})
    emr("StartApplication", applicationId=application_id)
    emr.application(application_id, "STARTED")
    again = restarted(make_emr, path)
    run_id = again.start(application_id)
    again.run(application_id, run_id, "SUCCESS")
    # What it needs is put in place again: it may be gone meanwhile.
    assert again.jobs.prepared == ["emr-7.11.0"]


def test_a_started_application_stops_when_it_is_idle_after_a_restart_too(make_emr, path):
    emr = make_emr(path)
    application_id = emr.create()
    emr("StartApplication", applicationId=application_id)
    emr.application(application_id, "STARTED")
    again = restarted(make_emr, path)
    again.settled()
    again.later(minutes=15)
    again.application(application_id, "STOPPED")


@pytest.mark.parametrize(("operation", "state"), [("StartApplication", "STOPPED"), (None, "CREATED")])
def test_an_application_on_its_way_rests(make_emr, path, operation, state):
    emr = make_emr(path)
    application_id = emr.create()
    emr.jobs.hold_prepares()
    if operation:
        emr(operation, applicationId=application_id)
        emr.application(application_id, "STARTING")
    again = restarted(make_emr, path)
    assert again.store.find_application(application_id).state == state
    emr.jobs.release_prepares()


def test_a_repeated_request_is_known_after_a_restart(make_emr, path):
    emr = make_emr(path)
    application_id = emr.create(clientToken="application")
    run_id = emr.start(application_id, clientToken="run")
    emr.run(application_id, run_id)
    again = restarted(make_emr, path)
    assert again.create(clientToken="application") == application_id
    assert again.start(application_id, clientToken="run") == run_id
    with pytest.raises(Exception, match="used before"):
        again.start(application_id, "other.py", clientToken="run")


def test_what_ended_long_ago_is_forgotten(make_emr, path, monkeypatch):
    emr = make_emr(path)
    emr.clock.time -= timedelta(days=61)
    old, kept = emr.create(), emr.create(autoStopConfiguration={"enabled": False})
    old_run, deleted_run = emr.start(kept), emr.start(old)
    emr.run(kept, old_run)
    emr.run(old, deleted_run)
    emr("StopApplication", applicationId=old)
    emr.application(old, "STOPPED")
    emr("DeleteApplication", applicationId=old)
    emr.clock.time += timedelta(days=61)
    new_run = emr.start(kept)
    emr.run(kept, new_run)
    again = restarted(make_emr, path)
    assert [item["id"] for item in again("ListApplications")["applications"]] == [kept]
    assert [item["id"] for item in again("ListJobRuns", applicationId=kept)["jobRuns"]] == [new_run]
    journal = ServerlessJournal(path)
    assert [run.id for run in journal.runs()] == [new_run]


def test_clusters_and_applications_share_a_file_and_do_not_meet(make_emr, path):
    emr, clusters = make_emr(path), Journal(path)
    application_id = emr.create()
    clusters.clear()
    assert [record.id for record in ServerlessJournal(path).applications()] == [application_id]


def test_a_reset_forgets_everything_and_goes_on(make_emr, path):
    emr = make_emr(path)
    application_id = emr.create()
    emr.jobs.script("long", hold=True)
    run_id = emr.start(application_id, "long")
    emr.run(application_id, run_id, "RUNNING")
    emr.serverless.reset(5)
    assert (run_id, False) in emr.jobs.cancels
    assert emr("ListApplications")["applications"] == []
    assert ServerlessJournal(path).applications() == []
    emr.jobs.forget()
    new = emr.create()
    emr.run(new, emr.start(new), "SUCCESS")


def test_a_job_run_that_ends_after_a_reset_does_not_come_back(make_emr, path):
    emr = make_emr(path)
    application_id = emr.create()
    emr.jobs.script("stubborn", hold=True)
    run_id = emr.start(application_id, "stubborn")
    late = emr.run(application_id, run_id, "RUNNING")
    emr.store.clear()
    emr.jobs.finish("stubborn")
    emr._wait(late, {"SUCCESS"})
    assert ServerlessJournal(path).runs() == []
    assert emr.store.active_applications() == []


def test_a_stop_cancels_job_runs_and_leaves_applications(make_emr, path):
    emr = make_emr(path)
    application_id = emr.create()
    emr.jobs.script("deaf", hold=True, ignores_cancel=True)
    run_id = emr.start(application_id, "deaf")
    emr.run(application_id, run_id, "RUNNING")
    assert emr.serverless.stop(0.2)
    run = emr.store.run(application_id, run_id)
    assert (run.state, run.details) == ("CANCELLED", "Job run was cancelled: localemr was stopped")
    assert emr.jobs.cancels[-1] == (run_id, True)
    assert emr.jobs.is_stopped
    assert emr.store.find_application(application_id).state == "STARTED"
    with pytest.raises(Exception, match="localemr is stopping"):
        emr.start(application_id)


def test_a_disk_that_takes_nothing_stops_nobody_and_loses_nothing_once_it_does(make_emr, path, caplog):
    emr = make_emr(path)
    emr.store._journal._file._database.execute("pragma busy_timeout = 0")
    blocker = sqlite3.connect(path)
    blocker.execute("begin immediate")
    first = emr.create()
    assert emr("GetApplication", applicationId=first)["application"]["state"] == "CREATED"
    assert caplog.text.count("can't be written") == 1
    blocker.rollback()
    second = emr.create()
    assert [record.id for record in ServerlessJournal(path).applications()] == [first, second]


def test_a_record_that_cannot_be_read_hides_no_other(path, caplog):
    journal = ServerlessJournal(path)
    journal._file.put([("serverless application", "00x", "", '{"id": "00x"}')])
    assert ServerlessStore(ServerlessJournal(path)).all_applications() == []
    assert "00x can't be read" in caplog.text


KILLED_SERVER = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = [sys.argv[2], sys.argv[3]]
from localemr_fixtures import _load_scripted
from airflow_provider_emrkit.localemr.call import Call
from airflow_provider_emrkit.localemr.serverless.context import Serverless
from airflow_provider_emrkit.localemr.serverless.journal import ServerlessJournal
from airflow_provider_emrkit.localemr.serverless.service import OPERATIONS
scripted = _load_scripted("scripted_jobs")
journal = ServerlessJournal(Path(sys.argv[1]))
emr = Serverless(scripted.ScriptedJobRunner(), "{}".format, journal=journal)
with emr.store.lock:
    params = {"releaseLabel": "emr-7.11.0", "type": "SPARK", "clientToken": "t"}
    call = Call("CreateApplication", params, "us-east-1")
    print(OPERATIONS["CreateApplication"](emr, call)["applicationId"], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_answered_survives_kill_9(make_emr, path):
    tests = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED_SERVER), path, tests.parent, tests],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ},
    )
    assert done.returncode == -9, done.stderr
    application_id = done.stdout.strip()
    assert restarted(make_emr, path).store.find_application(application_id).state == "CREATED"


def test_settings_survive_as_json(path, make_emr):
    emr = make_emr(path)
    settings = [{"classification": "spark-defaults", "properties": {"created": "2026", "since": "x"}}]
    application_id = emr.create(runtimeConfiguration=settings)
    again = restarted(make_emr, path)
    kept = again.store.find_application(application_id).settings
    assert json.dumps(kept, sort_keys=True) == json.dumps(
        emr.store.find_application(application_id).settings, sort_keys=True
    )
