"""Hadoop's own S3 file system (S3A) for a Spark: the jars of ``hadoop-aws``, of exactly its Hadoop's version.

They come from Maven Central by way of Ivy, which every Spark has among its jars. Like a Spark, they lie in
the cache in a directory that is complete or not there.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from airflow_provider_emrkit.localemr.spark.install import (
    REPORT_EVERY,
    InstallError,
    file_lock,
    uv_environment,
)
from airflow_provider_emrkit.localemr.spark.java_network import network_options
from airflow_provider_emrkit.localemr.spark.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.localemr.spark.install import Progress
    from airflow_provider_emrkit.localemr.spark.software import Software

MIRROR = "EMRKIT_MAVEN_REPOSITORY"
"""Environment variable: address of a Maven repository to use instead of Maven Central."""

_HADOOP = re.compile(r"hadoop-(?:client-api|common)-(\d+\.\d+\.\d+)\.jar")
# Of the AWS SDK, nearly all of the download.
_SIZE_MB = {"3.2": 100, "3.3": 270}
_LARGEST_MB = 540
_MIB = 1024 * 1024
_MORE_ROOM = "free some, or set EMRKIT_CACHE_DIR to a directory on a larger disk."
_ANEW = "remove {} to install that Spark anew."
_ACCESS_ERROR = re.compile(r"Server access error at url \S+ \((?P<error>.*)\)|(?P<host>Host \S+ not found)")
# Downloaded into Ivy's cache, then copied.
_ROOM_FACTOR = 2

_MIRROR_SETTINGS = """\
<ivysettings>
  <settings defaultResolver="mirror"/>
  <resolvers><ibiblio name="mirror" m2compatible="true" root={root}/></resolvers>
</ivysettings>
"""


def hadoop_version(spark_home: Path) -> str:
    """Give the version of the Hadoop that a Spark comes with.

    :raises InstallError: when it has none.
    """
    for jar in sorted((spark_home / "jars").glob("hadoop-c*.jar")):
        found = _HADOOP.fullmatch(jar.name)
        if found:
            return found[1]
    raise InstallError(f"{spark_home / 'jars'} holds no hadoop-client-api; {_ANEW.format(spark_home)}")


def installed_s3a(spark_home: Path, cache_dir: Path) -> tuple[Path, ...]:
    """Give the jars of S3A for a Spark; none where they are not installed."""
    return tuple(sorted(_target(hadoop_version(spark_home), cache_dir).glob("*.jar")))


def install_s3a(software: Software, cache_dir: Path, progress: Progress) -> tuple[Path, ...]:
    """Have the jars of S3A for a Spark on this machine, and give them.

    :param progress: Called with one line of text every few seconds while they are downloaded.
    :raises InstallError: when they can't be had, with the mend.
    """
    version = hadoop_version(software.spark_home)
    target = _target(version, cache_dir)
    if target.is_dir():
        return installed_s3a(software.spark_home, cache_dir)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(target.with_name(f".{version}.lock"), _title(version), progress):
            if not target.is_dir():
                _install(software, version, target, progress)
    except OSError as error:
        raise InstallError(f"{_title(version)}: can't write to {target.parent}: {error}.") from error
    return installed_s3a(software.spark_home, cache_dir)


def _target(version: str, cache_dir: Path) -> Path:
    return cache_dir / "s3a" / version


def _title(version: str) -> str:
    return f"Hadoop's S3A {version}"


def _install(software: Software, version: str, target: Path, progress: Progress) -> None:
    for stale in target.parent.glob(f".{version}.partial-*"):
        shutil.rmtree(stale, ignore_errors=True)
    size_mb = _SIZE_MB.get(version.rpartition(".")[0], _LARGEST_MB)
    _check_room(version, size_mb, target.parent)
    # Kept after a failure: jars that have arrived are not downloaded again.
    downloads = target.parent / f".{version}.downloads"
    with tempfile.TemporaryDirectory(prefix=f".{version}.partial-", dir=target.parent) as name:
        partial = Path(name)
        progress(f"installing {_title(version)} (about {size_mb} MB)")
        argv = [*_java(software, partial), *_ivy(version, downloads, partial)]
        output, code = _run(argv, partial, lambda: progress(_arrived(version, size_mb, downloads)))
        if code or not (partial / "jars" / f"hadoop-aws-{version}.jar").is_file():
            raise InstallError(explain(version, output))
        (partial / "jars").rename(target)
    shutil.rmtree(downloads, ignore_errors=True)


def _check_room(version: str, size_mb: int, directory: Path) -> None:
    free, needed = shutil.disk_usage(directory).free // _MIB, size_mb * _ROOM_FACTOR
    if free < needed:
        raise InstallError(
            f"{_title(version)}: {directory} has {free} MB of free disk space, the installation needs about "
            f"{needed} MB; {_MORE_ROOM}"
        )


def _java(software: Software, directory: Path) -> list[str]:
    jars = sorted((software.spark_home / "jars").glob("ivy-*.jar"))
    if not jars:
        raise InstallError(
            f"{software.spark_home / 'jars'} holds no Ivy; {_ANEW.format(software.spark_home)}"
        )
    options = [
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        f"-Divy.default.ivy.user.dir={directory / 'ivy'}",
    ]
    network = network_options(uv_environment(os.environ), directory)
    return [os.fspath(software.java.home / "bin" / "java"), *options, *network, "-cp", os.fspath(jars[0])]


def _ivy(version: str, downloads: Path, directory: Path) -> list[str]:
    """Ivy's command line; jars are put into ``jars`` below the directory."""
    mirror = os.environ.get(MIRROR)
    settings = []
    if mirror:
        file = directory / "ivysettings.xml"
        file.write_text(_MIRROR_SETTINGS.format(root=quoteattr(mirror)), encoding="utf-8")
        settings = ["-settings", os.fspath(file)]
    wanted = ["-dependency", "org.apache.hadoop", "hadoop-aws", version, "-confs", "default"]
    jars = os.fspath(directory / "jars" / "[artifact]-[revision].[ext]")
    main = ["org.apache.ivy.Main", *settings, "-cache", os.fspath(downloads)]
    return [*main, *wanted, "-types", "jar", "bundle", "-retrieve", jars]


