"""What IAM and ECR have to allow for images. Pure.

Each policy allows what is needed and nothing more, and is a dict as ``json.dumps`` takes it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_emrkit.jobs.image_reference import EcrRegistry, ImageReference

OWNER = "policies"
SERVERLESS = "emr-serverless.amazonaws.com"

_PARTITIONS = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("eusc-", "aws-eusc"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-iso-", "aws-iso"),
    ("", "aws"),
)

_PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_PUSH = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)
_CREATE = "ecr:CreateRepository"
_POLICY = ("ecr:GetRepositoryPolicy", "ecr:SetRepositoryPolicy")
# EMR Serverless User Guide, "Customizing an EMR Serverless image".
_SERVERLESS_PULL = ("ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer")
_APPLICATION = re.compile(r"[0-9a-z]+", re.ASCII)
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_REGION = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-\d+", re.ASCII)


# --- ECR --------------------------------------------------------------------------------------------------


def partition_of(region: str) -> str:
    """Give the partition of AWS that a region is in.

    >>> partition_of("cn-north-1")
    'aws-cn'
    """
    return next(name for prefix, name in _PARTITIONS if region.startswith(prefix))


def repository_arn(registry: EcrRegistry, repository: str) -> str:
    """Give the ARN of a repository.

    >>> repository_arn(EcrRegistry("123456789012", "cn-north-1"), "etl")
    'arn:aws-cn:ecr:cn-north-1:123456789012:repository/etl'
    """
    partition = partition_of(registry.region)
    return f"arn:{partition}:ecr:{registry.region}:{registry.account}:repository/{repository}"


def pull_policy(registry: EcrRegistry, reference: ImageReference) -> dict[str, Any]:
    """Give what a cluster's instance profile needs to run an image."""
    return _ecr_policy(_PULL, repository_arn(registry, reference.repository))


def push_policy(
    registry: EcrRegistry, reference: ImageReference, *, create: bool = False, serverless: bool = False
) -> dict[str, Any]:
    """Give what whoever pushes an image needs.

    :param create: Whether they may make its repository.
    :param serverless: Whether they may let EMR Serverless pull from the repository that they make.
    """
    actions = {*_PUSH, *([_CREATE] if create else []), *(_POLICY if create and serverless else [])}
    return _ecr_policy(sorted(actions), repository_arn(registry, reference.repository))


def _ecr_policy(actions: Iterable[str], repository: str) -> dict[str, Any]:
    # A token is of the account, not of a repository.
    token = {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}
    return policy_of(token, {"Effect": "Allow", "Action": list(actions), "Resource": repository})


def application_policy(registry: EcrRegistry, reference: ImageReference) -> dict[str, Any]:
    """Give what whoever makes or updates applications of EMR Serverless needs for an image of theirs."""
    arn = repository_arn(registry, reference.repository)
    return policy_of(allow("ImagesOfApplications", _SERVERLESS_PULL, arn))


def admits_serverless(policy: str) -> bool:
    """Tell whether a repository's policy lets EMR Serverless pull, for some application at least.

    :param policy: Its JSON text, as GetRepositoryPolicy has it.

    >>> admits_serverless(json.dumps(serverless_repository_policy("123456789012", "us-east-1")))
    True
    """
    statements = json.loads(policy).get("Statement", [])
    allowed: set[str] = set()
    for one in statements if isinstance(statements, list) else [statements]:
        principal = one.get("Principal")
        services = _listed(principal.get("Service", ())) if isinstance(principal, dict) else ()
        if one.get("Effect") == "Allow" and (SERVERLESS in services or principal == "*"):
            allowed |= {action.lower() for action in _listed(one.get("Action", ()))}
    return bool(allowed & {"*", "ecr:*"}) or allowed >= {action.lower() for action in _SERVERLESS_PULL}


def _listed(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


# --- EMR Serverless ---------------------------------------------------------------------------------------


def application_arns(account: str, region: str, application_ids: Sequence[str] = ()) -> list[str]:
    """Give the ARNs of applications; the pattern of all of an account and region for no ids.

    :raises InvalidValueError: when account, region or an id can't be one.

    >>> application_arns("123456789012", "us-east-1", ["00f1abcdefgh2i0j"])
    ['arn:aws:emr-serverless:us-east-1:123456789012:/applications/00f1abcdefgh2i0j']
    """
    _checked("account", account, _ACCOUNT, "write its 12 digits")
    _checked("region", region, _REGION, "write it like us-east-1")
    for one in application_ids:
        _checked("application_ids", one, _APPLICATION, "write the application's id, as 00f1abcdefgh2i0j")
    place = f"arn:{partition_of(region)}:emr-serverless:{region}:{account}:/applications"
    return [f"{place}/{one}" for one in application_ids or ("*",)]


def serverless_repository_policy(
    account: str, region: str, application_ids: Sequence[str] = ()
) -> dict[str, Any]:
    """Give the policy of an ECR repository (SetRepositoryPolicy) from which EMR Serverless may pull.

    :param account: AWS account of the applications.
    :param region: AWS region of the applications, and of the repository.
    :param application_ids: Which applications; all of the account and region by default.
    :raises InvalidValueError: when one of them can't be right.

    >>> serverless_repository_policy("123456789012", "us-east-1")["Statement"][0]["Condition"]
    {'ArnLike': {'aws:SourceArn': 'arn:aws:emr-serverless:us-east-1:123456789012:/applications/*'}}
    """
    return policy_of(
        {
            "Sid": "EmrServerlessPulls",
            "Effect": "Allow",
            "Principal": {"Service": SERVERLESS},
            "Action": list(_SERVERLESS_PULL),
            "Condition": of_applications(account, region, application_ids),
        }
    )


def of_applications(account: str, region: str, application_ids: Sequence[str]) -> dict[str, Any]:
    """Give the condition that EMR Serverless acts for one of these applications."""
    arns = application_arns(account, region, application_ids)
    return {"ArnLike": {"aws:SourceArn": arns[0] if len(arns) == 1 else arns}}


def allow(sid: str, actions: Sequence[str], resources: str | list[str]) -> dict[str, Any]:
    """Write a statement of a policy."""
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resources}


def policy_of(*statements: dict[str, Any]) -> dict[str, Any]:
    """Write a policy."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _checked(field: str, value: str, pattern: re.Pattern[str], mend: str) -> None:
    if not pattern.fullmatch(value):
        raise InvalidValueError(OWNER, field, value, "can't be one", mend)
