"""Multipart uploads that a killed job has left on S3: nobody sees them, but their parts take space.

Our ``s3://`` file system keeps a small file beside its temporary ones for each upload that is under way
(``UploadRecord.java``). Where one is left when the job's processes are gone, S3 is told to forget the upload.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

log = logging.getLogger(__name__)

_RECORDS = "emrkit-s3-*.upload"


def abort_leftover_uploads(client: Any, directory: Path) -> None:
    """Abort the uploads whose records lie in a directory; its processes are gone. What fails is logged.

    :param client: A boto3 client of S3.
    :param directory: The temporary files' directory of a command.
    """
    for record in sorted(directory.glob(_RECORDS)):
        _end(client, record)


def _end(client: Any, record: Path) -> None:
    try:
        bucket, upload_id, key = record.read_text(encoding="utf-8").split("\n", 2)
        _abort(client, bucket, key.removesuffix("\n"), upload_id)
        record.unlink()
    except Exception as error:
        # A job may write what it likes into its own directory.
        log.warning("the upload of %s can't be aborted: %s", record.name, error)


def _abort(client: Any, bucket: str, key: str, upload_id: str) -> None:
    from botocore.exceptions import ClientError

    try:
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    except ClientError as error:
        if error.response["Error"].get("Code") not in ("NoSuchUpload", "NoSuchBucket"):
            raise


def keep_records(commands: Iterable[Path], directory: Path) -> None:
    """Move the records of commands whose files are about to be removed, for :func:`abort_leftover_uploads`.

    :param commands: The commands' own directories.
    :param directory: Where they are kept.
    """
    for command in commands:
        for record in (*command.glob(f"work/tmp/{_RECORDS}"), *command.glob(f"tmp/{_RECORDS}")):
            with contextlib.suppress(OSError):
                directory.mkdir(parents=True, exist_ok=True)
                record.rename(directory / record.name)
