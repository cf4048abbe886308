"""Finds the logs that are archived in a folder on S3."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_emrkit.hooks.errors import error_code
from airflow_provider_emrkit.logs.s3_files import S3LogFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

# Pages of 1,000 objects that are looked at.
MAX_PAGES = 20


@dataclass(frozen=True)
class Part:
    """What an object is a part of.

    :param log: Key of the object that holds the end of the log, and is written to.
    :param label: What the log's lines are marked with.
    :param order: Sorts the parts that were put aside; empty for the end.

    >>> Part("j-1/steps/s-1/stderr.gz", "submit").order
    ''
    """

    log: str
    label: str
    order: str = ""


@dataclass(frozen=True)
class S3Folder:
    """A folder with logs on S3.

    :param s3: boto3 client of S3.
    :param bucket: Bucket.
    :param prefix: What the keys of its objects start with.
    :param part: Tells what the object of a key is a part of; None for what is no log of interest.

    >>> S3Folder(boto3.client("s3"), "logs", "j-1/steps/s-1/", part).logs()  # doctest: +SKIP
    """

    s3: Any = field(repr=False)
    bucket: str
    prefix: str
    part: Callable[[str], Part | None]

    def logs(self) -> Sequence[S3LogFile]:
        """Give the logs that are there (ListObjectsV2)."""
        labels: dict[str, str] = {}
        etags: dict[str, str] = {}
        older: dict[str, list[tuple[str, str]]] = {}
        for entry in self._objects():
            part = self.part(entry["Key"])
            if part is None:
                continue
            labels[part.log] = part.label
            if part.order:
                older.setdefault(part.log, []).append((part.order, entry["Key"]))
            else:
                etags[part.log] = entry["ETag"]
        return [
            S3LogFile(self.s3, self.bucket, key, labels[key], _in_order(older.get(key, ())), etags.get(key))
            for key in sorted(labels, key=_folder_and_file)
        ]

    def _objects(self) -> Iterator[Mapping[str, Any]]:
        try:
            yield from objects_below(self.s3, self.bucket, self.prefix, MAX_PAGES)
        except self.s3.exceptions.ClientError as error:
            if error_code(error) != "NoSuchBucket":
                raise


def _in_order(parts: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    # By length first: the tenth comes after the ninth.
    return tuple(key for order, key in sorted(parts, key=lambda part: (len(part[0]), part)))


def _folder_and_file(key: str) -> tuple[str, bool]:
    folder, _, file = key.rpartition("/")
    return folder, file.startswith("stderr")


def objects_below(s3: Any, bucket: str, prefix: str, max_pages: int) -> Iterator[Mapping[str, Any]]:
    """List the objects whose keys start with a prefix (ListObjectsV2).

    :param max_pages: Calls to make at most; each gives up to 1,000 objects.
    """
    request = {"Bucket": bucket, "Prefix": prefix}
    for _ in range(max_pages):
        page = s3.list_objects_v2(**request)
        yield from page.get("Contents", [])
        if not page.get("NextContinuationToken"):
            return
        request["ContinuationToken"] = page["NextContinuationToken"]


def bucket_and_prefix(uri: str) -> tuple[str, str]:
    """Part an S3 URI (EMR writes ``s3n://`` too) into bucket and prefix, empty or ending in a slash.

    >>> bucket_and_prefix("s3n://logs/emr")
    ('logs', 'emr/')
    """
    parts = urlsplit(uri)
    path = parts.path.strip("/")
    return parts.netloc, f"{path}/" if path else ""
