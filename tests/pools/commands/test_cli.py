"""``emrkit pool``: what people and programs see, and what is asked before work is ended."""

from __future__ import annotations

import json
import logging
import re
import shlex
import subprocess
import sys
import time

import pytest
from botocore.exceptions import ClientError

from airflow_provider_emrkit import cli
from airflow_provider_emrkit.pools.commands import changing
from airflow_provider_emrkit.pools.commands import cli as pool_cli
from airflow_provider_emrkit.pools.commands.listing import PoolListing
from airflow_provider_emrkit.pools.commands.views import shown_name


@pytest.fixture
def emrkit(localemr_server, monkeypatch):
    """Run ``emrkit pool`` against the local EMR."""
    monkeypatch.setattr(changing, "LOOK_AGAIN", 0.05)
    return lambda *words: cli.main(["pool", *words, "--endpoint-url", localemr_server.endpoint_url])


@pytest.fixture(autouse=True)
def as_loud_as_before():
    """Keep logs out of what is printed, and loggers as they were: the commands silence some."""
    loggers = [logging.getLogger(name) for name in ("botocore", "airflow_provider_emrkit")]
    levels = [logger.level for logger in loggers]
    logging.disable(logging.INFO)  # Airflow 2 prints them
    yield
    logging.disable(logging.NOTSET)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def place(pools_on_server):
    return pools_on_server.place(team="sales")


def rows(text):
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines() if line.strip()]


# --- list -------------------------------------------------------------------------------------------------


def test_the_table_has_a_line_for_each_pool(emrkit, pools_on_server, place, capsys):
    busy = pools_on_server.start(place)
    pools_on_server.start(place, spec="ba9876543210")
    pools_on_server.start(pools_on_server.place("large"), at_once=4)
    pools_on_server.work(busy, "load")
    now = time.time()
    pools_on_server.write(place, waiting={"worker-1": {"seen": now, "since": [now - 90, now - 30]}})
    assert emrkit("list") == 0
    head, large, medium = capsys.readouterr().out.splitlines()
    assert head.split() == ["pool", "team", "clusters", "running", "pending", "waiting", "oldest", "spec"]
    assert large.startswith("large ")
    assert re.search(r" 1 WAITING +0 of 4 +0 +0 +\d+ s +emr-7\.11\.0 0123456789ab$", large.rstrip())
    assert re.search(r"^medium +sales +(1 RUNNING, 1 WAITING|1 WAITING, 1 RUNNING) +1 of 4 +0 +2 ", medium)
    assert medium.rstrip().endswith("emr-7.11.0 0123456789ab, emr-7.11.0 ba9876543210")


def test_where_no_cluster_is_in_a_pool_that_is_said(emrkit, localemr_server, capsys):
    localemr_server.run_cluster(Name="mine")
    assert emrkit("list") == 0
    assert capsys.readouterr().out == "no cluster of this account and region is in a pool\n"


def test_programs_get_json(emrkit, pools_on_server, place, capsys):
    cluster = pools_on_server.start(place)
    step = pools_on_server.work(cluster, "load")
    assert emrkit("list", "--json") == 0
    (pool,) = json.loads(capsys.readouterr().out)
    assert (pool["name"], pool["team"], pool["lease_uri"]) == ("medium", "sales", place.uri)
    (listed,) = pool["clusters"]
    assert (listed["id"], listed["capacity"]) == (cluster, {"primary": 1, "core": 2, "task": 8})
    assert [(one["id"], one["name"], one["state"]) for one in listed["steps"]] == [(step, "load", "RUNNING")]
    assert pool["record"]["waiting_since"] == []


def test_pools_of_one_name_and_team_are_told_apart_by_their_leases(emrkit, pools_on_server, capsys):
    for base in ("s3://pools-test/one", "s3://pools-test/two"):
        pools_on_server.start(pools_on_server.place(base=base))
    assert emrkit("list") == 0
    out = capsys.readouterr().out
    assert "s3://pools-test/one/pools/medium.json" in out
    assert "s3://pools-test/two/pools/medium.json" in out


def test_a_record_that_can_not_be_read_leaves_the_rest(emrkit, pools_on_server, capsys):
    pools_on_server.start(pools_on_server.place(base="s3://no-such-bucket-here/emrkit"))
    assert emrkit("list") == 0
    told = capsys.readouterr()
    assert re.search(r"^medium .* 0 of 2 +0 +\? ", told.out, re.MULTILINE)
    assert "who waits for pool medium is not known: GetObject was refused" in told.err


