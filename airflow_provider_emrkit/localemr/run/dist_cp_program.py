"""The ``s3-dist-cp`` of a cluster: copies between S3, the cluster's HDFS and this machine."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, cast
from urllib.parse import unquote

from airflow_provider_emrkit.localemr.run.dist_cp import (
    DistCpError,
    Output,
    Request,
    Source,
    parse_arguments,
    plan,
)
from airflow_provider_emrkit.localemr.spark.hdfs import HOME, local_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_S3 = ("s3", "s3n", "s3a")
_AT_ONCE = 8


def main(argv: Sequence[str]) -> NoReturn:
    """Copy, and exit.

    :param argv: Path of the cluster's settings, name of the program, its arguments.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    settings, tool, *args = argv
    try:
        run(args, Files(boto3.client("s3"), Path(settings).parent))
    except (DistCpError, OSError, EOFError, ClientError, BotoCoreError, boto3.exceptions.Boto3Error) as error:
        sys.exit(f"{tool}: {error}")
    sys.exit(0)


def run(args: Sequence[str], files: Files) -> None:
    """Carry out a command line.

    :raises DistCpError: when it can't be done; nothing is deleted then.
    """
    asked = parse_arguments(args)
    request = replace(asked, src=files.qualified(asked.src), dest=files.qualified(asked.dest))
    outputs = plan(request, _sources(request, files))
    _say(f"Created {len(outputs)} files to copy from {request.src} to {request.dest}")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        # The list takes the first error out of the threads.
        list(pool.map(lambda output: files.write(output, request), outputs))
    if request.delete:
        written = {output.uri for output in outputs}
        for source in {source.uri for output in outputs for source in output.sources} - written:
            files.delete(source)


def _sources(request: Request, files: Files) -> list[Source]:
    roots = [request.src]
    if request.prefixes_file:
        with files.open(files.qualified(request.prefixes_file)) as file:
            lines = file.read().decode("utf-8").split("\n")
        roots = [files.qualified(line.strip()) for line in lines if line.strip()]
    found = {source for root in roots for source in files.below(root)}
    if not found and not request.prefixes_file:
        raise DistCpError(f"File does not exist: {request.src}")
    return sorted(found)


class Files:
    """The files of S3, of a cluster's HDFS and of this machine, by their URIs.

    :param client: A boto3 client of S3.
    :param data_dir: The cluster's directory.

    >>> files = Files(boto3.client("s3"), Path("/c/j-1"))  # doctest: +SKIP
    >>> files.qualified("/data")  # doctest: +SKIP
    'hdfs:///data'
    """

    def __init__(self, client: Any, data_dir: Path) -> None:
        self._s3 = client
        self._data_dir = data_dir

    def qualified(self, text: str) -> str:
        """Give the whole URI of a path; one without a scheme is on HDFS, whose name nodes are all one."""
        scheme, found, rest = text.partition("://")
        if not found and text.startswith("file:/"):
            scheme, found, rest = "file", "://", text.removeprefix("file:")
        if not found:
            return f"hdfs://{text if text.startswith('/') else f'{HOME}/{text}'}"
        if scheme in _S3:
            return f"s3://{rest}"
        if scheme not in ("hdfs", "file"):
            raise DistCpError(f"{text}: the scheme {scheme} is not known here; use s3, hdfs or file")
        return f"{scheme}:///{rest.partition('/')[2]}"

    def below(self, uri: str) -> Iterator[Source]:
        """List a file, or all files below a directory."""
        if uri.startswith("s3://"):
            yield from self._keys(uri)
            return
        root = self._path(uri)
        if root.is_file():
            yield Source(uri, root.stat().st_size)
        for folder, _, names in os.walk(root):
            for name in names:
                path = Path(folder, name)
                yield Source(f"{uri.rstrip('/')}/{path.relative_to(root)}", path.stat().st_size)

    def _keys(self, uri: str) -> Iterator[Source]:
        bucket, key = _parts(uri)
        prefix = key.rstrip("/")
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for item in (item for page in pages for item in page.get("Contents", ())):
            name = item["Key"]
            is_below = not prefix or name == key or name.startswith(f"{prefix}/")
            if is_below and not name.endswith("/"):
                yield Source(f"s3://{bucket}/{name}", item["Size"])

    def open(self, uri: str) -> IO[bytes]:
        """Open a file for reading."""
        if not uri.startswith("s3://"):
            return self._path(uri).open("rb")
        bucket, key = _parts(uri)
        return cast("IO[bytes]", self._s3.get_object(Bucket=bucket, Key=key)["Body"])

    def delete(self, uri: str) -> None:
        """Delete a file."""
        _say(f"Deleting {uri}")
        if uri.startswith("s3://"):
            bucket, key = _parts(uri)
            self._s3.delete_object(Bucket=bucket, Key=key)
        else:
            self._path(uri).unlink()

    def write(self, output: Output, request: Request) -> None:
        """Write one file; it appears whole or not at all."""
        _say(f"Copying {len(output.sources)} files to {output.uri}")
        extra = {"StorageClass": request.storage_class} if request.storage_class else {}
        is_on_s3 = output.uri.startswith("s3://")
        only = output.sources[0].uri
        if is_on_s3 and len(output.sources) == 1 and only.startswith("s3://") and request.codec == "keep":
            bucket, key = _parts(only)
            self._s3.copy({"Bucket": bucket, "Key": key}, *_parts(output.uri), ExtraArgs=extra)
            return
        target = None if is_on_s3 else self._path(output.uri)
        if target:
            target.parent.mkdir(parents=True, exist_ok=True)
        folder = target.parent if target else None
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".", delete=False) as file:
            try:
                self._fill(file, output, request)
                file.flush()
                if target:
                    Path(file.name).chmod(0o644)
                    Path(file.name).replace(target)
                else:
                    self._s3.upload_file(file.name, *_parts(output.uri), ExtraArgs=extra)
            finally:
                Path(file.name).unlink(missing_ok=True)

    def _fill(self, file: IO[bytes], output: Output, request: Request) -> None:
        with contextlib.ExitStack() as stack:
            sink: Any = file
            if request.codec in ("gz", "gzip"):
                sink = stack.enter_context(gzip.GzipFile(fileobj=file, mode="wb"))
            for source in output.sources:
                with contextlib.closing(self.open(source.uri)) as stream:
                    is_packed = request.codec != "keep" and source.uri.endswith(".gz")
                    shutil.copyfileobj(gzip.GzipFile(fileobj=stream) if is_packed else stream, sink)

    def _path(self, uri: str) -> Path:
        if uri.startswith("file://"):
            return Path(unquote(uri.removeprefix("file://")))
        try:
            return local_path(uri, self._data_dir)
        except ValueError as error:
            raise DistCpError(str(error)) from error


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _say(line: str) -> None:
    print(f"INFO s3-dist-cp: {line}", file=sys.stderr, flush=True)
