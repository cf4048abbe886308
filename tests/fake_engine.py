"""A container engine that is a small program: its containers are processes of this machine.

What it is told to do is in files of its directory, so that tests see, also from the outside, what happens.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAM = """#!@python@ -IS
import contextlib, fcntl, json, os, pathlib, signal, subprocess, sys, time
HERE = pathlib.Path("@here@")
BOXES = HERE / "boxes"
def stay():
    (HERE / "stays").touch()
    while True: time.sleep(60)
def fail(text, code=1): sys.stderr.write(text + "\\n"); sys.exit(code)
def options(name): return [a.partition("=")[2] for a in args if a.startswith(name + "=")]
def values(name): return [args[i + 1] for i, a in enumerate(args) if a == name]
@contextlib.contextmanager
def one_at_a_time():
    # As an engine starts and ends containers. Nobody holds it who is dead.
    with open(HERE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
def end(box, number):
    if pid := load(box).get("pid"):
        try: os.killpg(pid, number)
        except ProcessLookupError: pass
def load(box): return json.loads(box.read_text())
def save(box, data):
    part = HERE / (box.name + ".part")
    part.write_text(json.dumps(data))
    part.rename(box)
args = sys.argv[1:]
with open(HERE / "calls", "a") as calls: calls.write(json.dumps(args) + "\\n")
if (HERE / "silent").exists(): stay()
if (HERE / ("stop-at-" + args[0])).exists(): stay()
if (HERE / ("fail-at-" + args[0])).exists(): fail((HERE / ("fail-at-" + args[0])).read_text())
if args[0] == "info": print("[]")
elif args[0] == "image":
    if args[-1] not in (HERE / "images").read_text().split(): fail("Error: No such image: " + args[-1])
    print("sha256:" + args[-1])
elif args[0] == "pull":
    fail("Error response from daemon: manifest for " + args[-1] + " not found: manifest unknown")
elif args[0] == "run": print((HERE / "java").read_text())
elif args[0] == "create":
    # By the daemon, which goes on when its client is killed.
    sys.exit(subprocess.run([sys.argv[0], "daemon", *args[1:]], env={}, start_new_session=True).returncode)
elif args[0] == "daemon":
    if (HERE / "slow-create").exists():
        (HERE / "creating").touch()
        while (HERE / "slow-create").exists(): time.sleep(0.01)
    name, = options("--name")
    place = next(i for i, a in enumerate(args) if a.startswith("sha256:"))
    work, = options("--workdir")
    command = [*options("--entrypoint"), *args[place + 1:]]
    save(BOXES / name, {"labels": values("--label"), "work": work, "command": command})
    (HERE / "created").touch()
elif args[0] == "start":
    box, env = BOXES / args[-1], {"PATH": "/usr/bin:/bin"}
    with one_at_a_time():
        if not box.exists(): fail("Error: No such container: " + args[-1])
        data = load(box)
        # By the job's own process, which holds the lock until it is the command, even if this one is killed:
        # what the command says is said by one whose id is known.
        known = lambda: save(box, {**data, "pid": os.getpid()})
        job = subprocess.Popen(
            data["command"], cwd=data["work"], env=env, start_new_session=True, preexec_fn=known
        )
    code = job.wait()
    box.unlink(missing_ok=True)
    sys.exit(code if code >= 0 else 128 - code)
elif args[0] == "kill":
    box = BOXES / args[-1]
    with one_at_a_time():
        if not box.exists(): fail("Error: No such container: " + args[-1])
        end(box, signal.SIGTERM)
elif args[0] == "rm":
    for name in args[2:]:
        with one_at_a_time():
            if (BOXES / name).exists():
                end(BOXES / name, signal.SIGKILL)
                (BOXES / name).unlink(missing_ok=True)
elif args[0] == "ps":
    wanted = [f.removeprefix("label=") for f in values("--filter")]
    for box in BOXES.iterdir():
        if set(wanted) <= set(json.loads(box.read_text())["labels"]): print(box.name)
else: fail("unknown command " + args[0])
"""


class FakeEngine:
    """The engine, as the test sees it.

    :param directory: Its directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.program = directory / "bin" / "docker"
        (directory / "boxes").mkdir(parents=True)
        self.program.parent.mkdir()
        text = _PROGRAM.replace("@python@", sys.executable).replace("@here@", str(directory))
        self.program.write_text(text)
        self.program.chmod(0o755)
        self.tell("images", "local/etl:1 etl:1")
        self.tell("java", 'openjdk version "17.0.9"')

    def tell(self, name: str, text: str = "") -> None:
        """Write one of the files it reads."""
        (self.directory / name).write_text(text)

    def forget(self, name: str) -> None:
        """Remove one of them."""
        (self.directory / name).unlink()

    def calls(self, command: str = "") -> list[list[str]]:
        """The arguments of its calls."""
        path = self.directory / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [args for args in map(json.loads, lines) if args[0].startswith(command)]

    def containers(self) -> list[str]:
        """The containers it has, running or not."""
        return sorted(path.name for path in (self.directory / "boxes").iterdir())

    def boxes(self) -> list[dict[str, object]]:
        """What it knows of them."""
        return [json.loads(path.read_text()) for path in (self.directory / "boxes").iterdir()]

    def await_file(self, name: str) -> None:
        """Wait for a file that it makes."""
        wait_until(lambda: (self.directory / name).exists(), name)


@pytest.fixture
def fake_engine(tmp_path, monkeypatch):  # type: ignore[no-untyped-def]
    """An engine that is the first in PATH."""
    engine = FakeEngine(tmp_path / "engine")
    monkeypatch.setenv("PATH", f"{engine.program.parent}:/usr/bin:/bin")
    monkeypatch.delenv("EMRKIT_ENGINE", raising=False)
    return engine
