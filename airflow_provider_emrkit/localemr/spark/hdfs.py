"""A cluster's ``hdfs://``: a directory below the cluster's own, for Spark, Hadoop and our programs alike."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HOME = "/user/hadoop"
"""What relative paths are relative to."""


def hdfs_directory(data_dir: Path) -> Path:
    """Give the directory that holds a cluster's HDFS."""
    return data_dir / "hdfs"


def make_hdfs(data_dir: Path) -> None:
    """Make an HDFS as EMR makes it: with the user's home and a place for temporary files."""
    for name in (HOME, "/tmp"):  # noqa: S108 - of the cluster's file system, not of this machine
        (hdfs_directory(data_dir) / name.lstrip("/")).mkdir(parents=True, exist_ok=True)


def default_properties(data_dir: Path) -> dict[str, str]:
    """Give Hadoop's properties that a cluster may overrule: paths without a scheme are on HDFS, as on EMR."""
    return {"fs.defaultFS": "hdfs:///", "hadoop.tmp.dir": os.fspath(data_dir / "tmp")}


def hdfs_properties(data_dir: Path) -> dict[str, str]:
    """Give Hadoop's properties that must hold here."""
    return {
        "fs.hdfs.impl": "org.emrkit.hdfs.LocalHdfsFileSystem",
        "fs.AbstractFileSystem.hdfs.impl": "org.emrkit.hdfs.LocalHdfs",
        "fs.emrkit.hdfs.directory": os.fspath(hdfs_directory(data_dir)),
    }


def local_path(uri: str, data_dir: Path) -> Path:
    """Give the file of this machine that holds an ``hdfs://`` path, whatever name node it names.

    :raises ValueError: for a path that leads out of the file system.

    >>> from pathlib import Path
    >>> str(local_path("hdfs:///user/hadoop/x", Path("/c/j-1")))
    '/c/j-1/hdfs/user/hadoop/x'
    """
    _, found, rest = uri.partition("://")
    path = rest.partition("/")[2] if found else uri
    if ".." in path.split("/"):
        raise ValueError(f"{uri} leads out of the file system")
    return hdfs_directory(data_dir) / path.lstrip("/")
