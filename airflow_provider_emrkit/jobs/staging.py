"""The local files of a job, and the S3 keys they are staged under.

A key holds the hash of the content: an unchanged file is uploaded once, and a changed one never replaces a
file that a running job still reads. This module reads files; uploading is the hook's work.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.jobs.spark_job import FILE_FIELDS, OWNER, SparkJob
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

HASH_DIGITS = 32

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:/")
# Spark takes every path for a URI, so that other characters than these would be lost or misread on the way.
_FILE_NAME = re.compile(r"[\w.+=@-]+")
_NOT_SHIPPED = frozenset({"__pycache__"})
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclasses.dataclass(frozen=True)
class StagedFile:
    """A local file, or a zipped directory, as it goes to S3.

    :param key: Key below the staging prefix: ``<32 hex digits of the content's SHA-256>/<file name>``.
    :param path: The local path it was read from.
    :param content: The bytes to upload for a directory; None for a file, whose bytes are at ``path``.

    >>> staged_file(__file__).key.endswith("/staging.py")
    True
    """

    key: str
    path: str
    content: bytes | None = None


def is_local(path: str) -> bool:
    """Tell whether a path has no scheme and hence is a file beside the DAG that has to be staged."""
    return not _SCHEME.match(path)


def local_files(job: SparkJob) -> tuple[str, ...]:
    """Give the local paths of a job, each once, in the order of its fields and without ``#fragment``."""
    paths = (_split(path, field)[0] for field, path in _paths(job))
    return tuple(dict.fromkeys(path for path in paths if is_local(path)))


def staged_key(path: str) -> str:
    """Give the key a local file is staged under; see :class:`StagedFile`.

    :param path: A file, or a directory of Python code.
    :raises OSError: when it can't be read.
    """
    return staged_file(path).key


def staged_file(path: str) -> StagedFile:
    """Hash a local file, or zip a directory of Python code and hash the zip.

    :param path: A file, or a directory of Python code.
    :raises OSError: when it can't be read.
    """
    local = Path(path)
    if local.is_dir():
        content = zip_directory(local)
        digest = hashlib.sha256(content).hexdigest()
        return StagedFile(f"{digest[:HASH_DIGITS]}/{local.name}.zip", path, content)
    return StagedFile(f"{_file_digest(local)[:HASH_DIGITS]}/{local.name}", path)


def with_uris(job: SparkJob, uris: Mapping[str, str]) -> SparkJob:
    """Give the job with its local paths replaced by where they were staged; each ``#fragment`` is kept.

    :param uris: URI for every path of :func:`local_files`.
    :raises KeyError: when one is missing.
    """

    def staged(field: str, path: str) -> str:
        local, fragment = _split(path, field)
        return uris[local] + fragment if is_local(local) else path

    return _with_paths(job, staged)


def resolve(job: SparkJob, base_dir: str | Path) -> SparkJob:
    """Give the job with its local paths absolute, looked up from a folder, and check that they are there.

    :param base_dir: Folder of the DAG file.
    :raises InvalidValueError: when a file is missing, is a directory outside ``py_files``, or has a name that
        can't be part of a URI.
    """

    def resolved(field: str, path: str) -> str:
        local, fragment = _split(path, field)
        return _found(field, local, Path(base_dir)) + fragment if is_local(local) else path

    return _with_paths(job, resolved)


def zip_directory(directory: Path) -> bytes:
    """Zip a directory of Python code; the same files always give the same bytes.

    A package (a directory with an ``__init__.py``) keeps its own name inside, so that it is imported by it;
    of any other directory the content is put at the top. Hidden files and compiled code stay behind; links to
    directories aren't followed.

    :raises OSError: when a file can't be read.
    """
    root = directory.parent if (directory / "__init__.py").is_file() else directory
    buffer = io.BytesIO()
    # Stored, not compressed: the compressed bytes depend on the version of zlib.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(_code_files(directory), key=lambda found: found.relative_to(root).parts):
            entry = zipfile.ZipInfo(file.relative_to(root).as_posix(), _ZIP_EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, file.read_bytes())
    return buffer.getvalue()


def _code_files(directory: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(directory):
        folders[:] = [name for name in folders if name not in _NOT_SHIPPED and not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and not name.endswith(".pyc"):
                yield Path(folder, name)


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _paths(job: SparkJob) -> Iterator[tuple[str, str]]:
    yield "entry_point", job.entry_point
    for field in FILE_FIELDS:
        for path in getattr(job, field):
            yield field, path


def _split(path: str, field: str) -> tuple[str, str]:
    """Part a path from its ``#name``, which only files and archives have."""
    if field not in ("files", "archives"):
        return path, ""
    local, mark, name = path.partition("#")
    return local, mark + name


def _with_paths(job: SparkJob, change: Callable[[str, str], str]) -> SparkJob:
    lists: dict[str, Any] = {
        field: tuple(change(field, path) for path in getattr(job, field)) for field in FILE_FIELDS
    }
    return dataclasses.replace(job, entry_point=change("entry_point", job.entry_point), **lists)


def _found(field: str, path: str, base_dir: Path) -> str:
    found = base_dir / path
    if not found.exists():
        mend = (
            "correct the path; a file that is on the cluster already is written local:/path, one on S3 s3://…"
        )
        raise InvalidValueError(OWNER, field, path, f"is not in {base_dir}", mend)
    if found.is_dir() and field != "py_files":
        raise InvalidValueError(
            OWNER, field, path, "is a directory", "give a file; py_files takes directories"
        )
    if not _FILE_NAME.fullmatch(found.name):
        mend = "rename the file; use letters, digits and . _ - + = @"
        raise InvalidValueError(OWNER, field, path, "has a name that Spark can't take as part of a URI", mend)
    return os.path.abspath(found)  # noqa: PTH100 - Path.resolve would follow links and change the file's name
