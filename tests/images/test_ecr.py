"""The repository of an image in ECR, asked for through botocore."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.account import AccountError
from airflow_provider_emrkit.images.ecr import EcrRepository
from airflow_provider_emrkit.images.policies import push_policy
from airflow_provider_emrkit.jobs.image_reference import ImageReference

REFERENCE = ImageReference.parse("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/etl:1.4")
OURS = "123456789012"


@pytest.fixture
def client(localemr_server):
    return localemr_server.client("ecr")


@pytest.fixture
def repository(client):
    return EcrRepository(client, REFERENCE.ecr, REFERENCE, lambda: OURS)


def refusing(client, code, cause="not authorized to perform"):
    """Let ECR refuse everything."""

    def refuse(**_):
        body = f'{{"__type": "{code}", "message": "{cause}"}}'.encode()
        from botocore.awsrequest import AWSResponse

        class Raw:
            def stream(self, **_):
                yield body

        return AWSResponse("https://ecr", 400, {}, Raw())

    client.meta.events.register("before-send.ecr", refuse)


def test_a_repository_that_is_not_there_has_no_settings(repository):
    assert repository.settings() is None


def test_a_repository_that_somebody_else_makes_at_the_same_time_is_theirs(repository, client):
    assert repository.create(immutable_tags=True, scan=False) is True
    assert repository.create(immutable_tags=False, scan=True) is False
    assert repository.settings()["imageTagMutability"] == "IMMUTABLE"
    assert len(client.describe_repositories()["repositories"]) == 1


def test_a_tag_that_nothing_has_has_no_digest(repository):
    repository.create(immutable_tags=False, scan=False)
    assert repository.digest() is None


def test_a_refusal_is_one_sentence(repository, client):
    refusing(client, "AccessDeniedException")
    with pytest.raises(AccountError, match="DescribeRepositories was refused: not authorized"):
        repository.settings()


def test_a_refusal_to_another_account_says_whose_credentials_these_are(client):
    refusing(client, "AccessDeniedException")
    repository = EcrRepository(client, REFERENCE.ecr, REFERENCE, lambda: "111111111111")
    with pytest.raises(
        AccountError, match=r"of account 111111111111.* says 123456789012: choose a --profile"
    ):
        repository.settings()


def test_a_refusal_whose_account_can_not_be_told_is_told_all_the_same(client):
    def unknown():
        raise AccountError("GetCallerIdentity was refused")

    refusing(client, "AccessDeniedException")
    repository = EcrRepository(client, REFERENCE.ecr, REFERENCE, unknown)
    with pytest.raises(AccountError, match="DescribeRepositories was refused"):
        repository.settings()


def test_where_ecr_can_not_be_reached_nobody_else_is_asked(client):
    asked = []
    repository = EcrRepository(client, REFERENCE.ecr, REFERENCE, lambda: asked.append(1) or OURS)

    def unreachable(**_):
        from botocore.exceptions import EndpointConnectionError

        raise EndpointConnectionError(endpoint_url="https://ecr")

    client.meta.events.register("before-send.ecr", unreachable)
    with pytest.raises(AccountError, match="AWS could not be asked"):
        repository.settings()
    assert asked == []


def test_all_that_is_asked_of_ecr_is_in_the_policy_to_push(repository, client):
    asked = set()
    client.meta.events.register("before-call.ecr", lambda model, **_: asked.add(f"ecr:{model.name}"))
    repository.settings()
    repository.create(immutable_tags=False, scan=False)
    repository.digest()
    repository.ids()
    repository.auth()
    policy = push_policy(REFERENCE.ecr, REFERENCE, create=True)
    allowed = {"ecr:GetAuthorizationToken", *policy["Statement"][1]["Action"]}
    assert asked
    assert asked <= allowed
