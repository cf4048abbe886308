"""boto3 clients of the local services, which never see the user's AWS credentials, profile or proxies."""

from __future__ import annotations

import functools
import os
import threading
from typing import Any

from airflow_provider_emrkit.localemr.s3_access import S3Access

OWN_CLIENT = "localemr/own"
"""A word in the User-Agent of localemr's own requests, which faults on demand leave alone."""

_making = threading.Lock()


def aws_client(service: str, endpoint_url: str, region: str) -> Any:
    """Give a boto3 client of a local service; always the same one for the same place.

    A client of its own for each cluster would cost 15 MiB and a quarter of a second of each.

    :param service: Name of the service, e.g. ``s3``.
    :param endpoint_url: Address that answers it.
    :param region: AWS region the requests are signed for.
    """
    with _making:
        return _client(service, S3Access(endpoint_url), region)


def s3_client(s3: S3Access, region: str) -> Any:
    """Give a boto3 client of the S3 that is used, built-in or external; always the same one for the same.

    :param s3: How it is reached.
    :param region: AWS region the requests are signed for.
    """
    with _making:
        return _client("s3", s3, region)


@functools.lru_cache(maxsize=32)
def _client(service: str, access: S3Access, region: str) -> Any:
    import boto3
    from botocore.config import Config

    session = boto3.Session(
        aws_access_key_id=access.access_key,
        aws_secret_access_key=access.secret_key,
        aws_session_token=access.session_token,
        region_name=region,
        botocore_session=isolated_session(),
    )
    config = Config(
        s3={"addressing_style": "path"},
        retries={"max_attempts": 3},
        max_pool_connections=100,
        proxies={},
        user_agent_extra=OWN_CLIENT,
    )
    return session.client(service, endpoint_url=access.url, config=config)  # type: ignore[call-overload]


def isolated_session() -> Any:
    """Make a botocore session that reads neither the user's files nor a profile of the environment."""
    import botocore.session

    # A profile that is set but not there would be an error.
    nothing = {"profile": (None, None, None, None)}
    files = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    return botocore.session.Session(session_vars={**nothing, **files})
