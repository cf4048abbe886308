"""boto3 clients of the local endpoint, which never see the user's AWS credentials, profile or proxies."""

from __future__ import annotations

import functools
import os
import threading
from typing import Any

_making = threading.Lock()


def aws_client(service: str, endpoint_url: str, region: str) -> Any:
    """Give a boto3 client of a local service; always the same one for the same place.

    A client of its own for each cluster would cost 15 MiB and a quarter of a second of each.

    :param service: Name of the service, e.g. ``s3``.
    :param endpoint_url: Address that answers it.
    :param region: AWS region the requests are signed for.
    """
    with _making:
        return _client(service, endpoint_url, region)


@functools.lru_cache(maxsize=32)
def _client(service: str, endpoint_url: str, region: str) -> Any:
    import boto3
    import botocore.session
    from botocore.config import Config

    # Read neither from the environment nor from files: a profile that is set but not there would be an error.
    nothing = {"profile": (None, None, None, None)}
    files = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    session = boto3.Session(
        aws_access_key_id="localemr",
        aws_secret_access_key="localemr",  # noqa: S106 - worth nothing anywhere
        region_name=region,
        botocore_session=botocore.session.Session(session_vars={**nothing, **files}),
    )
    config = Config(
        s3={"addressing_style": "path"}, retries={"max_attempts": 3}, max_pool_connections=100, proxies={}
    )
    return session.client(service, endpoint_url=endpoint_url, config=config)  # type: ignore[call-overload]
