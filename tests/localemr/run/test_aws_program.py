"""What stands for AWS's command line on a cluster."""

from __future__ import annotations

import base64

import pytest

from airflow_provider_emrkit.localemr.run.aws_program import main, real_program, run

HOST = "123456789012"
TOKEN = "authorizationData[0].authorizationToken"


@pytest.fixture
def ecr(localemr_server):
    return lambda region: localemr_server.client("ecr", region or "us-east-1")


def test_a_token_of_ecr_is_printed_as_docker_takes_it(ecr):
    asked = ["ecr", "get-authorization-token", "--registry-ids", HOST, "--region", "eu-west-1"]
    printed = run([*asked, "--query", TOKEN, "--output", "text", "--cli-read-timeout", "30"], ecr)
    assert base64.b64decode(printed).startswith(b"AWS:")


def test_what_a_query_does_not_find_is_none(ecr):
    assert run(["ecr", "get-authorization-token", "--query", "nothing"], ecr) == "None"


@pytest.mark.parametrize("args", [[], ["ecr"], ["s3", "ls"], ["ecr", "describe-repositories"]])
def test_other_commands_are_not_answered(args, ecr):
    assert run(args, ecr) is None


def test_another_command_is_told_what_is_there_and_what_to_do(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path / "submit.json"), "aws", "s3", "ls"])
    assert ended.value.code == 252
    assert "install awscli" in capfd.readouterr().err


def test_the_real_one_comes_first_and_never_the_program_itself(tmp_path):
    own, real = tmp_path / "own", tmp_path / "real"
    for folder in (own, real):
        folder.mkdir()
        (folder / "aws").write_text("#!/bin/sh\n")
        (folder / "aws").chmod(0o755)
    assert real_program(f"{own}:{real}", own) == str(real / "aws")
    assert real_program(str(own), own) is None