def test_a_pools_file_adds_bounds_and_the_pools_without_clusters(
    emrkit, pools_on_server, place, tmp_path, capsys
):
    pools_on_server.start(place)
    file = tmp_path / "pools.yaml"
    file.write_text(
        "pools:\n"
        "  medium: {team: sales, max_clusters: 3, steps_per_cluster: 2, spec: {release_label: emr-7.11.0}}\n"
        "  idle: {max_clusters: 5, min_clusters: 1, spec: {release_label: emr-7.11.0}}\n"
    )
    assert emrkit("list", "--pools-file", str(file)) == 0
    told = capsys.readouterr()
    assert re.search(r"^medium +sales +1 WAITING +0 to 3, 2 steps ", told.out, re.MULTILINE)
    assert re.search(r"^idle +none +1 to 5, 1 steps ", told.out, re.MULTILINE)
    assert emrkit("list", "--pools-file", str(file), "--json") == 0
    found = {pool["name"]: pool for pool in json.loads(capsys.readouterr().out)}
    assert found["medium"]["bounds"]["max_clusters"] == 3
    assert found["idle"]["clusters"] == []


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        pytest.param(
            "pools: {medium: {max_clusters: 3}}", 2, "line 1: pools.medium: 'spec' is missing", id="wrong"
        ),
        pytest.param(None, 1, "can't be read", id="missing"),
    ],
)
def test_a_pools_file_that_is_wrong_is_one_sentence(emrkit, tmp_path, content, code, told, capsys):
    file = tmp_path / "pools.yaml"
    if content is not None:
        file.write_text(content)
    assert emrkit("list", "--pools-file", str(file)) == code
    assert told in capsys.readouterr().err


# --- show -------------------------------------------------------------------------------------------------


def test_a_pool_is_shown_with_its_clusters_steps_and_who_waits(emrkit, pools_on_server, place, capsys):
    busy, drained = pools_on_server.start(place), pools_on_server.start(place)
    step = pools_on_server.work(busy, "sales.load emrkit:c66c9179a54ad449-0-1")
    now = time.time()
    pools_on_server.write(
        place,
        holder="worker-1:7:ab",
        seconds=30,
        draining=[drained],
        waiting={"worker-1": {"seen": now, "since": [now - 725]}},
    )
    assert emrkit("show", "medium") == 0
    out = capsys.readouterr().out
    assert ["waiting", "1 jobs, the oldest for 12 min"] in rows(out)
    assert re.search(r"^held by +worker-1:7:ab, written \d s ago *$", out, re.MULTILINE)
    assert re.search(rf"^{drained} +WAITING \(draining\) ", out, re.MULTILINE)
    assert re.search(rf"^{busy} +RUNNING +\d+ s +1 of 2 +0 +1-2-8 ", out, re.MULTILINE)
    assert re.search(rf"^{step} +{busy} +RUNNING +\d+ s +sales\.load *$", out, re.MULTILINE)


def test_nothing_that_a_name_holds_reaches_the_terminal(emrkit, pools_on_server, place, capsys):
    cluster = pools_on_server.start(place)
    # EMR itself takes no control characters, but for these.
    pools_on_server.work(cluster, "[bold red]x[/]\r\nforged  j-1\u202egnirts")
    assert emrkit("show", "medium") == 0
    out = capsys.readouterr().out
    assert "[bold red]x[/] forged j-1\\u202egnirts" in out
    assert "\u202e" not in out


def test_terminal_commands_in_a_name_are_taken_out():
    assert shown_name("a\x1b[2Jb\x9b31m\x07 emrkit:c66c9179a54ad449-0-1") == "ab\\x9b31m\\x07"


def test_a_row_stays_one_line_where_nobody_looks(emrkit, pools_on_server, place, capsys):
    step = pools_on_server.work(pools_on_server.start(place), "long " * 40)
    assert emrkit("show", "medium") == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith(step))
    assert line.count("long") == 40


def test_a_narrow_terminal_loses_no_id(pools_on_server, place, localemr_server):
    from rich.console import Console

    from airflow_provider_emrkit.pools.commands.views import clusters_table, pools_table

    cluster = pools_on_server.start(place)
    (pool,) = PoolListing(localemr_server.client("emr"), localemr_server.client("s3")).pools()
    console = Console(width=80)
    with console.capture() as captured:
        console.print(pools_table([pool]), clusters_table(pool))
    assert max(map(len, captured.get().splitlines())) <= 80
    assert cluster in captured.get()
    assert "0123456789ab" in captured.get()


def test_an_unknown_name_has_an_exit_code_of_its_own(emrkit, capsys):
    assert emrkit("show", "medum") == 3
    assert "is in a pool medum; see emrkit pool list" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["show", "drain", "delete"])
