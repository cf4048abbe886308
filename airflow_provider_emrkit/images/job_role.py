"""What the role of jobs on EMR Serverless is allowed, and who may take it. Pure.

Each policy allows what is needed and nothing more, and is a dict as ``json.dumps`` takes it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.images.policies import (
    SERVERLESS,
    allow,
    application_arns,
    of_applications,
    partition_of,
    policy_of,
)
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

OWNER = "policies"
LOG_GROUP = "/aws/emr-serverless"

# EMR Serverless User Guide, "Job runtime roles".
_GLUE = (
    "glue:BatchCreatePartition",
    "glue:CreateDatabase",
    "glue:CreatePartition",
    "glue:CreateTable",
    "glue:DeleteTable",
    "glue:GetDatabase",
    "glue:GetDatabases",
    "glue:GetPartition",
    "glue:GetPartitions",
    "glue:GetTable",
    "glue:GetTables",
    "glue:GetUserDefinedFunctions",
    "glue:UpdateTable",
)
# Large files are written in parts.
_WRITES = ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject")
_S3 = re.compile(r"s3[an]?://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<key>[^*?$]*))?", re.ASCII)


def job_role_trust(account: str, region: str, application_ids: Sequence[str] = ()) -> dict[str, Any]:
    """Give the trust policy of a job runtime role: EMR Serverless may take it, for these applications only.

    :param account: AWS account of the applications, and of the role.
    :param region: AWS region of the applications.
    :param application_ids: Which applications; all of the account and region by default.
    :raises InvalidValueError: when one of them can't be right.

    >>> job_role_trust("123456789012", "us-east-1")["Statement"][0]["Condition"]["StringEquals"]
    {'aws:SourceAccount': '123456789012'}
    """
    return policy_of(
        {
            "Effect": "Allow",
            "Principal": {"Service": SERVERLESS},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": account},
                **of_applications(account, region, application_ids),
            },
        }
    )


def job_role_policy(
    account: str,
    region: str,
    *,
    reads: Sequence[str] = (),
    writes: Sequence[str] = (),
    logs: Sequence[str] = (),
    log_group: str | None = LOG_GROUP,
    glue: bool = False,
) -> dict[str, Any]:
    """Give what a job runtime role needs: its code, its data, its logs.

    :param account: AWS account of the logs and of the Glue Data Catalog.
    :param region: Their AWS region.
    :param reads: What the job reads, ``s3://bucket/prefix``: its code (where emrkit stages it), its input.
    :param writes: What it reads, writes and deletes.
    :param logs: Where EMR Serverless archives logs.
    :param log_group: CloudWatch log group that the logs go to; None for none.
    :param glue: Whether the job uses the Glue Data Catalog.
    :raises InvalidValueError: when one of them can't be right.

    >>> policy = job_role_policy("123456789012", "us-east-1", reads=["s3://code/emrkit/"])
    >>> [statement["Sid"] for statement in policy["Statement"]]
    ['List', 'Read', 'LogGroups', 'Logs']
    """
    application_arns(account, region)
    partition = partition_of(region)
    statements = [
        *_lists(partition, (*reads, *writes)),
        *_objects("Read", partition, reads, ["s3:GetObject"]),
        *_objects("Write", partition, writes, _WRITES),
        *_objects("ArchiveLogs", partition, logs, ["s3:PutObject"]),
    ]
    if log_group is not None:
        statements += _cloudwatch(f"arn:{partition}:logs:{region}:{account}", log_group)
    if glue:
        catalog = f"arn:{partition}:glue:{region}:{account}"
        resources = [f"{catalog}:{what}" for what in ("catalog", "database/*", "table/*/*")]
        statements.append(allow("GlueDataCatalog", _GLUE, [*resources, f"{catalog}:userDefinedFunction/*/*"]))
    return policy_of(*statements)


def _lists(partition: str, uris: Sequence[str]) -> list[dict[str, Any]]:
    # Spark lists folders, and asks S3 whether what it does not find is not there.
    buckets: dict[str, set[str]] = {}
    for bucket, prefix in map(_s3_parts, uris):
        buckets.setdefault(bucket, set()).add(prefix)
    found = []
    for number, (bucket, prefixes) in enumerate(buckets.items()):
        statement = allow(
            "List" + (str(number + 1) if number else ""), ["s3:ListBucket"], _bucket(partition, bucket)
        )
        if "" not in prefixes:
            shown = sorted({one for prefix in prefixes for one in (prefix, f"{prefix}/*")})
            statement["Condition"] = {"StringLike": {"s3:prefix": shown}}
        found.append(statement)
    return found


def _objects(sid: str, partition: str, uris: Sequence[str], actions: Sequence[str]) -> list[dict[str, Any]]:
    resources: dict[str, None] = {}
    for bucket, prefix in map(_s3_parts, uris):
        at = f"{_bucket(partition, bucket)}/{prefix}"
        resources.update(dict.fromkeys([f"{at}*"] if not prefix else [at, f"{at}/*"]))
    return [allow(sid, actions, list(resources))] if resources else []


def _cloudwatch(place: str, log_group: str) -> list[dict[str, Any]]:
    streams = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    group = f"{place}:log-group:{log_group}"
    return [
        allow("LogGroups", ["logs:DescribeLogGroups"], f"{place}:*"),
        allow("Logs", streams, [group, f"{group}:*"]),
    ]


def _s3_parts(uri: str) -> tuple[str, str]:
    """Give bucket and prefix, without a slash at its end."""
    found = _S3.fullmatch(uri)
    if found is None:
        mend = "write it like s3://bucket/prefix, without wildcards"
        raise InvalidValueError(OWNER, "uri", uri, "is no place in S3", mend)
    return found["bucket"], (found["key"] or "").rstrip("/")


def _bucket(partition: str, bucket: str) -> str:
    return f"arn:{partition}:s3:::{bucket}"
