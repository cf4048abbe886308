from __future__ import annotations

import importlib.util
import json
import os
import stat
import subprocess
import sys
import uuid
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from airflow_provider_emrkit import cli
from airflow_provider_emrkit.images.engine import ContainerEngine

HERE = Path(__file__).parent
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


def _load(name):
    # Test directories are no packages.
    spec = importlib.util.spec_from_file_location(f"emrkit_tests_images_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class EngineThatRecords:
    """A program called docker that notes what it is asked for, and answers as the test says.

    :param directory: Where it is, and its notes.
    """

    def __init__(self, directory):
        self.directory = directory
        program = directory / "docker"
        program.write_text(f"#!{sys.executable} -IS\n{(HERE / 'recording_engine.py').read_text()}")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.answers = {"images": {}}
        self.tell()

    def tell(self, **answers):
        """Say what it answers from now on."""
        self.answers.update(answers)
        (self.directory / "answers.json").write_text(json.dumps(self.answers))

    def has(self, name, **facts):
        """Let it have an image."""
        self.answers["images"][name] = {
            "Id": "sha256:1",
            "Size": 253_000_000,
            "Architecture": "amd64",
            **facts,
        }
        self.tell()

    def calls(self, command=None):
        """What it was asked for, each with ``argv``, ``config`` and ``environ``."""
        notes = self.directory / "calls.jsonl"
        found = [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []
        return [call for call in found if command in (None, call["argv"][0])]


@pytest.fixture
def recording(tmp_path, monkeypatch):
    """The engine that records, as the only one on the PATH, with a configuration of the user's."""
    directory = tmp_path / "bin"
    directory.mkdir()
    engine = EngineThatRecords(directory)
    users = tmp_path / "users-docker"
    users.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.setenv("DOCKER_CONFIG", str(users))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("XDG_RUNTIME_DIR", "EMRKIT_ENGINE"):
        monkeypatch.delenv(name, raising=False)
    return engine


@pytest.fixture
def image():
    """Run ``emrkit image``."""
    return lambda *words: cli.main(["image", *map(str, words)])


@pytest.fixture
def registry():
    with _load("registry").Registry() as running:
        yield running


@pytest.fixture
def closed_registry():
    """A registry that asks for a login: AWS, with the password secret."""
    with _load("registry").Registry(login="AWS:secret") as running:
        yield running


@pytest.fixture
def engine(docker_engine):
    """The real engine."""
    found = ContainerEngine.find(docker_engine.program, os.environ)
    if found.name != "docker":
        pytest.skip(
            f"{found.name} answers, and the registry of these tests has no TLS, which docker alone takes"
        )
    return found


@pytest.fixture
def base_image(engine, request):
    """The example's image; it is not made in an engine that these tests do not use."""
    return request.getfixturevalue("example_image")


@pytest.fixture
def own_name(engine):
    """Gives names for images, which are removed in the end."""
    names = []

    def give(name):
        names.append(name)
        return name

    yield give
    subprocess.run([engine.program, "rmi", "--force", *names], capture_output=True, check=False)


@pytest.fixture
def tiny(engine, own_name, tmp_path):
    """A real image of a few bytes; each time another one."""
    (tmp_path / "file").write_text(uuid.uuid4().hex)
    tar = subprocess.run(["tar", "-C", tmp_path, "-c", "file"], capture_output=True, check=True).stdout
    name = own_name(f"emrkit-tests-{uuid.uuid4().hex[:8]}:1")
    subprocess.run([engine.program, "import", "-", name], input=tar, capture_output=True, check=True)
    return name


@pytest.fixture
def allows():
    """Tells whether a policy allows an action, as IAM does as far as policies of ours go."""

    def allow(policy, action, resource, prefix=None):
        for one in policy["Statement"]:
            resources = one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]]
            condition = one.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
            fits = condition is None or any(fnmatchcase(prefix or "", pattern) for pattern in condition)
            if action in one["Action"] and fits and any(fnmatchcase(resource, one) for one in resources):
                return True
        return False

    return allow