def test_a_name_that_several_have_is_refused_with_the_choice(emrkit, pools_on_server, place, command, capsys):
    clusters = [pools_on_server.start(one) for one in (place, pools_on_server.place())]
    assert emrkit(command, "medium") == 2
    assert f"--team sales --lease-uri {place.uri}" in capsys.readouterr().err
    for cluster in clusters:
        pools_on_server.server.wait_cluster(cluster, "WAITING")


# --- drain and delete -------------------------------------------------------------------------------------


def test_draining_ends_what_is_idle_and_leaves_what_works(emrkit, pools_on_server, place, capsys):
    busy, idle = pools_on_server.start(place), pools_on_server.start(place)
    pools_on_server.work(busy, "load")
    assert emrkit("drain", "medium") == 0
    out = capsys.readouterr().out
    assert f"ending  {idle}\n" in out
    assert f"draining  {busy}: no more work" in out
    pools_on_server.server.wait_cluster(idle, "TERMINATED")
    listing = PoolListing(pools_on_server.server.client("emr"), pools_on_server.s3)
    left = {one.cluster.id: one for one in listing.pools()[0].clusters}[busy]
    assert (left.is_draining, len(left.cluster.steps)) == (True, 1)


def test_one_cluster_alone_is_drained(emrkit, pools_on_server, place):
    one, other = pools_on_server.start(place), pools_on_server.start(place)
    assert emrkit("drain", "medium", "--cluster", one) == 0
    pools_on_server.server.wait_cluster(one, "TERMINATED")
    pools_on_server.server.wait_cluster(other, "WAITING")


def test_a_cluster_of_another_pool_is_not_drained(emrkit, pools_on_server, place, capsys):
    mine, other = pools_on_server.start(place), pools_on_server.start(pools_on_server.place("large"))
    assert emrkit("drain", "medium", "--cluster", other) == 2
    assert f"{other} is not in pool medium; it has {mine}" in capsys.readouterr().err
    pools_on_server.server.wait_cluster(other, "WAITING")


def test_deleting_waits_for_work_and_ends_with_nothing_left(
    emrkit, pools_on_server, place, localemr_server, monkeypatch
):
    busy, idle = pools_on_server.start(place), pools_on_server.start(place)
    pools_on_server.work(busy, "load")
    said = []

    def say(line):
        said.append(line)
        if line == f"Pool medium: still to end: {busy} (1 step)":
            localemr_server.runner.finish("load")

    monkeypatch.setattr(pool_cli, "_say", say)
    assert emrkit("delete", "medium") == 0
    assert said[:2] == [f"ending  {idle}", f"draining  {busy}: no more work, ends when it has done its own"]
    assert f"Pool medium: still to end: {busy} (1 step)" in said
    assert said[-1] == "pool medium is gone"
    for cluster in (busy, idle):
        localemr_server.wait_cluster(cluster, "TERMINATED")
    assert pools_on_server.s3.list_objects_v2(Bucket="pools-test")["KeyCount"] == 0


def test_without_a_terminal_running_work_is_ended_only_when_told_so(emrkit, pools_on_server, place, capsys):
    busy = pools_on_server.start(place)
    pools_on_server.work(busy, "load")
    assert emrkit("delete", "medium", "--force") == 2
    assert "1 steps of pool medium wait or run; to end them give --yes" in capsys.readouterr().err
    pools_on_server.server.wait_cluster(busy, "RUNNING")
    assert emrkit("delete", "medium", "--force", "--yes") == 0
    pools_on_server.server.wait_cluster(busy, "TERMINATED")


@pytest.mark.parametrize(("answer", "state"), [("n", "RUNNING"), ("", "RUNNING"), ("y", "TERMINATED")])
def test_at_a_terminal_the_user_is_asked(emrkit, pools_on_server, place, monkeypatch, answer, state):
    busy, asked = pools_on_server.start(place), []
    pools_on_server.work(busy, "load")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or answer)
    assert emrkit("delete", "medium", "--force") == 0
    assert asked == ["End 1 clusters of pool medium with 1 steps that wait or run? [y/N] "]
    pools_on_server.server.wait_cluster(busy, state)


def test_nobody_is_asked_where_nothing_runs(emrkit, pools_on_server, place):
    idle = pools_on_server.start(place)
    assert emrkit("delete", "medium", "--force") == 0
    pools_on_server.server.wait_cluster(idle, "TERMINATED")


def test_it_returns_at_once_when_it_is_not_to_wait(emrkit, pools_on_server, place, capsys):
    busy = pools_on_server.start(place)
    pools_on_server.work(busy, "load")
    assert emrkit("delete", "medium", "--no-wait") == 0
    assert capsys.readouterr().out.startswith(f"draining  {busy}")
    pools_on_server.server.wait_cluster(busy, "RUNNING")


