"""boto3 sessions of a local EMR, which see nothing of this process's own AWS settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.config import ACCESS_KEY, REGION, SECRET_KEY

if TYPE_CHECKING:
    import boto3


def local_session(url: str, region: str | None = None) -> boto3.Session:
    """Make a boto3 session whose clients and resources use a local EMR unless they are told otherwise.

    :param url: Its address.
    :param region: Region of its clients.

    >>> local_session("http://127.0.0.1:5005").client("s3").list_buckets()  # doctest: +SKIP
    """
    import boto3
    from botocore.config import Config

    from airflow_provider_emrkit.localemr.run.clients import isolated_session

    class LocalSession(boto3.Session):
        """A session with a default endpoint, which boto3 has only as a setting of the environment."""

        def client(self, *args: Any, **kwargs: Any) -> Any:
            return super().client(*args, **{"endpoint_url": url, **kwargs})

        def resource(self, *args: Any, **kwargs: Any) -> Any:
            return super().resource(*args, **{"endpoint_url": url, **kwargs})

    base = isolated_session()
    base.set_default_client_config(Config(s3={"addressing_style": "path"}, proxies={}))
    return LocalSession(
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=region or REGION,
        botocore_session=base,
    )
