"""Which container engine is asked, and what is said when none runs containers."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from images import streaming
from images.engine import Engine, EngineError

# An engine that gets as far as to miss the program of an empty image.
RUNS = 'test "$1" != run || exit 127'
ANSWERS_ALONE = 'test "$1" != run || { echo "setrlimit: not permitted" >&2; exit 126; }'


@pytest.fixture
def programs(tmp_path):
    """Put programs on a PATH of their own."""

    def put(**scripts: str) -> dict[str, str]:
        for name, script in scripts.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        return {"PATH": str(tmp_path)}

    return put


@pytest.mark.parametrize("docker", ["echo Cannot connect >&2; exit 1", ANSWERS_ALONE])
def test_the_first_that_runs_containers_is_taken(programs, docker):
    assert Engine.find(programs(docker=docker, podman=RUNS)).program == "podman"
    assert Engine.find(programs(docker=RUNS)).program == "docker"


def test_the_environment_chooses(programs):
    environ = programs(docker=RUNS, podman=RUNS)
    assert Engine.find({**environ, "EMRKIT_ENGINE": "podman"}).program == "podman"


def test_when_none_runs_each_has_its_word(programs):
    with pytest.raises(EngineError) as raised:
        Engine.find(programs(docker="echo Cannot connect to the daemon >&2; exit 1", podman=ANSWERS_ALONE))
    assert str(raised.value) == (
        "no container engine runs here (docker ps: Cannot connect to the daemon; "
        "podman starts no container: setrlimit: not permitted); start one, or name its address in DOCKER_HOST"
    )


def test_an_engine_is_tried_out_and_nothing_of_it_is_left(programs):
    notes = 'echo "$@" >> "${0%/*}/calls"'
    environ = programs(docker=f"{notes}; {RUNS}")
    Engine.find(environ)
    calls = [line.split() for line in (Path(environ["PATH"]) / "calls").read_text().splitlines()]
    assert [call[0] for call in calls] == ["ps", "import", "run", "rmi"]
    assert calls[1][-1] == calls[3][-1] != ""


def test_an_engine_that_hangs_is_not_waited_for(programs):
    engine = Engine("docker", {"PATH": f"{programs(docker='exec sleep 60')['PATH']}:{os.defpath}"})
    with pytest.raises(EngineError, match=r"docker does not answer for 0\.2 s"):
        engine.run("ps", seconds=0.2)


def test_what_is_interrupted_ends_with_all_it_has_started():
    seen: list[int] = []

    def interrupt(line: str) -> None:
        seen.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        streaming.run(["sh", "-c", "sleep 60 & echo $!; wait"], {"PATH": os.defpath}, interrupt)
    deadline = time.monotonic() + 10
    while _lives(seen[0]):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        os.kill(pid, signal.SIG_DFL)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
