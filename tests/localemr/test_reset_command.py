"""``emrkit local reset``: a running instance, a stopped one, and who is asked."""

from __future__ import annotations

import os

import pytest

from airflow_provider_emrkit import cli
from airflow_provider_emrkit.localemr.instance import InstanceError, Status, locked
from airflow_provider_emrkit.localemr.persistence.files import size_text, state_bytes
from airflow_provider_emrkit.localemr.reset_command import reset


@pytest.fixture
def data_dir(tmp_path):
    """Make the directory of an instance that does not run, beside files that are not its state."""
    for name in (
        "state.db",
        "state.db-wal",
        "s3/s3.db",
        "s3/contents/ab/ab1",
        "services/sqs.db",
        "s3.unreadable/x",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 10_000)
    for name in ("localemr.log", "notes.txt", "s3-notes.txt"):
        (tmp_path / name).write_text("mine")
    return tmp_path


@pytest.fixture
def said():
    return []


def status_of(server):
    return Status(os.getpid(), "", "127.0.0.1", 0, server.endpoint_url, "/data", "", "")


def left(data_dir):
    return sorted(path.name for path in data_dir.iterdir())


def test_a_running_instance_is_emptied_and_says_of_what(localemr_server, said, tmp_path):
    s3 = localemr_server.client("s3")
    s3.create_bucket(Bucket="data")
    cluster = localemr_server.run_cluster()
    localemr_server.add_step(cluster, "a")
    assert reset(status_of(localemr_server), tmp_path, yes=True, say=said.append)
    assert s3.list_buckets()["Buckets"] == []
    assert localemr_server.client("emr").list_clusters()["Clusters"] == []
    assert "1 clusters, 1 steps" in said[0]


def test_an_instance_that_does_not_answer_is_an_error(said, tmp_path):
    status = Status(os.getpid(), "", "127.0.0.1", 1, "http://127.0.0.1:1", "/data", "", "")
    with pytest.raises(InstanceError, match="could not be emptied"):
        reset(status, tmp_path, yes=True, say=said.append)


def test_a_stopped_instance_loses_its_state_and_nothing_else(data_dir, said):
    assert reset(None, data_dir, yes=True, say=said.append)
    assert left(data_dir) == ["localemr.log", "notes.txt", "s3-notes.txt"]
    assert "state.db" in said[0]
    assert reset(None, data_dir, yes=True, say=said.append)
    assert "nothing to remove" in said[1]


def test_a_directory_that_is_not_there_is_not_made(tmp_path, said):
    assert reset(None, tmp_path / "none", yes=True, say=said.append)
    assert not (tmp_path / "none").exists()


def test_a_link_is_removed_and_not_followed(tmp_path, said):
    kept = tmp_path / "kept"
    (kept / "inside").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "s3").symlink_to(kept)
    assert reset(None, tmp_path / "data", yes=True, say=said.append)
    assert left(kept) == ["inside"]


def test_an_instance_that_is_coming_up_is_left_alone(data_dir, said):
    with locked(data_dir), pytest.raises(InstanceError, match="is used by"):
        reset(None, data_dir, yes=True, say=said.append)
    assert "state.db" in left(data_dir)


@pytest.mark.parametrize(("answer", "removed"), [("y", True), ("yes", True), ("", False), ("no", False)])
def test_who_is_at_a_terminal_is_asked(data_dir, said, monkeypatch, answer, removed):
    questions = []
    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr("builtins.input", lambda question: questions.append(question) or answer)
    assert reset(None, data_dir, yes=False, say=said.append) is removed
    assert str(data_dir) in questions[0]
    assert ("state.db" not in left(data_dir)) is removed


def test_a_script_is_not_asked(data_dir, said, monkeypatch):
    monkeypatch.setattr("sys.stdin", type("Pipe", (), {"isatty": lambda self: False})())
    assert reset(None, data_dir, yes=False, say=said.append)


def test_the_command(data_dir, capsys):
    assert cli.main(["local", "reset", "--yes", "--data-dir", str(data_dir)]) == 0
    assert str(data_dir) in capsys.readouterr().out
    assert "s3" not in left(data_dir)


def test_the_size_of_the_state_is_that_of_its_files(data_dir):
    assert 6 * 10_000 <= state_bytes(data_dir) <= 6 * 12_288 + 5 * 4096


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 KB"), (2_340_000_000, "2.3 GB")]
)
def test_sizes_are_said_for_people(size, text):
    assert size_text(size) == text
