"""``.ci/run``: the engine it starts, and what it does without one."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "run"
# The socket comes last: once it is there, the engine answers, and a run with nothing to do ends it at once.
_DOCKERD = """\
trap 'touch {folder}/ended; kill $! 2>/dev/null; exit 0' TERM
while [ "$1" != --host ]; do shift; done
echo $$ > {folder}/pid
touch "${{2#unix://}}"
sleep 60 & wait
"""
# It answers where the socket is a file.
_DOCKER = 'test -e "${DOCKER_HOST#unix://}"'
_MAKE = 'echo "engine: ${DOCKER_HOST:-none} ${EMRKIT_DOCKER:-}"; echo "$@"'

pytestmark = pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is Linux's")


class Machine:
    """A checkout and programs of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "checkout" / ".ci").mkdir(parents=True)
        (folder / "bin").mkdir()
        shutil.copy(SCRIPT, folder / "checkout" / ".ci" / "run")
        self.put(javac="", debootstrap="", **{"google-chrome": ""}, docker=_DOCKER, make=_MAKE)
        self.put(dockerd=_DOCKERD.format(folder=folder))

    def put(self, **scripts: str) -> None:
        for name, script in scripts.items():
            program = self.folder / "bin" / name
            program.write_text(f"#!/bin/bash\n{script}\n")
            program.chmod(0o755)

    def run(self, **variables: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin"
        environ = {"PATH": path, "TMPDIR": str(self.folder), **variables}
        script = str(self.folder / "checkout" / ".ci" / "run")
        return subprocess.run([script], env=environ, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_the_tests_get_an_engine_of_their_own_that_ends_with_them(machine):
    done = machine.run()
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith(f"engine: unix://{machine.folder}/emrkit-engine.")
    assert first.endswith("/socket required")
    assert second == "test PYTHON=python3"
    assert (machine.folder / "ended").exists()
    assert not Path(first.split()[1].removeprefix("unix://")).parent.exists()


def test_its_exit_code_is_that_of_the_tests(machine):
    machine.put(make="exit 7")
    assert machine.run().returncode == 7
    assert (machine.folder / "ended").exists()


def test_an_engine_that_answers_is_taken(machine):
    socket = machine.folder / "socket"
    socket.touch()
    done = machine.run(DOCKER_HOST=f"unix://{socket}")
    assert done.stdout.splitlines()[0] == f"engine: unix://{socket} required"
    assert not (machine.folder / "pid").exists()


def test_apt_that_is_busy_for_a_moment_is_asked_once_more(machine):
    programs, later = machine.folder / "bin", machine.folder / "make"
    (programs / "make").rename(later)
    # The machine's own make is not to be found.
    for name in ("bash", "dirname", "mv", "timeout", "touch"):
        (programs / name).symlink_to(str(shutil.which(name)))
    busy = f"test -e {machine.folder}/asked || {{ touch {machine.folder}/asked; exit 100; }}"
    machine.put(**{"apt-get": f"[[ $* != *install* ]] || {{ {busy}; mv {later} {programs}; }}"})
    machine.put(id="echo 0", sleep="")
    (machine.folder / "socket").touch()
    done = machine.run(PATH=str(programs), DOCKER_HOST=f"unix://{machine.folder}/socket")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "test PYTHON=python3"


def test_where_none_can_be_started_the_tests_run_without_and_it_is_said(machine):
    machine.put(dockerd="echo failed to start daemon: no cgroups; exit 1")
    done = machine.run()
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "engine: none ")
    assert "failed to start daemon: no cgroups" in done.stderr
    assert "the tests that run jobs in images are skipped" in done.stderr


def test_the_engine_ends_with_a_run_that_is_killed(machine):
    machine.put(make=f"kill -KILL $PPID; touch {machine.folder}/killed")
    assert machine.run().returncode == -9
    deadline = time.monotonic() + 20
    while not (machine.folder / "ended").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
