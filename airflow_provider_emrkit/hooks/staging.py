"""Puts the local files of a job where a cluster finds them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_emrkit.exceptions import StagingError
from airflow_provider_emrkit.hooks.errors import error_code, explain, is_aws_error
from airflow_provider_emrkit.hooks.patience import patiently
from airflow_provider_emrkit.jobs.staging import (
    StagedFile,
    local_files,
    resolve,
    staged_file,
    with_uris,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.jobs.spark_job import SparkJob


def stage(
    job: SparkJob,
    base_dir: str | Path,
    staging_uri: str | None,
    s3_client: Callable[[], Any],
    say: Callable[[str], None],
    pause: Callable[[float], bool],
) -> SparkJob:
    """Give the job with its local files on S3, uploading what is not there yet (HeadObject, PutObject).

    :param base_dir: Folder that relative paths start from.
    :param staging_uri: ``s3://bucket/prefix`` to put files below.
    :param s3_client: Gives the S3 client; called only when there is something to stage.
    :param say: Gets one line for each file.
    :param pause: Waits some seconds, while S3 can't be reached; gives True when the work is to stop.
    :raises InvalidValueError: when a local file is missing.
    :raises StagingError: when there is no ``staging_uri``, or S3 refuses.
    """
    job = resolve(job, base_dir)
    paths = local_files(job)
    if not paths:
        return job
    if not staging_uri:
        raise StagingError(
            f"{Path(paths[0]).name} is a local file and the emrkit connection has no staging_uri; "
            "set it to s3://your-bucket/prefix, or give s3:// paths"
        )
    s3 = s3_client()
    return with_uris(
        job, {path: stage_file(staged_file(path), staging_uri, s3, say, pause) for path in paths}
    )


def stage_file(
    file: StagedFile, staging_uri: str, s3: Any, say: Callable[[str], None], pause: Callable[[float], bool]
) -> str:
    """Put one file to S3 where it is not there yet (HeadObject, PutObject).

    :param staging_uri: ``s3://bucket/prefix`` to put it below.
    :param s3: boto3 client of S3.
    :param say: Gets one line about it.
    :param pause: Waits some seconds, while S3 can't be reached; gives True when the work is to stop.
    :return: Its URI.
    :raises StagingError: when S3 refuses.
    """
    bucket, key = _location(staging_uri, file.key)
    uri = f"s3://{bucket}/{key}"
    name = Path(file.path).name
    try:
        if patiently(lambda: _exists(s3, bucket, key), pause):
            say(f"Staged {name}: unchanged, at {uri}")
            return uri
        size = patiently(lambda: _upload(s3, bucket, key, file), pause)
    except Exception as error:
        if not is_aws_error(error) and not _is_transfer_error(error):
            raise
        raise StagingError(f"{name} could not be put to {uri}: {_why(error, bucket)}") from error
    say(f"Staged {name}: {shown_size(size)} to {uri}")
    return uri


def _location(staging_uri: str, key: str) -> tuple[str, str]:
    parts = urlsplit(staging_uri)
    return parts.netloc, "/".join(part for part in (parts.path.strip("/"), key) if part)


def _exists(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except s3.exceptions.ClientError as error:
        # Without s3:ListBucket, S3 answers 403 for an object that is not there.
        if error_code(error) in ("404", "403", "NoSuchKey", "NotFound", "AccessDenied", "Forbidden"):
            return False
        raise
    return True


def _upload(s3: Any, bucket: str, key: str, file: StagedFile) -> int:
    if file.content is None:
        s3.upload_file(file.path, bucket, key)
        return Path(file.path).stat().st_size
    s3.upload_fileobj(io.BytesIO(file.content), bucket, key)
    return len(file.content)


def _is_transfer_error(error: BaseException) -> bool:
    from boto3.exceptions import S3UploadFailedError

    return isinstance(error, S3UploadFailedError)


def _why(error: BaseException, bucket: str) -> str:
    if error_code(error) == "NoSuchBucket" or "NoSuchBucket" in str(error):
        return f"there is no bucket {bucket}; create it, or correct staging_uri of the emrkit connection"
    if "AccessDenied" in str(error):
        return f"permission is missing on bucket {bucket}; allow s3:PutObject to the AWS connection's role"
    return explain(error, None)


def shown_size(size: int) -> str:
    """Write a number of bytes for people.

    >>> shown_size(1536)
    '1.5 KiB'
    """
    if size < 1024:
        return f"{size} bytes"
    for power, unit in enumerate(("KiB", "MiB"), start=1):
        if size < 1024 ** (power + 1):
            return f"{size / 1024**power:.1f} {unit}"
    return f"{size / 1024**3:.1f} GiB"
