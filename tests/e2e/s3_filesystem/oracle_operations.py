"""The same operations on ``s3://`` and on hadoop-aws' ``s3a://``; prints what each of them led to."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))

from hadoop_files import ENDPOINT, Files, s3
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

if TYPE_CHECKING:
    from collections.abc import Callable


def setting(files: Files) -> None:
    """What every operation starts from."""
    files.write("f", b"file")
    files.write("g", b"other")
    files.write("dir/a", b"a")
    files.write("dir/deep/b", b"bb")
    files.write("full/x", b"x")
    files.mkdirs("empty")


OPERATIONS: dict[str, Callable[[Files], Any]] = {
    "rename file": lambda fs: fs.rename("f", "new"),
    "rename file to itself": lambda fs: fs.rename("f", "f"),
    "rename file to file": lambda fs: fs.rename("f", "g"),
    "rename file into directory": lambda fs: fs.rename("f", "full"),
    "rename file into empty directory": lambda fs: fs.rename("f", "empty"),
    "rename file below a file": lambda fs: fs.rename("f", "g/h"),
    "rename file below nothing": lambda fs: fs.rename("f", "some/where/new"),
    "rename the last file": lambda fs: fs.rename("full/x", "y"),
    "rename nothing": lambda fs: fs.rename("gone", "new"),
    "rename nothing into directory": lambda fs: fs.rename("gone", "dir"),
    "rename directory": lambda fs: fs.rename("dir", "new"),
    "rename directory to itself": lambda fs: fs.rename("dir", "dir"),
    "rename directory to file": lambda fs: fs.rename("dir", "f"),
    "rename directory below itself": lambda fs: fs.rename("dir", "dir/new"),
    "rename directory into empty directory": lambda fs: fs.rename("dir", "empty"),
    "rename directory into full directory": lambda fs: fs.rename("dir", "full"),
    "rename empty directory": lambda fs: fs.rename("empty", "new"),
    "delete file": lambda fs: fs.delete("f", recursive=False),
    "delete file recursively": lambda fs: fs.delete("f"),
    "delete nothing": lambda fs: fs.delete("gone"),
    "delete full directory": lambda fs: fs.delete("dir", recursive=False),
    "delete full directory recursively": lambda fs: fs.delete("dir"),
    "delete empty directory": lambda fs: fs.delete("empty", recursive=False),
    "delete the last file": lambda fs: fs.delete("full/x"),
    "mkdirs": lambda fs: fs.mkdirs("new/and/below"),
    "mkdirs again": lambda fs: fs.mkdirs("dir"),
    "mkdirs over a file": lambda fs: fs.mkdirs("f"),
    "mkdirs below a file": lambda fs: fs.mkdirs("f/x/y"),
    "create over a file": lambda fs: fs.write("f", b"new!", overwrite=True),
    "create over a file without overwrite": lambda fs: fs.write("f", b"new!", overwrite=False),
    "create over a directory": lambda fs: fs.write("dir", b"new!"),
    "create below nothing": lambda fs: fs.write("new/and/below", b"new!"),
    "create in an empty directory": lambda fs: fs.write("empty/f", b"new!"),
    "create non-recursive below nothing": lambda fs: fs.fs.createFile(fs.path("gone/f")).build().close(),
    "append": lambda fs: fs.fs.append(fs.path("f")),
    "open a directory": lambda fs: fs.read("dir"),
    "open nothing": lambda fs: fs.read("gone"),
    "list": lambda fs: fs.names(""),
    "list file": lambda fs: fs.names("f"),
    "list empty directory": lambda fs: fs.names("empty"),
    "list nothing": lambda fs: fs.names("gone"),
    "list recursively": lambda fs: fs.tree("dir"),
    "list a file recursively": lambda fs: fs.tree("f"),
    "list an empty directory recursively": lambda fs: fs.tree("empty"),
    "list nothing recursively": lambda fs: fs.tree("gone"),
    "glob": lambda fs: sorted(
        status.getPath().getName() for status in fs.fs.globStatus(fs.path("{dir,full}/[ax]*"))
    ),
    "glob of nothing": lambda fs: len(fs.fs.globStatus(fs.path("gone*"))),
    "glob of a missing name": lambda fs: fs.fs.globStatus(fs.path("gone")),
    "content summary": lambda fs: [
        fs.fs.getContentSummary(fs.path("dir")).getLength(),
        fs.fs.getContentSummary(fs.path("dir")).getFileCount(),
    ],
    "status of a file": lambda fs: [fs.status("f").getLen(), fs.status("f").isFile()],
    "status of a directory": lambda fs: [fs.status("dir").getLen(), fs.status("dir").isDirectory()],
    "status of the beginning of a name": lambda fs: fs.kind("di"),
    "root": lambda fs: fs.fs.getFileStatus(fs.path("").getParent()).isDirectory(),
    "seek before the start": lambda fs: fs.fs.open(fs.path("f")).seek(-1),
    "read past the end": lambda fs: fs.fs.open(fs.path("f")).read(99, bytearray(1), 0, 1),
    "read fully past the end": lambda fs: fs.fs.open(fs.path("f")).readFully(2, bytearray(9)),
}


def outcome(operation: Callable[[Files], Any], files: Files) -> dict[str, Any]:
    """What an operation answered or threw, and what there is afterwards."""
    try:
        answer = operation(files)
    except Py4JJavaError as error:
        answer = error.java_exception.getClass().getSimpleName()
    except Exception as error:
        answer = type(error).__name__
    kinds = {name: files.kind(name) for name in ("f", "dir", "empty", "full", "new", "gone")}
    files_after = {name: files.read(name).decode() for name in files.tree("")}
    return {"answer": answer, "kinds": kinds, "files": files_after}


def session() -> SparkSession:
    """A Spark whose ``s3a://`` is hadoop-aws."""
    oracle = {
        "impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "endpoint": ENDPOINT,
        "access.key": os.environ["AWS_ACCESS_KEY_ID"],
        "secret.key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "path.style.access": "true",
    }
    builder = SparkSession.builder
    for key, value in oracle.items():
        builder = builder.config(f"spark.hadoop.fs.s3a.{key}", value)
    return builder.getOrCreate()


if __name__ == "__main__":
    spark = session()
    s3().create_bucket(Bucket="oracle")
    found: dict[str, dict[str, Any]] = {}
    for number, (name, operation) in enumerate(OPERATIONS.items()):
        found[name] = {}
        for scheme in ("s3", "s3a"):
            files = Files(spark, f"{scheme}://oracle/{scheme}/{number}")
            setting(files)
            found[name][files.fs.getClass().getSimpleName()] = outcome(operation, files)
    print("VERDICTS " + json.dumps(found), flush=True)
