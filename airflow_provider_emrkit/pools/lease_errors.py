"""What S3 answers about a lease, as errors that say what to do about it."""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow_provider_emrkit.exceptions import LeaseDeniedError, LeaseError, LeasePlaceError
from airflow_provider_emrkit.hooks.errors import error_code, explain, is_aws_error, is_denied
from airflow_provider_emrkit.logs.text import one_line
from airflow_provider_emrkit.pools.lease_object import UnknownOutcomeError


def typed(error: Exception, what: str, uri: str) -> Exception:
    """Give emrkit's error for one of S3; any other as it is.

    :param what: What did not work, e.g. ``the lease could not be taken``.
    :param uri: The lease's S3 object.
    """
    bucket = urlsplit(uri).netloc
    if isinstance(error, UnknownOutcomeError):
        return LeaseError(f"{what}: S3 does not tell what became of the write: {one_line(str(error))}")
    if not is_aws_error(error):
        return error
    if is_denied(error):
        return LeaseDeniedError(
            f"{what}: {one_line(explain(error, None))}; it takes s3:GetObject and s3:PutObject on {uri}, and "
            f"s3:ListBucket on {bucket} to see that there is none yet"
        )
    if error_code(error) == "NoSuchBucket":
        return LeasePlaceError(
            f"{what}: there is no bucket {bucket}; create it, or correct staging_uri of the emrkit "
            "connection or the pool's lease_uri"
        )
    if error_code(error) == "NotImplemented":
        return LeasePlaceError(f"{what}: this S3 knows no conditional writes (If-Match, If-None-Match)")
    return LeaseError(f"{what}: {one_line(explain(error, None))}")
