"""The AWS account that a command of ``emrkit`` works in, without Airflow and its connections."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.patience import patiently

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator


class AccountError(Exception):
    """AWS can't be asked, or does not do what it is asked for; the message says why and how to mend it."""


def add_account_options(parser: argparse.ArgumentParser, title: str = "account") -> None:
    """Add what says which account is meant to a command's parser.

    :param title: Of the group of options.
    """
    account = parser.add_argument_group(title)
    account.add_argument("--region", help="AWS region of the clusters (default: that of the profile)")
    account.add_argument("--profile", help="profile with the AWS credentials (default: as boto3 finds them)")
    account.add_argument("--endpoint-url", metavar="URL", help="another address for AWS, as of a local EMR")


def open_session(given: argparse.Namespace) -> Any:
    """Make the boto3 session of what :func:`add_account_options` has read.

    :raises AccountError: when there is no boto3, no region, or no such profile.

    >>> open_session(parser.parse_args(["--region", "eu-west-1"]))  # doctest: +SKIP
    Session(region_name='eu-west-1')
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise AccountError("boto3 is not installed; it comes with apache-airflow-providers-amazon") from error
    try:
        return boto3.Session(profile_name=given.profile, region_name=given.region)
    except BotoCoreError as error:
        raise AccountError(_unusable(error)) from error


def open_client(session: Any, service: str, given: argparse.Namespace) -> Any:
    """Make a client of a service, where the options say.

    :raises AccountError: when there is no region, or the endpoint is no address.
    """
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    # A bucket's name in front of a local address resolves to nothing.
    config = Config(s3={"addressing_style": "path"}) if given.endpoint_url else None
    try:
        return session.client(service, endpoint_url=given.endpoint_url, config=config)
    except (BotoCoreError, ValueError) as error:
        raise AccountError(_unusable(error)) from error


class PatientClient:
    """A client whose calls wait while AWS limits their rate; only for what may be asked twice.

    Airflow needs the same quotas: what people ask by hand may take a minute rather than fail.

    :param client: boto3 client, which has tried again by itself what fails for other reasons.
    :param pause: Waits some seconds; gives True when the work is to stop.

    >>> PatientClient(boto3.client("emr"), Event().wait).list_clusters()  # doctest: +SKIP
    """

    def __init__(self, client: Any, pause: Callable[[float], bool]) -> None:
        self._client = client
        self._pause = pause

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        call = getattr(self._client, operation)
        return lambda **request: patiently(partial(call, **request), self._pause, faults=1)


def _unusable(error: Exception) -> str:
    return f"{str(error).rstrip('.')}; see --region, --profile, --endpoint-url"


@contextlib.contextmanager
def explained(kind: type[Exception] = AccountError) -> Iterator[None]:
    """Turn what botocore raises into one sentence.

    :param kind: What is raised instead.
    """
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except NoCredentialsError as error:
        raise kind(
            "no AWS credentials were found; choose a --profile, "
            'or for a local EMR: eval "$(emrkit local env)"'
        ) from error
    except ClientError as error:
        raise kind(refusal(error)) from error
    except BotoCoreError as error:
        raise kind(f"AWS could not be asked: {error}") from error


def refusal(error: Any) -> str:
    """Put a refusal of AWS (``ClientError``) into words."""
    found = error.response.get("Error", {})
    return f"{error.operation_name} was refused: {found.get('Message') or error} ({found.get('Code')})"
