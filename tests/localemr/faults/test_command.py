"""``emrkit local faults`` and ``up --faults``, in this process."""

from __future__ import annotations

import io
import json

import pytest

from airflow_provider_emrkit import cli
from airflow_provider_emrkit.localemr import cli as local


@pytest.fixture
def emrkit(localemr_server, monkeypatch, capsys):
    """Run the command against the tests' own server; gives exit code, output and errors."""

    class Running:
        url = localemr_server.endpoint_url

    monkeypatch.setattr(local, "_running", lambda _: Running)

    def run(*arguments, stdin=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = cli.main(["local", "faults", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_faults_are_shown_with_how_often_they_struck(emrkit, localemr_server):
    assert emrkit() == (0, "no faults\n", "")
    assert emrkit("set", "-", stdin='{"latency": {"operation": "ListClusters", "seconds": 0.01}}')[0] == 0
    localemr_server.client("emr").list_clusters()
    assert emrkit("show") == (0, 'latency operation="ListClusters" seconds=0.01; struck 1 of 1 (set)\n', "")


def test_what_is_shown_as_json_can_be_set_again(emrkit, tmp_path):
    given = {"throttle": ["ListSteps", {"operation": "ListClusters", "times": 2}], "log_delay": 30}
    emrkit("set", "-", stdin=json.dumps(given))
    shown = emrkit("show", "--json")[1]
    file = tmp_path / "faults.json"
    file.write_text(shown)
    emrkit("clear")
    assert emrkit("show", "--json")[1] == "{}\n"
    assert emrkit("set", str(file), "--json") == (0, shown, "")
    assert json.loads(shown)["log_delay"] == {"seconds": 30.0}


def test_setting_replaces_all_there_was(emrkit):
    emrkit("set", "-", stdin='{"throttle": "ListSteps"}')
    assert emrkit("set", "-", "--json", stdin='{"slow_start": 1}')[1] == '{"slow_start": {"seconds": 1.0}}\n'


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "words"),
    [
        (["set"], "", 2, "name a FILE"),
        (["clear", "file"], "", 2, "takes no FILE"),
        (["set", "/no/such/file"], "", 1, "No such file"),
        (["set", "-"], "{", 1, "one with JSON"),
        (["set", "-"], '{"throttle": "ListStep"}', 1, "'ListStep' is not allowed; give an operation of emr"),
    ],
)
def test_what_is_wrong_is_said(emrkit, arguments, stdin, code, words):
    result = emrkit(*arguments, stdin=stdin)
    assert (result[0], result[1]) == (code, "")
    assert words in result[2]


def test_without_a_local_emr_there_are_no_faults(monkeypatch, capsys):
    monkeypatch.setattr(local, "_running", lambda _: None)
    assert cli.main(["local", "faults"]) == 3
    assert "does not run" in capsys.readouterr().err


def test_faults_that_cant_be_keep_a_server_from_starting(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(local, "_start", lambda _: pytest.fail("started"))
    file = tmp_path / "faults.json"
    file.write_text('{"slow_start": {"seconds": -1}}')
    assert cli.main(["local", "up", "--data-dir", str(tmp_path), "--faults", str(file)]) == 1
    assert f"{file}.slow_start.seconds: -1 is not allowed" in capsys.readouterr().err
