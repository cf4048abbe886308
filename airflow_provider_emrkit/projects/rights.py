"""The policies that a package needs: of its image's repository, and of the role its runs take. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.images.job_role import job_role_policy, job_role_trust
from airflow_provider_emrkit.images.policies import serverless_repository_policy

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY, ROLE, TRUST = "ecr-policy.json", "job-role-policy.json", "job-role-trust.json"


@dataclass(frozen=True)
class Rights:
    """Who runs the package where, and what its runs may do.

    :param account: AWS account of the application, 12 digits.
    :param region: Its AWS region.
    :param applications: Ids of the applications; none for all of the account and region.
    :param reads: What runs read: ``s3://bucket/prefix``.
    :param writes: What they read, write and delete.
    :param logs: Where EMR Serverless archives their logs.
    :param glue: Whether they use the Glue Data Catalog.

    >>> sorted(Rights("123456789012", "us-east-1").policies(has_image=False))
    ['job-role-policy.json', 'job-role-trust.json']
    """

    account: str
    region: str
    applications: Sequence[str] = ()
    reads: Sequence[str] = ()
    writes: Sequence[str] = ()
    logs: Sequence[str] = ()
    glue: bool = False

    @property
    def repository(self) -> dict[str, Any]:
        """The policy of the image's repository, from which EMR Serverless pulls."""
        return serverless_repository_policy(self.account, self.region, self.applications)

    def policies(self, *, has_image: bool) -> dict[str, dict[str, Any]]:
        """Give the policies by the names of their files.

        :param has_image: Whether runs are in an image of ECR.
        :raises InvalidValueError: when a field can't be right.
        """
        where = (self.account, self.region)
        role = job_role_policy(*where, reads=self.reads, writes=self.writes, logs=self.logs, glue=self.glue)
        return {
            **({REPOSITORY: self.repository} if has_image else {}),
            ROLE: role,
            TRUST: job_role_trust(*where, self.applications),
        }
