"""Having everything of a release on this machine before the first cluster asks for it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.spark.archive import make_archive
from airflow_provider_emrkit.localemr.spark.hadoop_aws import install_s3a
from airflow_provider_emrkit.localemr.spark.install import InstallError
from airflow_provider_emrkit.localemr.spark.software import Software, install_software

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.config import S3FileSystem
    from airflow_provider_emrkit.localemr.spark.install import Progress

S3_JAR = Path(__file__).parent.parent / "jars" / "emrkit-s3.jar"
"""The s3:// file system for Spark."""


def prefetch(
    label: str, cache_dir: Path, progress: Progress, s3_filesystem: S3FileSystem = "builtin"
) -> Software:
    """Install the Spark and Java of a release, and make the class-data archive that lets steps start faster.

    :param label: EMR release label, e.g. ``emr-7.11.0``.
    :param cache_dir: Where they are kept.
    :param progress: Called with one line of text per piece of news.
    :param s3_filesystem: ``s3a`` has Hadoop's S3A installed as well.
    :raises UnsupportedReleaseError: for a release that can't run here.
    :raises InstallError: when something can't be had, with the mend.
    """
    cache_dir = cache_dir.resolve()
    software = install_software(label, cache_dir, progress)
    try:
        if s3_filesystem == "s3a":
            install_s3a(software, cache_dir, progress)
        make_archive(software, s3_jar(cache_dir), cache_dir, progress)
    except OSError as error:
        raise InstallError(f"{label}: can't write to {cache_dir}: {error}.") from error
    return software


def s3_jar(cache_dir: Path) -> Path:
    """Copy our jar into the cache, named by its content: archives need a path that stays the same."""
    data = S3_JAR.read_bytes()
    target = cache_dir / "jars" / f"{S3_JAR.stem}-{hashlib.sha256(data).hexdigest()[:16]}.jar"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        partial.write_bytes(data)
        partial.replace(target)
    return target