def test_a_protected_cluster_is_named_rather_than_waited_for(emrkit, pools_on_server, place, capsys):
    cluster = pools_on_server.start(place)
    emr = pools_on_server.server.client("emr")
    emr.set_termination_protection(JobFlowIds=[cluster], TerminationProtected=True)
    assert emrkit("delete", "medium") == 1
    assert f"protected clusters of pool medium against termination: {cluster}" in capsys.readouterr().err
    pools_on_server.server.wait_cluster(cluster, "WAITING")


def test_a_pool_of_an_unknown_place_is_not_changed(emrkit, pools_on_server, place, capsys):
    cluster = pools_on_server.start(place, tags={})
    assert emrkit("drain", "medium") == 2
    assert "do not tell where its lease is kept; say so with --lease-uri" in capsys.readouterr().err
    assert emrkit("drain", "medium", "--team", "sales", "--lease-uri", "s3://pools-test/emrkit") == 0
    pools_on_server.server.wait_cluster(cluster, "TERMINATED")


# --- the command ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", "list", "show", "drain", "delete"])
def test_help_shows_examples(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["pool", *command.split(), "--help"])
    assert f"emrkit pool {command}".strip() in capsys.readouterr().out.partition("examples:")[2]


def test_every_example_is_one_that_can_be_run():
    texts = [value for name, value in vars(pool_cli).items() if name.endswith("_EXAMPLES")]
    found = [
        re.search(r"emrkit (pool [^|]*?)(?:  |\||$)", line) for text in texts for line in text.splitlines()
    ]
    commands = [match[1] for match in found if match]
    assert len(commands) > 10
    for command in commands:
        cli._parser().parse_args(shlex.split(command))


def test_nobody_at_the_address_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert cli.main(["pool", "list", "--endpoint-url", "http://127.0.0.1:1"]) == 1
    assert "AWS could not be asked" in capsys.readouterr().err


def test_calls_that_are_throttled_are_made_again_and_that_is_said_once(
    pools_on_server, place, localemr_server, monkeypatch, capsys
):
    for _ in range(2):
        pools_on_server.start(place)
    emr, refused = localemr_server.client("emr"), {"ListSteps": 3, "ListClusters": 1, "DescribeCluster": 1}

    def throttle(model, **_):
        if refused.get(model.name):
            refused[model.name] -= 1
            raise ClientError(
                {"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, model.name
            )

    emr.meta.events.register("before-call", throttle)
    clients = {"emr": emr, "s3": pools_on_server.s3}
    monkeypatch.setattr(pool_cli, "open_client", lambda session, service, given: clients[service])
    monkeypatch.setattr(pool_cli, "_sleep", lambda seconds: False)
    assert cli.main(["pool", "list"]) == 0
    told = capsys.readouterr()
    assert "2 WAITING" in told.out
    assert told.err.count("AWS limits the rate of such calls") == 1
    assert not any(refused.values())


@pytest.mark.parametrize("words", [["list"], ["show", "medium"]])
def test_seeing_needs_no_airflow(localemr_server, pools_on_server, place, words):
    pools_on_server.start(place)
    program = (
        "import sys; from airflow_provider_emrkit.cli import main; code = main(sys.argv[1:]);"
        "sys.exit(code or 'airflow' in sys.modules)"
    )
    words = ["pool", *words, "--endpoint-url", localemr_server.endpoint_url]
    done = subprocess.run([sys.executable, "-c", program, *words], check=False, timeout=60)
    assert done.returncode == 0


def test_changing_prints_its_answer_and_no_log(localemr_server, pools_on_server, place):
    cluster = pools_on_server.start(place)
    words = ["pool", "drain", "medium", "--endpoint-url", localemr_server.endpoint_url]
    command = [sys.executable, "-m", "airflow_provider_emrkit.cli", *words]
    done = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"ending  {cluster}\n")


def test_changing_without_airflow_says_what_is_missing(emrkit, pools_on_server, place, monkeypatch, capsys):
    pools_on_server.start(place)
    for name in [name for name in sys.modules if name.startswith("airflow_provider_emrkit.hooks.clients")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "airflow_provider_emrkit._compat", raising=False)
    monkeypatch.setitem(sys.modules, "airflow", None)
    assert emrkit("drain", "medium") == 1
    assert "changing a pool needs apache-airflow beside emrkit" in capsys.readouterr().err


def test_a_name_that_only_looks_marked_is_shown_whole():
    assert shown_name("sales.load emrkit:c66c9179a54ad449-0-1-2") == "sales.load"
    assert shown_name("what emrkit: is") == "what emrkit: is"
