"""What a server that is killed still knows when it is started again."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
from datetime import datetime, timedelta, timezone
from pathlib import Path

import botocore.session
import pytest

from airflow_provider_emrkit.localemr.emr import transitions
from airflow_provider_emrkit.localemr.emr.context import Call, Emr
from airflow_provider_emrkit.localemr.emr.journal import Journal
from airflow_provider_emrkit.localemr.emr.model import (
    ClusterRecord,
    Failure,
    InstancesRecord,
    ResourceRecord,
    StepRecord,
)
from airflow_provider_emrkit.localemr.emr.store import Store
from airflow_provider_emrkit.localemr.record_file import JournalError

NOW = datetime(2026, 11, 21, 9, 30, 0, 250_000, tzinfo=timezone.utc)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "state.db"


def step(name: str, state: str = "PENDING", **fields) -> StepRecord:
    return StepRecord(f"s-{name}", name, "command-runner.jar", NOW, ["true", "é\n"], state=state, **fields)


def cluster(name: str = "ONE", state: str = "RUNNING", steps=(), **fields) -> ClusterRecord:
    request = {
        "ReleaseLabel": "emr-7.11.0",
        "Configurations": [{"Properties": {"created": "2026", "$t": "x"}}],
    }
    record = ClusterRecord(
        id=f"j-{name}",
        region="eu-central-1",
        name="täglich",
        request=request,
        created=NOW,
        instances=[InstancesRecord("ig-1", "MASTER", {"InstanceCount": 1})],
        state=state,
        ready=NOW,
        tags={"a": "b"},
        **fields,
    )
    record.steps = {item.id: item for item in steps}
    return record


def resource(region: str, kind: str = "security configuration") -> ResourceRecord:
    return ResourceRecord(kind, region, "x", NOW, NOW, {"SecurityConfiguration": "{}"})


def reopened(path: Path) -> list[ClusterRecord]:
    """Read a journal as another process would: the one that wrote it has not closed it."""
    return Journal(path).clusters()


def test_what_was_saved_comes_back_as_it_was(path):
    failed = step("B", "FAILED", failure=Failure("Unknown Error.", "ValueError: no", "s3://x"), ended=NOW)
    saved = cluster(steps=[step("A", "COMPLETED", started=NOW, ended=NOW), failed, step("C")], idle_since=NOW)
    journal = Journal(path)
    journal.save(saved)
    journal.save(cluster("TWO"))
    assert reopened(path) == [saved, cluster("TWO")]


def test_clusters_and_steps_keep_their_order(path):
    journal = Journal(path)
    first, second = cluster("Z"), cluster("A", steps=[step("2"), step("1")])
    journal.save(first)
    journal.save(second)
    first.name, second.steps["s-2"].state = "changed", "RUNNING"
    second.steps["s-0"] = step("0")
    journal.save(first)
    journal.save(second)
    again = reopened(path)
    assert [found.id for found in again] == ["j-Z", "j-A"]
    assert list(again[1].steps) == ["s-2", "s-1", "s-0"]


def test_every_change_of_a_cluster_or_a_steps_state_is_written(path):
    journal, record = Journal(path), cluster(steps=[step("A")])
    journal.save(record)
    for change in (
        lambda: record.tags.update(new="tag"),
        lambda: transitions.start_step(record.steps["s-A"], NOW),
        lambda: transitions.request_cancel(record.steps["s-A"], NOW),
        lambda: transitions.lose(record, "gone", NOW),
    ):
        change()
        journal.save(record)
        assert reopened(path) == [record]


def test_nothing_is_written_when_nothing_has_changed(path):
    journal, record = Journal(path), cluster(steps=[step("A")])
    journal.save(record)
    before = Path(f"{path}-wal").stat().st_size
    journal.save(record)
    assert Path(f"{path}-wal").stat().st_size == before


def test_a_journal_that_was_read_knows_what_it_holds(path):
    Journal(path).save(cluster(steps=[step("A")]))
    journal = Journal(path)
    (record,) = journal.clusters()
    before = Path(f"{path}-wal").stat().st_size
    journal.save(record)
    assert Path(f"{path}-wal").stat().st_size == before
    record.steps["s-A"].state = "RUNNING"
    journal.save(record)
    assert reopened(path)[0].steps["s-A"].state == "RUNNING"


def test_resources_are_kept_by_kind_region_and_name(path):
    journal = Journal(path)
    one, two = (resource(region) for region in ("us-east-1", "eu-west-1"))
    three = resource("us-east-1", kind="studio")
    for record in (one, two, three):
        journal.save_resource(record)
    journal.forget_resource(one)
    assert Journal(path).resources() == [two, three]


def test_a_cluster_is_forgotten_with_its_steps(path):
    journal = Journal(path)
    journal.save(cluster("ONE", steps=[step("A")]))
    journal.save(cluster("TWO", steps=[step("B")]))
    journal.forget("j-ONE")
    assert [(found.id, list(found.steps)) for found in reopened(path)] == [("j-TWO", ["s-B"])]
    journal.clear()
    assert reopened(path) == []


def test_a_record_of_another_version_is_read_as_far_as_it_is_known(path, caplog):
    Journal(path).save(cluster(steps=[step("A")]))
    with sqlite3.connect(path) as database:
        database.execute("update records set body = json_set(body, '$.mood', 'good') where kind = 'step'")
        database.execute("insert into records (kind, id, parent, body) values ('cluster', 'j-X', '', '[1]')")
        database.execute("insert into records (kind, id, parent, body) values ('cluster', 'j-Y', '', '{}')")
    assert [(found.id, list(found.steps)) for found in reopened(path)] == [("j-ONE", ["s-A"])]
    assert "cluster j-X can't be read" in caplog.text
    assert "cluster j-Y can't be read" in caplog.text


def test_a_file_that_is_no_journal_is_put_aside(path, caplog):
    path.write_bytes(b"these are my notes, not a database" * 100)
    journal = Journal(path)
    assert journal.clusters() == []
    journal.save(cluster())
    assert len(reopened(path)) == 1
    assert path.with_name("state.db.unreadable").read_bytes().startswith(b"these are my notes")
    assert "put aside" in caplog.text


def test_a_journal_that_cannot_be_made_says_which_and_why(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match=r"file/state.db can't be written: "):
        Journal(tmp_path / "file" / "state.db")


def test_a_disk_that_takes_nothing_stops_nobody_and_loses_nothing_once_it_does(path, caplog):
    journal, record = Journal(path), cluster(steps=[step("A")])
    blocker = sqlite3.connect(path)
    blocker.execute("begin immediate")
    journal._file._database.execute("pragma busy_timeout = 0")
    for _ in range(2):
        journal.save(record)
    assert caplog.text.count("can't be written") == 1
    blocker.rollback()
    journal.save(record)
    assert reopened(path) == [record]


def test_a_closed_journal_takes_nothing(path):
    journal = Journal(path)
    journal.close()
    journal.close()
    journal.save(cluster())
    assert reopened(path) == []


def test_requests_that_start_a_cluster_hold_nothing_that_json_cannot():
    model = botocore.session.get_session().get_service_model("emr")
    shapes = [model.operation_model("RunJobFlow").input_shape]
    seen = set()
    while shapes:
        shape = shapes.pop()
        assert shape.type_name not in ("timestamp", "blob"), shape.name
        if shape.name not in seen:
            seen.add(shape.name)
            shapes += getattr(shape, "members", {}).values()
            shapes += filter(None, [getattr(shape, "member", None), getattr(shape, "value", None)])


KILLED_SERVER = """
import os, signal, sys
from datetime import datetime, timezone
from pathlib import Path
from airflow_provider_emrkit.localemr.emr.journal import Journal
from airflow_provider_emrkit.localemr.emr.model import ClusterRecord
now = datetime(2026, 1, 1, tzinfo=timezone.utc)
journal = Journal(Path(sys.argv[1]))
for number in range(100):
    journal.save(ClusterRecord(f"j-{number}", "us-east-1", "x", {}, now, []))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_killed_has_saved_all_it_saved(path):
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED_SERVER), str(path)],
        env={**os.environ, "PYTHONPATH": str(root)},
        check=False,
    )
    assert done.returncode == -9
    assert [found.id for found in reopened(path)] == [f"j-{number}" for number in range(100)]


