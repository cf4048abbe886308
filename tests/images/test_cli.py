"""``emrkit image``: its commands, and what they have in common."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from airflow_provider_emrkit import cli
from airflow_provider_emrkit.images.naming import size_text, tagged
from airflow_provider_emrkit.images.policies import pull_policy, push_policy
from airflow_provider_emrkit.jobs.image_reference import ImageReference
from airflow_provider_emrkit.validation import InvalidValueError

NAME = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/etl:1.4"


@pytest.mark.parametrize("command", ["build", "push"])
def test_the_help_of_a_command_has_examples(image, capsys, command):
    with pytest.raises(SystemExit) as left:
        image(command, "--help")
    assert left.value.code == 0
    assert f"emrkit image {command}" in capsys.readouterr().out.split("examples:")[1]


def test_the_group_is_one_of_emrkit(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert "emrkit image build" in capsys.readouterr().out


def test_a_command_needs_no_airflow():
    program = (
        "import sys\n"
        "sys.modules['airflow'] = None\n"
        "from airflow_provider_emrkit.cli import main\n"
        f"sys.exit(main(['image', 'push', '{NAME}', '--policies']))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["etl:1"], "NAME: 'etl:1' has no registry to push to; put one in front: 123456789012.dkr.ecr."),
        (["me/etl:1", "--create"], "--create: True is for images in ECR; leave it out"),
        (["me/etl:1", "--profile", "data"], "--profile: True is for images in ECR"),
        ([NAME, "--scan"], "--scan: True is for a repository that is made; add --create"),
        ([NAME, "--region", "eu-west-1"], "--region: 'eu-west-1' is not the region of the name, us-east-1"),
        ([NAME[:-4]], f"NAME: '{NAME[:-4]}' has no tag; Docker would take latest"),
    ],
)
def test_options_that_do_not_fit_the_name_are_wrong_usage(image, recording, capsys, words, told):
    assert image("push", *words) == 2
    assert capsys.readouterr().err.startswith(f"emrkit: {told}")
    assert recording.calls() == []


def test_signals_are_as_before_afterwards(image):
    before = signal.getsignal(signal.SIGTERM)
    image("push", NAME, "--policies")
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_that_is_ignored_stays_ignored():
    program = (
        "import os, signal\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"  # as nohup does
        "from airflow_provider_emrkit.images.commands import adding\n"
        "with adding._cleared_away():\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    print('goes on')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "goes on\n")


# --- names and policies -----------------------------------------------------------------------------------


def test_a_tag_that_is_written_out_may_be_latest():
    assert tagged("--tag", "etl:latest").tag == "latest"


def test_a_port_is_no_tag():
    with pytest.raises(InvalidValueError, match="has no tag"):
        tagged("--tag", "localhost:5000/etl")


def test_sizes_are_written_as_the_engines_do():
    assert [size_text(size) for size in (900, 253_400_000, 1_250_000_000)] == ["0 MB", "253 MB", "1.2 GB"]


@pytest.mark.parametrize(
    ("region", "domain", "partition"),
    [
        ("eu-west-1", "amazonaws.com", "aws"),
        ("cn-north-1", "amazonaws.com.cn", "aws-cn"),
        ("eusc-de-east-1", "amazonaws.eu", "aws-eusc"),
        ("us-isob-east-1", "sc2s.sgov.gov", "aws-iso-b"),
        ("us-gov-west-1", "amazonaws.com", "aws-us-gov"),
    ],
)
def test_the_policies_are_for_the_one_repository(region, domain, partition):
    reference = ImageReference.parse(f"123456789012.dkr.ecr.{region}.{domain}/team/etl:1.4")
    arn = f"arn:{partition}:ecr:{region}:123456789012:repository/team/etl"
    for policy in (pull_policy(reference.ecr, reference), push_policy(reference.ecr, reference)):
        token, rest = policy["Statement"]
        assert (token["Action"], token["Resource"]) == ("ecr:GetAuthorizationToken", "*")
        assert rest["Resource"] == arn
        assert len(rest["Action"]) == len(set(rest["Action"]))


def test_who_pulls_may_not_push_and_who_pushes_may_not_make_a_repository_unasked():
    reference = ImageReference.parse(NAME)
    pull, push, create = (
        policy["Statement"][1]["Action"]
        for policy in (
            pull_policy(reference.ecr, reference),
            push_policy(reference.ecr, reference),
            push_policy(reference.ecr, reference, create=True),
        )
    )
    assert "ecr:PutImage" not in pull
    assert "ecr:CreateRepository" not in push
    assert set(create) - set(push) == {"ecr:CreateRepository"}
