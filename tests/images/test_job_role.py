"""The policies of a job's role: what its jobs may do, who may take it, and that it is no more."""

from __future__ import annotations

import json

import pytest

from airflow_provider_emrkit.images.job_role import job_role_policy, job_role_trust
from airflow_provider_emrkit.validation import InvalidValueError

OURS = ("123456789012", "us-east-1")


def test_a_job_role_is_taken_by_emr_serverless_for_this_account_alone():
    (statement,) = job_role_trust(*OURS, ["00a"])["Statement"]
    assert statement["Principal"] == {"Service": "emr-serverless.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": "arn:aws:emr-serverless:us-east-1:123456789012:/applications/00a"},
    }


def test_a_job_reads_its_code_and_data_and_writes_where_it_says(allows):
    policy = job_role_policy(*OURS, reads=["s3://code/emrkit/"], writes=["s3://data/out"])
    assert allows(policy, "s3:GetObject", "arn:aws:s3:::code/emrkit/jobs/etl.py")
    assert not allows(policy, "s3:GetObject", "arn:aws:s3:::code/emrkit-secrets/key")
    assert not allows(policy, "s3:PutObject", "arn:aws:s3:::code/emrkit/jobs/etl.py")
    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"):
        assert allows(policy, action, "arn:aws:s3:::data/out/part-0.parquet")
        assert not allows(policy, action, "arn:aws:s3:::data/outside")


def test_a_job_lists_below_its_prefixes_only(allows):
    policy = job_role_policy(*OURS, reads=["s3://code/emrkit"], writes=["s3://data"])
    assert allows(policy, "s3:ListBucket", "arn:aws:s3:::code", "emrkit/jobs/")
    assert not allows(policy, "s3:ListBucket", "arn:aws:s3:::code", "")
    assert not allows(policy, "s3:ListBucket", "arn:aws:s3:::code", "emrkit-secrets/")
    assert allows(policy, "s3:ListBucket", "arn:aws:s3:::data", "")


def test_a_whole_bucket_is_one_pattern(allows):
    policy = job_role_policy(*OURS, reads=["s3://data/"])
    assert allows(policy, "s3:GetObject", "arn:aws:s3:::data/x")
    assert not allows(policy, "s3:GetObject", "arn:aws:s3:::data2/x")


def test_logs_are_written_and_not_read(allows):
    policy = job_role_policy(*OURS, logs=["s3://logs/emr"], log_group="/team/etl")
    assert allows(
        policy, "s3:PutObject", "arn:aws:s3:::logs/emr/applications/00a/jobs/00b/SPARK_DRIVER/stdout.gz"
    )
    assert not allows(policy, "s3:GetObject", "arn:aws:s3:::logs/emr/applications/00a/x")
    stream = "arn:aws:logs:us-east-1:123456789012:log-group:/team/etl:log-stream:applications/00a"
    assert allows(policy, "logs:PutLogEvents", stream)
    assert not allows(policy, "logs:PutLogEvents", stream.replace("/team/etl", "/team/other"))


def test_without_a_log_group_nothing_is_allowed_of_cloudwatch():
    policy = job_role_policy(*OURS, reads=["s3://code"], log_group=None)
    assert not [one for one in policy["Statement"] if any("logs:" in action for action in one["Action"])]


def test_the_catalog_only_when_it_is_asked_for(allows):
    table = "arn:aws:glue:us-east-1:123456789012:table/sales/daily"
    assert allows(job_role_policy(*OURS, glue=True), "glue:GetTable", table)
    assert not allows(job_role_policy(*OURS), "glue:GetTable", table)
    assert not allows(job_role_policy(*OURS, glue=True), "glue:DeleteDatabase", table)


def test_no_policy_allows_all_of_anything():
    policy = job_role_policy(
        *OURS, reads=["s3://code/x"], writes=["s3://data/y"], logs=["s3://logs/z"], glue=True
    )
    text = json.dumps(policy)
    assert '"*"' not in text
    assert not [action for one in policy["Statement"] for action in one["Action"] if "*" in action]


def test_each_statement_has_a_name_of_its_own():
    policy = job_role_policy(
        *OURS, reads=["s3://code/x", "s3://input"], writes=["s3://data/y"], logs=["s3://logs"], glue=True
    )
    names = [one["Sid"] for one in policy["Statement"]]
    assert len(set(names)) == len(names)
    assert all(name.isalnum() for name in names)


@pytest.mark.parametrize(
    "uri", ["s3://*", "s3://data/*", "s3://data/${aws:username}", "https://x", "data/out", "s3://"]
)
def test_a_place_that_would_mean_more_than_it_says_is_refused(uri):
    with pytest.raises(InvalidValueError, match=r"s3://bucket/prefix"):
        job_role_policy(*OURS, reads=[uri])


def test_a_role_of_all_accounts_is_refused():
    with pytest.raises(InvalidValueError):
        job_role_trust("*", "us-east-1")
