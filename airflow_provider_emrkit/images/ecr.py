"""The repository of an image in ECR."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.account import AccountError, explained

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_emrkit.jobs.image_reference import EcrRegistry, ImageReference


class EcrRepository:
    """The repository that an image's name says.

    :param client: boto3 client for ECR in the registry's region.
    :param registry: The registry the name says.
    :param reference: The image's name, with a tag.
    :param whose: Gives the account the credentials are of.

    >>> EcrRepository(boto3.client("ecr"), reference.ecr, reference, whose).digest()  # doctest: +SKIP
    'sha256:…'
    """

    def __init__(
        self, client: Any, registry: EcrRegistry, reference: ImageReference, whose: Callable[[], str]
    ) -> None:
        self._client = client
        self._registry = registry
        self._reference = reference
        self._whose = whose

    def settings(self) -> dict[str, Any] | None:
        """Tell how the repository is set up; None when there is none.

        :raises AccountError: when ECR does not say.
        """
        found = self._ask(
            "describe_repositories",
            "RepositoryNotFoundException",
            registryId=self._registry.account,
            repositoryNames=[self._reference.repository],
        )
        return None if found is None else dict(found["repositories"][0])

    def create(self, *, immutable_tags: bool, scan: bool) -> bool:
        """Make the repository, encrypted as all of ECR's are; give False when somebody else just has.

        :param immutable_tags: Whether a tag always means the same image.
        :param scan: Whether ECR looks for known vulnerabilities in what is pushed.
        :raises AccountError: when ECR refuses, or the credentials are of another account.
        """
        account = self._whose()
        if account != self._registry.account:
            raise AccountError(f"{self._reference.name} can't be made: {self._other(account)}")
        made = self._ask(
            "create_repository",
            "RepositoryAlreadyExistsException",
            repositoryName=self._reference.repository,
            imageTagMutability="IMMUTABLE" if immutable_tags else "MUTABLE",
            imageScanningConfiguration={"scanOnPush": scan},
        )
        return made is not None

    def digest(self) -> str | None:
        """Give the digest of what has the image's tag in ECR; None when nothing has.

        :raises AccountError: when ECR does not say.
        """
        found = self._ask(
            "describe_images",
            "ImageNotFoundException",
            registryId=self._registry.account,
            repositoryName=self._reference.repository,
            imageIds=[{"imageTag": self._reference.tag}],
        )
        return None if found is None else str(found["imageDetails"][0]["imageDigest"])

    def ids(self) -> frozenset[str]:
        """Give all by which an engine may know what has the image's tag in ECR: its digest, and its id.

        The id is the digest of the image's configuration, which stays the same however its layers are packed.

        :raises AccountError: when ECR does not say.
        """
        found = self._ask(
            "batch_get_image",
            registryId=self._registry.account,
            repositoryName=self._reference.repository,
            imageIds=[{"imageTag": self._reference.tag}],
        )
        ids = set()
        for image in (found or {}).get("images", ()):
            manifest = json.loads(image["imageManifest"])
            ids |= {image["imageId"]["imageDigest"], manifest.get("config", {}).get("digest")}
        return frozenset(one for one in ids if one)

    def policy(self) -> str | None:
        """Give the repository's policy as JSON text; None when it has none.

        :raises AccountError: when ECR does not say.
        """
        found = self._ask(
            "get_repository_policy",
            "RepositoryPolicyNotFoundException",
            registryId=self._registry.account,
            repositoryName=self._reference.repository,
        )
        return None if found is None else str(found["policyText"])

    def set_policy(self, policy: Mapping[str, Any]) -> None:
        """Give the repository a policy.

        :raises AccountError: when ECR refuses.
        """
        self._ask(
            "set_repository_policy",
            registryId=self._registry.account,
            repositoryName=self._reference.repository,
            policyText=json.dumps(policy),
        )

    def auth(self) -> str:
        """Give a login of 12 hours: user and password in base64.

        :raises AccountError: when ECR gives none.
        """
        found = self._ask("get_authorization_token") or {}
        return str(found["authorizationData"][0]["authorizationToken"])

    def trouble(self) -> str:
        """Give what may be behind a refusal of ECR; empty when nothing is known of it."""
        try:
            account = self._whose()
        except AccountError:
            return ""
        return "" if account == self._registry.account else self._other(account)

    def _ask(self, operation: str, absent: str = "", **request: Any) -> dict[str, Any] | None:
        """Ask ECR; None for the one refusal that is an answer.

        :param absent: Name of that refusal.
        """
        from botocore.exceptions import ClientError

        expected = (getattr(self._client.exceptions, absent),) if absent else ()
        try:
            with explained():
                try:
                    return dict(getattr(self._client, operation)(**request))
                except expected:
                    return None
        except AccountError as error:
            # Where ECR can't be reached, nobody else is asked.
            if isinstance(error.__cause__, ClientError) and (trouble := self.trouble()):
                raise AccountError(f"{error}; {trouble}") from error
            raise

    def _other(self, account: str) -> str:
        return (
            f"the credentials are of account {account}, and the image's name says {self._registry.account}: "
            "choose a --profile of that account, or change the name"
        )
