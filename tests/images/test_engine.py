"""The container engine: how it is found, what is asked of it, and that nothing of it is left."""

from __future__ import annotations

import os
import subprocess
import threading
import uuid

import pytest
from waiting import wait_until

from airflow_provider_emrkit.images import processes
from airflow_provider_emrkit.images.engine import LABEL, Build, ContainerEngine, EngineError
from airflow_provider_emrkit.images.processes import MAX_OUTPUT, run_captured


def refused(*arguments, **options):
    with pytest.raises(EngineError) as caught:
        ContainerEngine.find(*arguments, **options)
    return str(caught.value)


# --- finding it -------------------------------------------------------------------------------------------


def test_the_engine_that_is_there_is_taken(recording):
    found = ContainerEngine.find()
    assert (found.name, found.version, found.architecture) == ("docker", "28.0.0", "amd64")


def test_a_program_called_docker_that_is_podmans_is_told_apart(recording):
    recording.tell(podman=True)
    found = ContainerEngine.find("docker")
    assert (found.name, found.architecture) == ("podman", "arm64")


def test_no_engine_is_a_sentence_that_says_what_to_install(tmp_path):
    assert refused(environ={"PATH": str(tmp_path)}).startswith(
        "neither docker nor podman is on the PATH; install one of them"
    )


def test_the_one_that_was_chosen_is_not_replaced_by_another(recording):
    assert refused("podman") == "there is no podman on the PATH; install it, or choose --engine docker"


def test_the_environment_chooses_where_nobody_else_does(recording, monkeypatch):
    monkeypatch.setenv("EMRKIT_ENGINE", "podman")
    assert refused() == "there is no podman on the PATH; install it, or choose --engine docker"
    assert ContainerEngine.find("docker").name == "docker"
    monkeypatch.setenv("EMRKIT_ENGINE", "/bin/sh")
    assert refused() == "EMRKIT_ENGINE: '/bin/sh' is no engine known here; choose docker or podman"


def test_an_engine_that_does_not_run_says_how_to_start_it(recording):
    recording.tell(stopped="Cannot connect to the Docker daemon at unix:///var/run/docker.sock.")
    told = refused()
    assert "its engine does not answer: Cannot connect to the Docker daemon" in told
    assert "sudo systemctl start docker" in told


def test_a_user_who_may_not_use_it_is_told_how_to_be_let(recording):
    recording.tell(stopped="permission denied while trying to connect to the Docker daemon socket")
    assert "sudo usermod -aG docker $USER" in refused()


def test_a_real_engine_answers(engine):
    assert engine.version
    assert engine.architecture in ("amd64", "arm64")


def test_a_real_program_without_its_engine_is_a_sentence(engine):
    told = refused(environ={**os.environ, "DOCKER_HOST": "unix:///nothing/here"})
    assert "its engine does not answer" in told
    assert "unix:///nothing/here" in told


# --- asking it --------------------------------------------------------------------------------------------


def test_an_image_that_is_not_there_is_none(recording):
    assert ContainerEngine.find().inspect("etl:1") is None


def test_an_engine_that_can_not_tell_is_no_answer(recording):
    recording.tell(broken="Error response from daemon: no space left on device")
    with pytest.raises(EngineError, match=r"can't tell of image etl:1: .*no space left"):
        ContainerEngine.find().inspect("etl:1")


def test_an_image_whose_name_looks_like_an_option_is_a_name(engine):
    assert engine.inspect("--help") is None


def test_a_program_runs_in_an_image(engine, base_image):
    ran = engine.run(base_image, ["python3", "-c", "import os; print(os.getuid())"], user="65534")
    assert (ran.code, ran.stdout) == (0, "65534\n")


def test_a_container_has_no_network_unless_it_is_asked_for(engine, base_image):
    ran = engine.run(base_image, ["ls", "/sys/class/net"])
    assert ran.stdout.split() == ["lo"]


def test_the_entrypoint_can_be_another(engine, base_image):
    assert engine.run(base_image, ["yes"], entrypoint="echo").stdout == "yes\n"


def test_what_can_not_be_run_has_dockers_codes(engine, base_image):
    assert engine.run(base_image, ["no-such-program"]).code == 127
    missing = engine.run(f"emrkit-no-such-{uuid.uuid4().hex}:1", ["true"])
    assert missing.code == 125
    assert "no such image" in missing.stderr.lower()


def containers(engine, *filters):
    asked = [word for one in filters for word in ("--filter", one)]
    done = subprocess.run(
        [engine.program, "ps", "--all", "--quiet", *asked], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_a_container_that_takes_too_long_is_removed(engine, base_image):
    before = set(containers(engine, f"label={LABEL}"))
    # As process 1 of its container it would not hear of the signal.
    with pytest.raises(EngineError, match="took longer than 5 s"):
        engine.run(base_image, ["sleep", "600"], timeout=5)
    assert set(containers(engine, f"label={LABEL}", f"ancestor={base_image}")) <= before


# --- its program ------------------------------------------------------------------------------------------


def test_a_program_that_writes_without_end_costs_no_more_than_what_is_kept():
    ran = run_captured(["head", "-c", str(5 * MAX_OUTPUT), "/dev/zero"], os.environ, timeout=30)
    assert len(ran.stdout) == MAX_OUTPUT


def test_a_program_that_does_not_listen_is_ended_all_the_same(monkeypatch, tmp_path):
    file, part = tmp_path / "pid", tmp_path / "part"

    class Begun(subprocess.Popen):
        """A program whose time begins when it does not listen any more."""

        def wait(self, timeout=None):
            wait_until(file.exists, "its pid", 60)
            return super().wait(timeout)

    monkeypatch.setattr(processes, "SHORT_GRACE", 0.2)
    monkeypatch.setattr(processes.subprocess, "Popen", Begun)
    script = f"trap '' TERM; echo $$ > {part}; mv {part} {file}; while :; do sleep 0.1; done"
    with pytest.raises(TimeoutError):
        run_captured(["bash", "-c", script], os.environ, timeout=0.2)
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text()), 0)


def test_a_child_of_a_program_that_keeps_its_output_open_is_not_waited_for(monkeypatch):
    # What it wrote itself is to be read within that time.
    monkeypatch.setattr(processes, "LEFT_OVER", 3.0)
    ran = run_captured(["bash", "-c", "sleep 60 2>/dev/null & echo yes"], os.environ, timeout=30)
    assert ran.stdout == "yes\n"
    assert threading.active_count() < 50


def test_the_options_of_a_build_are_the_engines():
    build = Build(".", "Dockerfile", "etl:1", "linux/arm64", ("A=1", "B=2"), "none")
    assert build.options() == [
        *("--tag", "etl:1", "--file", "Dockerfile", "--platform", "linux/arm64", "--network", "none"),
        *("--build-arg", "A=1", "--build-arg", "B=2", "--", "."),
    ]