def _run(argv: list[str], directory: Path, tick: Callable[[], None]) -> tuple[str, int]:
    """Run a program that downloads, and give its output and exit code; it does not outlive a failing tick."""
    with (directory / "output").open("w+b") as output:
        process = subprocess.Popen(
            argv, cwd=directory, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            while not _has_ended(process):
                tick()
        except BaseException:
            process.kill()
            process.wait()
            raise
        output.seek(0)
        return output.read().decode("utf-8", "replace"), process.returncode


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(REPORT_EVERY)
    return process.returncode is not None


def _arrived(version: str, size_mb: int, downloads: Path) -> Transfer:
    arrived = 0
    for file in downloads.rglob("*"):
        with contextlib.suppress(OSError):
            arrived += file.lstat().st_size
    return Transfer(_title(version), min(arrived, size_mb * _MIB), size_mb * _MIB)


def explain(version: str, output: str) -> str:
    """Turn what Ivy printed into a message that says what was wrong and how to mend it.

    >>> explain("3.3.4", "Server access error at url https://x/y.pom (java.net.UnknownHostException: x)")[:54]
    "Hadoop's S3A 3.3.4: the Maven repository can't be reac"
    """
    reason = _ACCESS_ERROR.search(output)
    if "No space left on device" in output:
        return f"{_title(version)}: no space left on the disk; {_MORE_ROOM}"
    if reason:
        why = reason["error"] or reason["host"]
        return (
            f"{_title(version)}: the Maven repository can't be reached ({why}); check the network, "
            f"name a mirror in {MIRROR}, or use --s3 builtin, which downloads nothing."
        )
    if "not found" in output:
        return (
            f"{_title(version)}: the Maven repository has no hadoop-aws {version}; name another one in "
            f"{MIRROR}, or use --s3 builtin, which downloads nothing."
        )
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "no output")
    return f"{_title(version)}: Ivy could not download it: {last}"
