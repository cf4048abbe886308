"""The engine that was chosen, or the first that is there."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.localemr.engine.choice import EngineError, find_engine


@pytest.fixture
def path(tmp_path):
    def call(*names: str) -> dict[str, str]:
        for name in names:
            (tmp_path / name).touch(mode=0o755)
        return {"PATH": str(tmp_path)}

    return call


def test_docker_comes_before_podman(path):
    assert find_engine(None, path("podman", "docker")).name == "docker"


def test_podman_will_do(path):
    assert find_engine(None, path("podman")).is_podman


def test_an_option_counts_before_the_environment(path):
    environ = {**path("podman", "docker"), "EMRKIT_ENGINE": "docker"}
    assert find_engine("podman", environ).is_podman


def test_what_was_chosen_is_not_replaced(path):
    environ = {**path("podman"), "EMRKIT_ENGINE": "docker"}
    with pytest.raises(EngineError, match="docker is not installed here"):
        find_engine(None, environ)


def test_an_unknown_engine_is_refused(path):
    with pytest.raises(EngineError, match="choose docker or podman"):
        find_engine(None, {**path("docker"), "EMRKIT_ENGINE": "/bin/sh"})


def test_its_address_is_remembered_and_no_more(path):
    environ = {**path("docker"), "DOCKER_HOST": "unix:///x", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert find_engine(None, environ).address == (("DOCKER_HOST", "unix:///x"),)
