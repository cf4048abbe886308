"""S3A's jars, with a Java that is a shell script and plays Ivy."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_provider_emrkit.localemr.spark import hadoop_aws as module
from airflow_provider_emrkit.localemr.spark.hadoop_aws import (
    MIRROR,
    explain,
    hadoop_version,
    install_s3a,
    installed_s3a,
)
from airflow_provider_emrkit.localemr.spark.install import InstallError
from airflow_provider_emrkit.localemr.spark.java import Java
from airflow_provider_emrkit.localemr.spark.software import Software
from airflow_provider_emrkit.localemr.spark.transfer import Transfer
from airflow_provider_emrkit.localemr.spark.versions import candidates

# Puts the jars where -retrieve says, as Ivy does, and notes how it was called.
IVY = """#!/bin/sh
echo "$@" >> {folder}/calls
{first}
while [ $# -gt 0 ]; do
  case $1 in
    -dependency) version=$4 ;;
    -retrieve) jars=${{2%/*}} ;;
    -settings) cp "$2" {folder}/settings.xml ;;
  esac
  shift
done
mkdir -p "$jars"
for jar in hadoop-aws-$version aws-sdk-1; do echo jar > "$jars/$jar.jar"; done
"""


@pytest.fixture
def software(tmp_path, monkeypatch):
    """A Spark with Hadoop 3.3.4, and a Java that does what is written first."""
    monkeypatch.setattr(module, "REPORT_EVERY", 0.05)
    monkeypatch.delenv(MIRROR, raising=False)
    jars = tmp_path / "spark" / "jars"
    jars.mkdir(parents=True)
    for name in ("hadoop-client-api-3.3.4.jar", "hadoop-client-runtime-3.3.4.jar", "ivy-2.5.1.jar"):
        (jars / name).touch()

    def make(first: str = "") -> Software:
        program = tmp_path / "java" / "bin" / "java"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(IVY.format(folder=tmp_path, first=first))
        program.chmod(0o755)
        java = Java(tmp_path / "java", 17, "17")
        return Software(candidates("emr-7.11.0")[0], tmp_path / "spark", java, Path(sys.executable))

    return make


def calls(tmp_path):
    return (tmp_path / "calls").read_text().splitlines()


def test_the_version_is_that_of_the_sparks_own_hadoop(tmp_path):
    for name, version in (("hadoop-client-api-3.4.1.jar", "3.4.1"), ("hadoop-common-3.2.0.jar", "3.2.0")):
        jars = tmp_path / version / "jars"
        jars.mkdir(parents=True)
        (jars / name).touch()
        assert hadoop_version(tmp_path / version) == version
    with pytest.raises(InstallError, match="holds no hadoop-client-api"):
        hadoop_version(tmp_path)


def test_it_is_installed_once(software, tmp_path):
    found, cache, news = software(), tmp_path / "cache", []
    assert installed_s3a(found.spark_home, cache) == ()
    with ThreadPoolExecutor(4) as pool:
        jars = set(pool.map(lambda _: install_s3a(found, cache, news.append), range(4)))
    assert [jar.name for jar in jars.pop()] == ["aws-sdk-1.jar", "hadoop-aws-3.3.4.jar"]
    assert jars == set()
    assert len(calls(tmp_path)) == 1
    assert "hadoop-aws 3.3.4" in calls(tmp_path)[0]
    assert "installing Hadoop's S3A 3.3.4 (about 270 MB)" in news
    # Nothing but the jars and the lock is left.
    assert sorted(path.name for path in (cache / "s3a").iterdir()) == [".3.3.4.lock", "3.3.4"]


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (
            "echo 'Server access error at url https://x/y.pom (java.net.UnknownHostException: x)'; exit 1",
            r"can't be reached \(java.net.UnknownHostException: x\); check the network, name a mirror",
        ),
        (
            "echo 'Host x.invalid not found. url=http://x.invalid/y.pom'; exit 1",
            r"can't be reached \(Host x.invalid not found\)",
        ),
        ("echo 'module not found'; exit 1", "the Maven repository has no hadoop-aws 3.3.4"),
        (
            "echo 'java.io.IOException: No space left on device'; exit 1",
            "no space left on the disk; free some",
        ),
        ("exit 0", "Ivy could not download it: no output"),
        ("kill -9 $$", "Ivy could not download it: no output"),
    ],
)
def test_a_failure_says_what_to_do_and_leaves_nothing_that_looks_complete(software, tmp_path, first, said):
    with pytest.raises(InstallError, match=said):
        install_s3a(software(first), tmp_path / "cache", print)
    assert [path.name for path in (tmp_path / "cache" / "s3a").iterdir()] == [".3.3.4.lock"]
    assert len(install_s3a(software(), tmp_path / "cache", print)) == 2


def test_a_cluster_that_is_given_up_ends_the_download(software, tmp_path):
    class StoppedError(Exception):
        pass

    pid = tmp_path / "pid"

    def stop(text):
        # Not before it has begun.
        if isinstance(text, Transfer) and pid.exists():
            raise StoppedError

    sleeping = software(f"echo $$ > {pid}.part; mv {pid}.part {pid}; exec sleep 600")
    with pytest.raises(StoppedError):
        install_s3a(sleeping, tmp_path / "cache", stop)
    assert not Path("/proc", pid.read_text().strip()).exists()


def test_a_mirror_takes_mavens_place(software, tmp_path, monkeypatch):
    monkeypatch.setenv(MIRROR, 'https://mirror/maven?a=1&b="2"')
    install_s3a(software(), tmp_path / "cache", print)
    import xml.etree.ElementTree as ET

    resolver = ET.parse(tmp_path / "settings.xml").getroot().find("resolvers/ibiblio")
    assert resolver is not None
    assert resolver.attrib["root"] == 'https://mirror/maven?a=1&b="2"'


def test_without_room_nothing_is_downloaded(software, tmp_path, monkeypatch):
    usage = SimpleNamespace(free=5 * 1024 * 1024)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(InstallError, match=r"has 5 MB of free disk space, .* needs about 540 MB"):
        install_s3a(software(), tmp_path / "cache", print)
    assert not (tmp_path / "calls").exists()


def test_anything_else_is_told_in_ivys_last_words():
    assert explain("3.3.4", "x\nboom\n\n") == "Hadoop's S3A 3.3.4: Ivy could not download it: boom"
