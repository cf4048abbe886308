"""Hadoop's FileSystem, seen from Python: what the contract checks are written with."""

from __future__ import annotations

import os
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import boto3
from py4j.protocol import Py4JJavaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import SparkSession

BUCKET = "contract_bucket"
ENDPOINT = os.environ.get("TEST_S3_ENDPOINT", "")


class Files:
    """One directory of a file system.

    :param base: Its URI, e.g. ``s3://bucket/some/dir``; names are relative to it.
    :param settings: Hadoop properties for a file system of its own; none shares Spark's.
    """

    def __init__(self, spark: SparkSession, base: str, **settings: str) -> None:
        self.spark, self.base = spark, base
        self.jvm: Any = spark._jvm
        self.conf = self.jvm.org.apache.hadoop.conf.Configuration(spark._jsc.hadoopConfiguration())
        for key, value in settings.items():
            self.conf.set(key.replace("_", "."), value)
        root = self.path("")
        if settings:
            self.fs = self.jvm.org.apache.hadoop.fs.FileSystem.newInstance(root.toUri(), self.conf)
        else:
            self.fs = root.getFileSystem(self.conf)

    def with_settings(self, **settings: str) -> Files:
        """The same directory in a file system with other properties."""
        return Files(self.spark, self.base, **settings)

    def path(self, name: str) -> Any:
        """A Path below the base, or of a whole URI."""
        return self.jvm.org.apache.hadoop.fs.Path(
            name if "://" in name else f"{self.base}/{name}".rstrip("/")
        )

    def create(self, name: str, overwrite: bool = True) -> Any:
        """Open a file for writing."""
        return self.fs.create(self.path(name), overwrite)

    def write(self, name: str, data: bytes = b"x", overwrite: bool = True) -> None:
        """Write a whole file."""
        out = self.create(name, overwrite)
        out.write(bytearray(data))
        out.close()

    def read(self, name: str) -> bytes:
        """Read a whole file."""
        stream = self.fs.open(self.path(name))
        try:
            return bytes(self.jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
        finally:
            stream.close()

    def status(self, name: str) -> Any:
        """The FileStatus."""
        return self.fs.getFileStatus(self.path(name))

    def kind(self, name: str) -> str:
        """``file``, ``dir`` or ``none``."""
        if not self.fs.exists(self.path(name)):
            return "none"
        return "dir" if self.status(name).isDirectory() else "file"

    def rename(self, source: str, target: str) -> bool:
        """Rename."""
        return bool(self.fs.rename(self.path(source), self.path(target)))

    def delete(self, name: str, recursive: bool = True) -> bool:
        """Delete."""
        return bool(self.fs.delete(self.path(name), recursive))

    def mkdirs(self, name: str) -> bool:
        """Make a directory and its parents."""
        return bool(self.fs.mkdirs(self.path(name)))

    def names(self, name: str) -> list[str]:
        """The names in a directory."""
        return sorted(status.getPath().getName() for status in self.fs.listStatus(self.path(name)))

    def tree(self, name: str) -> list[str]:
        """All files below a directory, relative to the base."""
        files, prefix = self.fs.listFiles(self.path(name), True), f"{self.path('')}/"
        found = []
        while files.hasNext():
            found.append(files.next().getPath().toString().removeprefix(prefix))
        return sorted(found)


def raises(java_class: str, text: str, call: Callable[[], Any]) -> None:
    """Assert that a call throws the Java exception, with the text in its message."""
    thrown, message = exception_of(call)
    assert thrown == java_class, message
    assert text in message


def exception_of(call: Callable[[], Any]) -> tuple[str, str]:
    """The class and the message of the Java exception that a call throws."""
    try:
        answer = call()
    except Py4JJavaError as error:
        thrown = error.java_exception
        return thrown.getClass().getSimpleName(), str(thrown.getMessage())
    except Exception as error:
        # PySpark has Python classes of its own for some of Java's.
        return type(error).__name__, str(error)
    return "no exception", f"got {answer}"


def faults(**asked: Any) -> None:
    """Ask the server to misbehave; without arguments, to behave."""
    urllib.request.urlopen(f"{ENDPOINT}/_faults?{urllib.parse.urlencode(asked)}").close()


def s3() -> Any:
    """A boto3 client: another pair of eyes on the same bucket."""
    return boto3.client("s3", endpoint_url=ENDPOINT)


def keys(prefix: str) -> list[str]:
    """The keys boto3 sees below a prefix."""
    pages = s3().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", ())]
