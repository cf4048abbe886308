"""From a step on a local EMR through EventBridge and SQS to whoever waits for it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from airflow_provider_emrkit import cli
from airflow_provider_emrkit.events.queue import EventQueue
from airflow_provider_emrkit.runs.token import RunToken

NAME = RunToken("sales", "manual__1", "load", -1, 0, 1).marked()


@pytest.fixture
def queue(localemr_server, sqs, capsys):
    """The queue that the command makes, as Airflow would be told of it."""
    assert cli.main(["events-setup", "--create", "--endpoint-url", localemr_server.endpoint_url]) == 0
    printed = capsys.readouterr().out
    (setting,) = (line for line in printed.splitlines() if line.startswith('{"events_queue_url"'))
    return EventQueue(sqs, json.loads(setting)["events_queue_url"])


def states(changes, kind="step"):
    return [change.state for change in changes if change.kind == kind]


def test_the_states_of_a_step_arrive(localemr_server, read, heard):
    read(heard)
    localemr_server.runner.script(NAME, hold=True)
    cluster_id = localemr_server.run_cluster()
    step_id = localemr_server.add_step(cluster_id, NAME)
    heard.wait(lambda found: states(found) == ["RUNNING"])
    localemr_server.runner.finish(NAME)
    (running, completed) = heard.wait(lambda found: len(found) == 2)
    assert (running.kind, running.compute_id, running.run_id) == ("step", cluster_id, step_id)
    assert completed.state == "COMPLETED"
    step = localemr_server.client("emr").describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]
    assert abs(completed.at - step["Status"]["Timeline"]["EndDateTime"].timestamp()) < 2


def test_a_failed_step_tells_so(localemr_server, read, heard):
    read(heard)
    localemr_server.runner.script(NAME, fails="no such day")
    localemr_server.add_step(localemr_server.run_cluster(), NAME)
    heard.wait(lambda found: "FAILED" in states(found))


def test_the_end_of_a_cluster_made_for_a_run_arrives(localemr_server, read, heard):
    read(heard)
    cluster_id = localemr_server.run_cluster(Name=NAME)
    # The reader's threads may deliver two that come at once in any order.
    heard.wait(lambda found: states(found, "cluster") == ["WAITING"])
    localemr_server.client("emr").terminate_job_flows(JobFlowIds=[cluster_id])
    changes = heard.wait(lambda found: "TERMINATED" in states(found, "cluster"))
    assert {(change.compute_id, change.run_id) for change in changes} == {(cluster_id, "")}
    assert states(changes, "cluster")[0] == "WAITING"


def test_what_is_not_emrkits_does_not_arrive(localemr_server, read, heard):
    read(heard)
    cluster_id = localemr_server.run_cluster(Name="somebody's")
    localemr_server.add_step(cluster_id, "their step")
    localemr_server.add_step(cluster_id, NAME)
    changes = heard.wait(lambda found: "COMPLETED" in states(found))
    assert {change.kind for change in changes} == {"step"}
    assert len({change.run_id for change in changes}) == 1


def test_another_region_is_another_bus(localemr_server, read, heard):
    read(heard)
    elsewhere = localemr_server.run_cluster(Name=NAME, region="eu-west-1")
    localemr_server.wait_cluster(elsewhere, "WAITING")
    assert localemr_server.server.emr.store.changes.settle(20)
    here = localemr_server.run_cluster(Name=NAME)
    changes = heard.wait(lambda found: any(change.compute_id == here for change in found))
    assert {change.compute_id for change in changes} == {here}


# --- the command ----------------------------------------------------------------------------------------


@pytest.fixture
def emrkit(localemr_server):
    """Run ``emrkit events-setup`` against the local EMR."""
    return lambda *words: cli.main(["events-setup", "--endpoint-url", localemr_server.endpoint_url, *words])


def test_without_a_wish_it_prints_a_template_and_touches_nothing(capsys, sqs):
    assert cli.main(["events-setup", "--name", "mine"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["Resources"]["EventsQueue"]["Properties"]["QueueName"] == "mine"
    assert "sqs:ReceiveMessage" in printed.err
    assert sqs.list_queues().get("QueueUrls", []) == []


def test_it_prints_what_to_tell_airflow_and_what_to_allow(emrkit, capsys):
    assert emrkit("--create", "--name", "mine") == 0
    printed = capsys.readouterr().out
    assert "/123456789012/mine" in printed
    policy = json.loads(printed[printed.index('{\n  "Version"') :])
    assert policy["Statement"][0]["Resource"] == "arn:aws:sqs:us-east-1:123456789012:mine"


def test_it_removes_what_it_made(emrkit, capsys, sqs):
    emrkit("--create")
    capsys.readouterr()
    assert emrkit("--delete") == 0
    assert "removed rule emrkit-events" in capsys.readouterr().out.splitlines()
    assert sqs.list_queues().get("QueueUrls", []) == []
    assert emrkit("--delete") == 0
    assert "there is no queue and no rule emrkit-events" in capsys.readouterr().out


def test_the_region_is_the_one_asked_for(emrkit, localemr_server):
    emrkit("--create", "--region", "eu-west-1")
    assert localemr_server.client("sqs", "eu-west-1").list_queues()["QueueUrls"]
    assert localemr_server.client("events", "eu-west-1").list_rules()["Rules"]
    assert localemr_server.client("events").list_rules()["Rules"] == []


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        pytest.param(["--create", "--profile", "nobody"], 1, "profile (nobody)", id="no such profile"),
        pytest.param(["--create", "--endpoint-url", "nowhere"], 1, "nowhere", id="no address"),
        pytest.param(
            ["--create", "--endpoint-url", "http://127.0.0.1:1"], 1, "http://127.0.0.1:1/", id="nobody there"
        ),
        pytest.param(["--create", "--name", "a b"], 2, "'a b' can't name a queue", id="bad name"),
        pytest.param(["--create", "--delete"], 2, "not allowed with", id="both"),
    ],
)
def test_wrong_usage_is_one_sentence(words, code, told, capsys, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    try:
        ended = cli.main(["events-setup", *words])
    except SystemExit as exit_:
        ended = exit_.code
    assert ended == code
    assert told in capsys.readouterr().err.splitlines()[-1]


def test_no_credentials_is_one_sentence(emrkit, capsys, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert emrkit("--create") == 1
    assert "no AWS credentials were found; choose a --profile" in capsys.readouterr().err


def test_the_command_starts_without_airflow(localemr_server):
    program = (
        "import sys; from airflow_provider_emrkit.cli import main; main(sys.argv[1:]);"
        "sys.exit('airflow' in sys.modules)"
    )
    words = ["events-setup", "--create", "--endpoint-url", localemr_server.endpoint_url]
    done = subprocess.run([sys.executable, "-c", program, *words], check=False, timeout=60)
    assert done.returncode == 0
