"""The container's files say what the program does: options, port, health page, directories."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_provider_emrkit import cli
from airflow_provider_emrkit.localemr.config import DEFAULT_PORT, HEALTH_PATH
from airflow_provider_emrkit.localemr.launcher import STOP_TIMEOUT

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
INSTRUCTIONS = [
    line.partition(" ")[::2]
    for line in re.sub(r"\\\n\s*", "", DOCKERFILE).splitlines()
    if re.match(r"[A-Z]+ ", line)
]


def instruction(name: str) -> str:
    """The last instruction of a name."""
    return [text for found, text in INSTRUCTIONS if found == name][-1]


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    content = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
    assert list(content["services"]) == ["localemr"]
    service: dict[str, Any] = content["services"]["localemr"]
    return service


def test_its_command_is_one_of_the_program() -> None:
    command = json.loads(instruction("ENTRYPOINT")) + json.loads(instruction("CMD"))
    assert command[:3] == ["tini", "--", "emrkit"]
    given = cli._parser().parse_args(command[3:])
    assert (given.action, given.foreground, given.port, given.host) == ("up", True, DEFAULT_PORT, "0.0.0.0")
    assert given.allowed_hosts == ["localemr"]


def test_its_data_is_in_a_volume_where_all_its_commands_look_for_it() -> None:
    home = re.search(r"XDG_DATA_HOME=(\S+)", instruction("ENV"))
    assert home
    assert home[1] in json.loads(instruction("VOLUME"))
    given = cli._parser().parse_args(["local", *json.loads(instruction("CMD"))])
    assert given.data_dir is None


def test_its_health_is_the_servers_own_page() -> None:
    assert f"http://127.0.0.1:{DEFAULT_PORT}{HEALTH_PATH}" in instruction("HEALTHCHECK")


def test_it_runs_as_nobody_special() -> None:
    assert instruction("USER") == "localemr"
    assert "useradd --uid 1000" in DOCKERFILE


def test_its_cache_is_a_volume() -> None:
    cache = re.search(r"EMRKIT_CACHE_DIR=(\S+)", instruction("ENV"))
    assert cache
    assert cache[1] in json.loads(instruction("VOLUME"))


def test_what_is_copied_is_there_and_nothing_else_is_sent() -> None:
    copied = {
        word
        for name, text in INSTRUCTIONS
        if name == "COPY" and "--from" not in text
        for word in text.split()[:-1]
    }
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == allowed
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_it_is_published_on_loopback_only(service: dict[str, Any]) -> None:
    assert service["ports"] == [f"127.0.0.1:${{LOCALEMR_PORT:-{DEFAULT_PORT}}}:{DEFAULT_PORT}"]
    assert instruction("EXPOSE") == str(DEFAULT_PORT)


def test_it_has_no_more_rights_than_it_needs(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "docker.sock" not in (ROOT / "docker" / "compose.yaml").read_text()


def test_what_it_keeps_is_in_volumes(service: dict[str, Any]) -> None:
    assert [volume.split(":")[1] for volume in service["volumes"]] == json.loads(instruction("VOLUME"))


def test_it_has_the_time_to_end_its_steps(service: dict[str, Any]) -> None:
    assert float(service["stop_grace_period"].removesuffix("s")) > STOP_TIMEOUT


def test_it_is_built_from_here(service: dict[str, Any]) -> None:
    assert (ROOT / "docker" / service["build"]["context"] / service["build"]["dockerfile"]).resolve() == (
        ROOT / "docker" / "Dockerfile"
    )
    base = re.search(r"ARG BASE=(\S+)", DOCKERFILE)
    assert base
    assert service["build"]["args"]["BASE"] == f"${{LOCALEMR_BASE:-{base[1]}}}"


def test_beside_mwaa_it_is_in_both_networks(service: dict[str, Any]) -> None:
    content = yaml.safe_load((ROOT / "docker" / "compose.mwaa.yaml").read_text())
    assert content["services"] == {"localemr": {"networks": ["default", "mwaa"]}}
    assert content["networks"]["mwaa"]["external"] is True
