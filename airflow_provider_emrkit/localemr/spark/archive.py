"""Class-data archives: a Spark's classes as the JVM has them in memory, so that none need be parsed.

One archive belongs to one Spark, one Java and one class path; any other is ignored by the JVM. Making it runs
a small job once (about 20 s); a step starts about 1.5 s faster with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.run.process import MARK
from airflow_provider_emrkit.localemr.spark.install import InstallError, Progress, file_lock
from airflow_provider_emrkit.localemr.spark.launcher import ARCHIVE_OPTIONS, make_java_home

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.spark.java import Java
    from airflow_provider_emrkit.localemr.spark.software import Software

WARM_UP = Path(__file__).with_name("warm_up.py")
"""The job whose classes are kept."""

# The option that writes an archive at exit came with Java 13.
_LEAST_JAVA = 13
_LONGEST = 300.0


def archive_path(software: Software, jar: Path, cache_dir: Path) -> Path:
    """Give the place of the archive; its name changes with everything the archive depends on."""
    parts = (software.spark_home, software.java.home, software.java.version, jar)
    key = hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]
    return cache_dir / "archives" / f"spark-{software.spark.version}-java-{software.java.major}-{key}.jsa"


def make_archive(software: Software, jar: Path, cache_dir: Path, progress: Progress) -> Path | None:
    """Make the archive where it is not there yet.

    :returns: Its path, or None for a Java too old to make one.
    :raises InstallError: when the job that makes it fails.
    """
    archive = archive_path(software, jar, cache_dir)
    if software.java.major < _LEAST_JAVA:
        return None
    archive.parent.mkdir(parents=True, exist_ok=True)
    title = f"the class-data archive of Spark {software.spark.version}"
    with file_lock(archive.with_name(f".{archive.name}.lock"), title, progress):
        if not archive.is_file():
            progress(f"making {title} (about 20 s, once)")
            with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".making-") as directory:
                _make(software, jar, archive, Path(directory))
            _remove_others(archive)
    return archive


def _remove_others(archive: Path) -> None:
    """Remove the archives of the same Spark and Java that an earlier version of our jar had: 150 MB each."""
    family = archive.name.rpartition("-")[0]
    for path in archive.parent.glob(f"{family}-*"):
        if path != archive:
            path.unlink(missing_ok=True)


def _make(software: Software, jar: Path, archive: Path, directory: Path) -> None:
    _make_base_archive(software.java, directory)
    made = directory / "archive"
    home = make_java_home(software.java, directory / "java", archive)
    argv = [os.fspath(software.spark_home / "bin" / "spark-submit"), "--master", "local[1]"]
    # As every step does, it writes an event log, whose classes are many.
    events = ["--conf", "spark.eventLog.enabled=true", "--conf", f"spark.eventLog.dir={directory.as_uri()}"]
    argv += ["--driver-class-path", os.fspath(jar), "--conf", "spark.ui.enabled=false", *events]
    argv.append(os.fspath(WARM_UP))
    env = {
        ARCHIVE_OPTIONS: f"-XX:ArchiveClassesAtExit={made}",
        "JAVA_HOME": os.fspath(home),
        "PATH": os.defpath,
        "PYSPARK_PYTHON": os.fspath(software.python),
        # A directory that is not there: a configuration would be part of the class path.
        "SPARK_CONF_DIR": os.fspath(directory / "none"),
        "SPARK_HOME": os.fspath(software.spark_home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_SUBMIT_OPTS": f'-XX:TieredStopAtLevel=1 -XX:+UseSerialGC "-Djava.io.tmpdir={directory}"',
        "TMPDIR": os.fspath(directory),
        # Lets a later server find it when this one is killed.
        **({MARK: os.environ[MARK]} if MARK in os.environ else {}),
    }
    try:
        done = subprocess.run(
            argv,
            env=env,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InstallError(
            f"{archive.name}: the job that makes it took more than {_LONGEST:.0f} s."
        ) from error
    if done.returncode or not made.is_file():
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise InstallError(
            f"{archive.name}: the job that makes it ended with exit code {done.returncode}: {' '.join(last)}"
        )
    made.replace(archive)


def _make_base_archive(java: Java, directory: Path) -> None:
    """Give a trimmed Java the archive of its own classes, which ours needs; a full Java has one."""
    server = java.home / "lib" / "server"
    base = server / "classes.jsa"
    if base.is_file() or not os.access(server, os.W_OK):
        return
    made = directory / "base"
    argv = [os.fspath(java.home / "bin" / "java"), "-Xshare:dump", f"-XX:SharedArchiveFile={made}"]
    subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    with contextlib.suppress(OSError):
        made.replace(base)
