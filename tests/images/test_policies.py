"""The policies that are printed: what they allow, to whom, and that they allow no more."""

from __future__ import annotations

import json

import pytest

from airflow_provider_emrkit.images.policies import (
    admits_serverless,
    application_policy,
    push_policy,
    serverless_repository_policy,
)
from airflow_provider_emrkit.jobs.image_reference import ImageReference
from airflow_provider_emrkit.validation import InvalidValueError

OURS = ("123456789012", "us-east-1")
REFERENCE = ImageReference.parse("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/etl:1.4")


# --- who pulls --------------------------------------------------------------------------------------------


def test_emr_serverless_pulls_for_the_applications_of_the_account_and_nobody_elses():
    (statement,) = serverless_repository_policy(*OURS)["Statement"]
    assert statement["Principal"] == {"Service": "emr-serverless.amazonaws.com"}
    assert statement["Action"] == ["ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"]
    arn = "arn:aws:emr-serverless:us-east-1:123456789012:/applications/*"
    assert statement["Condition"] == {"ArnLike": {"aws:SourceArn": arn}}


def test_one_application_or_two():
    (statement,) = serverless_repository_policy(*OURS, ["00a", "00b"])["Statement"]
    assert [arn.rpartition("/")[2] for arn in statement["Condition"]["ArnLike"]["aws:SourceArn"]] == [
        "00a",
        "00b",
    ]


def test_a_partition_has_its_own_arns():
    (statement,) = serverless_repository_policy("123456789012", "cn-north-1")["Statement"]
    assert statement["Condition"]["ArnLike"]["aws:SourceArn"].startswith(
        "arn:aws-cn:emr-serverless:cn-north-1:"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("12345678901", "us-east-1"),
        ("*", "us-east-1"),
        ("123456789012", "*"),
        ("123456789012", "us-east-1", ["*"]),
        ("123456789012", "us-east-1", ["00a/jobruns/00b"]),
    ],
)
def test_what_would_let_in_more_than_it_says_is_refused(arguments):
    with pytest.raises(InvalidValueError):
        serverless_repository_policy(*arguments)


@pytest.mark.parametrize(
    ("changes", "admitted"),
    [
        ({}, True),
        ({"Action": "ecr:*"}, True),
        ({"Action": ["ecr:batchgetimage", "ecr:describeimages", "ecr:getdownloadurlforlayer"]}, True),
        ({"Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]}, False),
        ({"Effect": "Deny"}, False),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, False),
        ({"Principal": {"Service": ["emr-serverless.amazonaws.com", "lambda.amazonaws.com"]}}, True),
        ({"Principal": "*"}, True),
    ],
)
def test_a_policy_is_known_to_let_emr_serverless_pull(changes, admitted):
    policy = serverless_repository_policy(*OURS)
    policy["Statement"][0].update(changes)
    assert admits_serverless(json.dumps(policy)) is admitted
    assert admits_serverless(json.dumps({**policy, "Statement": policy["Statement"][0]})) is admitted


def test_actions_may_be_in_more_than_one_statement():
    (one,) = serverless_repository_policy(*OURS)["Statement"]
    parted = [{**one, "Action": action} for action in one["Action"]]
    assert admits_serverless(json.dumps({"Statement": parted}))
    assert not admits_serverless(json.dumps({"Statement": parted[1:]}))


def test_who_makes_an_application_may_see_its_image_and_no_other(allows):
    policy = application_policy(REFERENCE.ecr, REFERENCE)
    assert allows(policy, "ecr:DescribeImages", "arn:aws:ecr:us-east-1:123456789012:repository/team/etl")
    assert not allows(policy, "ecr:DescribeImages", "arn:aws:ecr:us-east-1:123456789012:repository/team/etl2")
    assert not allows(policy, "ecr:PutImage", "arn:aws:ecr:us-east-1:123456789012:repository/team/etl")


def test_the_policy_is_set_only_by_who_makes_the_repository():
    options = [(create, serverless) for create in (False, True) for serverless in (False, True)]
    sets = [
        "ecr:SetRepositoryPolicy"
        in push_policy(REFERENCE.ecr, REFERENCE, create=create, serverless=serverless)["Statement"][1][
            "Action"
        ]
        for create, serverless in options
    ]
    assert sets == [False, False, False, True]