class NoRunner:
    """Clusters are never started in these tests."""


def emr_on(path: Path, now: datetime = NOW) -> Emr:
    return Emr(NoRunner(), str, now=lambda: now, journal=Journal(path))


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        pytest.param("STARTING", "TERMINATED_WITH_ERRORS", "INTERNAL_ERROR", id="starting"),
        pytest.param("RUNNING", "TERMINATED_WITH_ERRORS", "INTERNAL_ERROR", id="running"),
        pytest.param("WAITING", "TERMINATED_WITH_ERRORS", "INTERNAL_ERROR", id="waiting"),
        pytest.param("TERMINATED", "TERMINATED", None, id="ended"),
    ],
)
def test_a_cluster_that_had_not_ended_is_lost(path, before, after, code):
    Store(Journal(path)).add_cluster(cluster(state=before, ended=NOW if before == "TERMINATED" else None))
    found = emr_on(path).store.cluster("eu-central-1", "j-ONE")
    assert (found.state, found.reason_code, found.ended) == (after, code, NOW)
    assert reopened(path)[0].state == after


def test_a_cluster_that_was_ending_ends_for_its_own_reason(path):
    record = cluster(state="RUNNING")
    transitions.begin_termination(record, "USER_REQUEST", "User request", NOW)
    Store(Journal(path)).add_cluster(record)
    found = emr_on(path).store.cluster("eu-central-1", "j-ONE")
    assert (found.state, found.reason_message) == ("TERMINATED", "User request")


