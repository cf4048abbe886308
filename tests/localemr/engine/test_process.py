"""A container does what a process of this machine does, and never outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading

import pytest
from waiting import wait_until

from airflow_provider_emrkit.localemr.engine import process as module
from airflow_provider_emrkit.localemr.engine import sweeping
from airflow_provider_emrkit.localemr.engine.arguments import labels
from airflow_provider_emrkit.localemr.engine.choice import find_engine
from airflow_provider_emrkit.localemr.engine.sweeping import ContainerRecord, sweep_containers
from airflow_provider_emrkit.localemr.run.process import MARK
from airflow_provider_emrkit.localemr.spark.image import LaunchFailure, Mount

SLEEP = ("sh", "-c", "echo ready; exec sleep 600")
STUBBORN = ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")


def outputs(process) -> tuple[str, str]:
    return tuple(pipe.read().decode() for pipe in process.pipes)


def await_ready(process) -> None:
    assert process.pipes[0].readline() == b"ready\n"


def records(settings) -> list[str]:
    return sorted(path.name for path in settings.records.glob("*"))


def test_a_command_runs_with_its_environment_and_ends_with_its_code(start, fake_engine, settings):
    process = start("sh", "-c", 'echo "$GREETING"; echo problem >&2; exit 3')
    assert process.wait() == 3
    assert outputs(process) == ("it's\nme\n", "problem\n")
    assert process.launch_failure is None
    assert fake_engine.containers() == records(settings) == []


def test_nothing_of_a_job_but_its_paths_is_among_the_engines_arguments(start, fake_engine):
    start("sh", "-c", "true", "--privileged", "$(touch /tmp/x)", owner="s-1 --privileged\n").wait()
    words = [word for call in fake_engine.calls() for word in call]
    assert not [word for word in words if "privileged\n" in word or "touch" in word or "GREETING" in word]
    (create,) = fake_engine.calls("create")
    assert "--privileged" not in create
    assert {"--cap-drop=ALL", "--security-opt=no-new-privileges", "--init", "--rm"} <= set(create)


def test_two_containers_of_one_step_have_different_names(start, fake_engine):
    for _ in range(2):
        start("true").wait()
    names = [word for call in fake_engine.calls("create") for word in call if word.startswith("--name=")]
    assert len(set(names)) == 2


def test_what_is_worth_knowing_comes_first_in_its_stderr(start, fake_engine):
    fake_engine.tell("java", "bash: java: command not found")
    process = start("sh", "-c", "echo problem >&2", notes=("localemr: the driver, too",))
    process.wait()
    first, java, last = outputs(process)[1].splitlines()
    assert (first, last) == ("localemr: the driver, too", "problem")
    assert "has no Java" in java
    assert "give the image Java 17" in java


def test_an_image_is_looked_at_for_java_once(start, fake_engine):
    for _ in range(3):
        start("true").wait()
    assert len(fake_engine.calls("run")) == 1


def test_a_wrong_java_is_told(start, fake_engine):
    fake_engine.tell("java", 'java version "1.8.0_402"')
    process = start("true")
    process.wait()
    assert "has Java 8" in outputs(process)[1]


def test_an_image_of_ecr_is_also_found_without_its_registry(start, fake_engine):
    process = start("echo", "inside", image="123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1")
    assert process.wait() == 0
    assert fake_engine.calls("pull") == []
    assert "sha256:etl:1" in fake_engine.calls("create")[0]


def test_an_image_that_cannot_be_had_fails_in_the_engines_words(start, fake_engine, settings):
    process = start("true", image="local/other:1")
    assert process.wait() == 7
    said = "Error response from daemon: manifest for local/other:1 not found: manifest unknown"
    assert process.launch_failure == LaunchFailure(7, (said,))
    assert fake_engine.containers() == records(settings) == []


def test_a_refused_image_never_reaches_the_engine(start, fake_engine):
    refusal = LaunchFailure(29, ("image: local/etl:1 is not trusted.",))
    process = start("true", refusal=refusal)
    assert process.wait() == 29
    assert process.launch_failure is refusal
    assert fake_engine.calls() == []


@pytest.mark.parametrize("command", ["create", "start"])
def test_what_the_engine_says_of_a_container_is_no_output_of_the_job(start, fake_engine, settings, command):
    fake_engine.tell(f"fail-at-{command}", "Error response from daemon: exec format error")
    process = start("true")
    assert process.wait() != 0
    assert process.launch_failure.shell_error == ("Error response from daemon: exec format error",)
    assert outputs(process) == ("", "")
    assert fake_engine.containers() == records(settings) == []


def test_a_mount_that_is_not_there_is_refused(start, fake_engine):
    process = start("true", mounts=(Mount("/no/such/folder", "/models"),))
    assert process.wait() == 29
    assert "Invalid docker mount '/no/such/folder:/models:ro'" in process.launch_failure.shell_error
    assert fake_engine.calls() == []


def test_the_list_of_users_is_one_that_knows_the_user(start, fake_engine, settings):
    start("true", mounts=(Mount("/etc/passwd", "/etc/passwd"),)).wait()
    assert f"type=bind,source={settings.users},target=/etc/passwd,readonly" in fake_engine.calls("create")[0]


def test_without_an_engine_it_says_what_to_install(start, fake_engine, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    process = start("true")
    assert process.wait() != 0
    assert process.launch_failure.is_local
    assert "docker or podman is not installed here" in process.launch_failure.summary


def test_an_engine_that_refuses_says_how_to_start_it(start, fake_engine):
    fake_engine.tell("fail-at-info", "Cannot connect to the Docker daemon")
    process = start("true")
    process.wait()
    assert "Cannot connect to the Docker daemon" in process.launch_failure.summary
    assert "DOCKER_HOST" in process.launch_failure.summary


def test_an_engine_that_does_not_answer_is_not_waited_for(start, fake_engine, monkeypatch):
    monkeypatch.setattr(module.EngineClient.call, "__kwdefaults__", {"seconds": 0.3, "must_end": False})
    fake_engine.tell("silent")
    process = start("true")
    assert process.wait_for(10) not in (0, None)
    assert "has not answered" in process.launch_failure.summary


@pytest.mark.parametrize(("force", "code"), [(False, 143), (True, 137)])
def test_cancel_ends_the_command_and_its_container(start, fake_engine, settings, force, code):
    process = start(*SLEEP)
    await_ready(process)
    assert len(fake_engine.containers()) == len(records(settings)) == 1
    assert not process.has_ended
    process.cancel(force=force)
    process.cancel(force=force)
    assert process.wait_for(10) == code
    assert process.has_ended
    assert process.launch_failure is None
    assert fake_engine.containers() == records(settings) == []


def test_sigkill_follows_for_one_that_ignores_sigterm(start, fake_engine):
    process = start(*STUBBORN)
    await_ready(process)
    process.cancel(grace=0.2)
    assert process.wait_for(10) == 137
    assert fake_engine.containers() == []


def test_sigterm_alone_leaves_one_that_ignores_it(start, fake_engine):
    process = start(*STUBBORN)
    await_ready(process)
    process.cancel()
    wait_until(lambda: fake_engine.calls("kill"), "SIGTERM was sent")
    assert process.wait_for(0.5) is None
    process.cancel(force=True)
    assert process.wait_for(10) == 137


@pytest.mark.parametrize("command", ["info", "image", "run", "create", "start"])
@pytest.mark.parametrize("force", [False, True])
def test_cancel_at_any_moment_leaves_no_container(start, fake_engine, settings, monkeypatch, command, force):
    if command == "create":
        # Enough for the engine's program to get that far.
        monkeypatch.setattr(module, "_CREATE_WITHIN", 5.0)
    fake_engine.tell(f"stop-at-{command}")
    process = start(*SLEEP)
    fake_engine.await_file("stays")
    process.cancel(force=force)
    assert process.wait_for(30) not in (0, None)
    assert fake_engine.containers() == records(settings) == []


def test_a_container_that_is_being_made_when_it_is_cancelled_is_removed(start, fake_engine, settings):
    fake_engine.tell("slow-create")
    process = start(*SLEEP)
    fake_engine.await_file("creating")
    process.cancel(force=True)
    ended_before = process.wait_for(1)
    fake_engine.forget("slow-create")
    fake_engine.await_file("created")
    assert process.wait_for(10) == -signal.SIGKILL
    assert ended_before is None
    assert fake_engine.calls("start") == []
    assert fake_engine.containers() == records(settings) == []


def test_a_container_whose_watcher_is_killed_is_removed(start, fake_engine):
    process = start(*SLEEP)
    await_ready(process)
    os.kill(process._watcher.pid, signal.SIGKILL)
    assert process.wait_for(10) == -signal.SIGKILL
    assert fake_engine.containers() == []


def test_a_frozen_engine_holds_nobody_and_its_container_is_removed_later(
    start, fake_engine, settings, monkeypatch
):
    for where in (module, sweeping):
        monkeypatch.setattr(where, "_ANSWER_WITHIN", 0.3)
    monkeypatch.setattr(module, "_TRY_AGAIN", 0.1)
    process = start(*SLEEP)
    await_ready(process)
    fake_engine.tell("silent")
    process.cancel(force=True)
    assert process.wait_for(15) not in (0, None)
    assert len(fake_engine.containers()) == len(records(settings)) == 1
    for where in (module, sweeping):
        monkeypatch.setattr(where, "_ANSWER_WITHIN", 10.0)
    fake_engine.forget("silent")
    wait_until(lambda: not records(settings), "the record is gone")
    assert fake_engine.containers() == []


def test_another_process_ends_what_a_killed_one_has_left(start, fake_engine, settings):
    process = start(*SLEEP)
    await_ready(process)
    (job,) = fake_engine.boxes()
    sweep_containers(settings.records)
    assert process.wait_for(10) == 137
    assert fake_engine.containers() == records(settings) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(job["pid"], 0)


def test_a_sweep_lets_a_container_be_made_before_it_removes_it(fake_engine, settings, monkeypatch):
    monkeypatch.setattr(sweeping, "_CALL_ENDS_WITHIN", 60.0)
    record = ContainerRecord("one", "me", "its mark", find_engine(None, os.environ))
    record.save(settings.records)
    fake_engine.tell("slow-create")
    words = ["create", "--name=one", "--workdir=/", *labels("me", "one"), "sha256:0", "true"]
    # What a process that was killed has left: its call of the engine goes on.
    call = subprocess.Popen([fake_engine.program, *words], env={**os.environ, MARK: record.mark})
    fake_engine.await_file("creating")
    sweep = threading.Thread(target=sweep_containers, args=(settings.records,))
    sweep.start()
    sweep.join(1)
    assert sweep.is_alive()
    fake_engine.forget("slow-create")
    assert call.wait(10) == 0
    sweep.join(15)
    assert fake_engine.containers() == records(settings) == []


def test_a_record_that_was_cut_off_is_of_no_container(settings):
    settings.records.mkdir()
    (settings.records / "cut.json").write_text('{"name": "x"')
    sweep_containers(settings.records)
    assert records(settings) == []


def test_containers_of_other_data_directories_are_left_alone(start, fake_engine, settings):
    process = start(*SLEEP)
    await_ready(process)
    (path,) = settings.records.glob("*")
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "instance": "other", "mark": "no process has this"}))
    sweep_containers(settings.records)
    assert len(fake_engine.containers()) == 1
