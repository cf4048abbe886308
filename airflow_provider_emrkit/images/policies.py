"""What IAM has to allow for an image in ECR. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_emrkit.jobs.image_reference import EcrRegistry, ImageReference

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


def repository_arn(registry: EcrRegistry, repository: str) -> str:
    """Give the ARN of a repository.

    >>> repository_arn(EcrRegistry("123456789012", "cn-north-1"), "etl")
    'arn:aws-cn:ecr:cn-north-1:123456789012:repository/etl'
    """
    partition = next(name for prefix, name in _PARTITIONS if registry.region.startswith(prefix))
    return f"arn:{partition}:ecr:{registry.region}:{registry.account}:repository/{repository}"


def pull_policy(registry: EcrRegistry, reference: ImageReference) -> dict[str, Any]:
    """Give what a cluster's instance profile needs to run an image, and nothing more."""
    return _policy(_PULL, repository_arn(registry, reference.repository))


def push_policy(registry: EcrRegistry, reference: ImageReference, *, create: bool = False) -> dict[str, Any]:
    """Give what whoever pushes an image needs.

    :param create: Whether they may make its repository.
    """
    actions = (*_PUSH, _CREATE) if create else _PUSH
    return _policy(sorted(actions), repository_arn(registry, reference.repository))


def _policy(actions: Any, repository: str) -> dict[str, Any]:
    # A token is of the account, not of a repository.
    token = {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}
    return {
        "Version": "2012-10-17",
        "Statement": [token, {"Effect": "Allow", "Action": list(actions), "Resource": repository}],
    }