def test_steps_of_a_lost_cluster_end_with_it(path):
    states = ("COMPLETED", "FAILED", "RUNNING", "CANCEL_PENDING", "PENDING")
    Store(Journal(path)).add_cluster(cluster(steps=[step(state, state) for state in states]))
    found = emr_on(path).store.cluster("eu-central-1", "j-ONE")
    assert {name: item.state for name, item in found.steps.items()} == {
        "s-COMPLETED": "COMPLETED",
        "s-FAILED": "FAILED",
        "s-RUNNING": "INTERRUPTED",
        "s-CANCEL_PENDING": "CANCELLED",
        "s-PENDING": "CANCELLED",
    }
    assert found.steps["s-RUNNING"].ended == NOW


def test_clusters_are_forgotten_two_months_after_their_end(path):
    store = Store(Journal(path))
    store.add_cluster(cluster("OLD", "TERMINATED", ended=NOW - timedelta(days=61)))
    store.add_cluster(cluster("NEW", "TERMINATED", ended=NOW - timedelta(days=59)))
    assert [found.id for found in emr_on(path).store.all_clusters()] == ["j-NEW"]
    assert [found.id for found in reopened(path)] == ["j-NEW"]


def test_a_cluster_that_ends_after_a_reset_does_not_come_back(path):
    store, late = Store(Journal(path)), cluster(state="TERMINATING")
    store.add_cluster(late)
    store.clear()
    transitions.finish_termination(late, NOW)
    store.commit(late)
    assert reopened(path) == []


def test_a_reset_empties_the_journal(path):
    emr = emr_on(path)
    emr.store.add_cluster(cluster(state="TERMINATED", ended=NOW))
    emr.store.resources.put(resource("us-east-1"))
    emr.reset()
    assert reopened(path) == []
    assert Journal(path).resources() == []


@pytest.mark.parametrize(
    ("operation", "params", "read"),
    [
        (
            "AddTags",
            {"ResourceId": "j-ONE", "Tags": [{"Key": "k", "Value": "v"}]},
            lambda c: c.tags["k"] == "v",
        ),
        ("RemoveTags", {"ResourceId": "j-ONE", "TagKeys": ["a"]}, lambda c: c.tags == {}),
        (
            "SetTerminationProtection",
            {"JobFlowIds": ["j-ONE"], "TerminationProtected": True},
            lambda c: c.termination_protected,
        ),
        (
            "SetVisibleToAllUsers",
            {"JobFlowIds": ["j-ONE"], "VisibleToAllUsers": False},
            lambda c: not c.visible_to_all_users,
        ),
        (
            "SetUnhealthyNodeReplacement",
            {"JobFlowIds": ["j-ONE"], "UnhealthyNodeReplacement": True},
            lambda c: c.unhealthy_node_replacement,
        ),
        (
            "SetKeepJobFlowAliveWhenNoSteps",
            {"JobFlowIds": ["j-ONE"], "KeepJobFlowAliveWhenNoSteps": True},
            lambda c: c.keep_alive,
        ),
        (
            "ModifyCluster",
            {"ClusterId": "j-ONE", "StepConcurrencyLevel": 7},
            lambda c: c.step_concurrency == 7,
        ),
        (
            "PutAutoTerminationPolicy",
            {"ClusterId": "j-ONE", "AutoTerminationPolicy": {"IdleTimeout": 90}},
            lambda c: c.auto_termination == 90,
        ),
        (
            "PutManagedScalingPolicy",
            {"ClusterId": "j-ONE", "ManagedScalingPolicy": {"UtilizationPerformanceIndex": 50}},
            lambda c: c.managed_scaling == {"UtilizationPerformanceIndex": 50},
        ),
        (
            "AddJobFlowSteps",
            {
                "JobFlowId": "j-ONE",
                "Steps": [{"Name": "new", "HadoopJarStep": {"Jar": "command-runner.jar"}}],
            },
            lambda c: [item.name for item in c.steps.values()] == ["new"],
        ),
    ],
)
def test_what_an_operation_changed_is_on_disk_when_it_answers(path, operation, params, read):
    from airflow_provider_emrkit.localemr.emr.service import OPERATIONS

    emr = emr_on(path)
    emr.store.add_cluster(cluster(state="WAITING"))
    OPERATIONS[operation](emr, Call(operation, params, "eu-central-1"))
    assert read(reopened(path)[0])
