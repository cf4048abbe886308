"""The configuration directory of a cluster."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emrkit.localemr.s3_access import S3Access
from airflow_provider_emrkit.localemr.spark.conf import ClusterConf, exports, properties, site_xml
from airflow_provider_emrkit.localemr.spark.submit import Machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def make(tmp_path: Path):
    def conf(*configurations: dict[str, Any], **settings: Any) -> ClusterConf:
        return ClusterConf(
            directory=tmp_path / "conf",
            data_dir=tmp_path,
            ivy_dir=tmp_path / "ivy",
            s3=settings.pop("s3", S3Access("http://127.0.0.1:5005")),
            region="eu-west-1",
            machine=Machine(2, 8192, ("/s3.jar",)),
            configurations=configurations,
            **settings,
        )

    return conf


def test_s3_is_ours_whatever_the_cluster_says(make):
    site = make(
        {
            "Classification": "core-site",
            "Properties": {"fs.s3.impl": "com.amazon.X", "io.file.buffer.size": "1"},
        }
    ).core_site
    assert {site[f"fs.{scheme}.impl"] for scheme in ("s3", "s3a", "s3n")} == {
        "org.emrkit.s3.LocalS3FileSystem"
    }
    assert site["fs.emrkit.s3.endpoint"] == "http://127.0.0.1:5005"
    assert site["fs.emrkit.s3.region"] == "eu-west-1"
    assert site["io.file.buffer.size"] == "1"


def test_an_external_s3s_keys_are_in_the_site(make):
    s3 = S3Access("https://s3.example", "AKIA", "secret", "token", is_external=True)
    site = make(s3=s3).core_site
    names = ("endpoint", "access.key", "secret.key", "session.token")
    assert [site[f"fs.emrkit.s3.{name}"] for name in names] == [
        "https://s3.example",
        "AKIA",
        "secret",
        "token",
    ]


def test_hadoops_s3a_serves_every_scheme(make):
    site = make(s3_filesystem="s3a").core_site
    assert {site[f"fs.{scheme}.impl"] for scheme in ("s3", "s3a", "s3n")} == {
        "org.apache.hadoop.fs.s3a.S3AFileSystem"
    }
    assert site["fs.s3a.endpoint"] == "http://127.0.0.1:5005"
    assert site["fs.s3a.endpoint.region"] == "eu-west-1"
    assert (site["fs.s3a.path.style.access"], site["fs.s3a.connection.ssl.enabled"]) == ("true", "false")
    assert site["fs.s3a.aws.credentials.provider"].endswith("SimpleAWSCredentialsProvider")
    assert "fs.s3a.session.token" not in site


def test_s3a_takes_temporary_keys_and_https(make):
    site = make(s3=S3Access("https://s3.example", "A", "s", "token", True), s3_filesystem="s3a").core_site
    assert site["fs.s3a.aws.credentials.provider"].endswith("TemporaryAWSCredentialsProvider")
    assert (site["fs.s3a.session.token"], site["fs.s3a.connection.ssl.enabled"]) == ("token", "true")


@pytest.mark.parametrize("kind", ["builtin", "s3a"])
def test_no_setting_leads_a_job_to_another_s3(make, kind):
    properties = {
        "fs.s3a.bucket.my.bucket.endpoint": "https://s3.amazonaws.com",
        "fs.s3a.bucket.b.secret.key": "real",
        "fs.s3a.access.key": "AKIAREAL",
        "fs.s3a.assumed.role.arn": "arn:real",
        "fs.s3a.threads.max": "7",
        "fs.emrkit.s3.endpoint": "https://s3.amazonaws.com",
    }
    site = make({"Classification": "core-site", "Properties": properties}, s3_filesystem=kind).core_site
    assert not [value for value in site.values() if "real" in value.lower() or "amazonaws" in value]
    assert site["fs.s3a.threads.max"] == "7"


def test_the_clusters_defaults_are_kept_as_far_as_they_make_sense_here(make):
    defaults = make(
        {
            "Classification": "spark-defaults",
            "Properties": {
                "spark.master": "yarn",
                "spark.driver.memory": "3g",
                "spark.sql.shuffle.partitions": "7",
                "spark.ui.enabled": "true",
                "spark.driver.extraClassPath": "/usr/lib/x",
            },
        }
    ).spark_defaults
    assert defaults["spark.master"] == "local[2]"
    assert defaults["spark.driver.memory"] == "3072m"
    assert defaults["spark.sql.shuffle.partitions"] == "7"
    assert defaults["spark.ui.enabled"] == "true"
    assert defaults["spark.driver.extraClassPath"] == "/s3.jar:/usr/lib/x"
    assert defaults["spark.driver.bindAddress"] == "127.0.0.1"


def test_hive_keeps_its_metastore_in_the_cluster(make, tmp_path):
    site = make(
        {
            "Classification": "spark-hive-site",
            "Properties": {"hive.metastore.client.factory.class": "com.amazonaws.glue.X", "hive.x": "1"},
        }
    ).hive_site
    assert site["hive.x"] == "1"
    assert "hive.metastore.client.factory.class" not in site
    assert str(tmp_path) in site["javax.jdo.option.ConnectionURL"]


def test_exports_of_spark_env_are_found():
    nested = {"Classification": "export", "Properties": {"PYSPARK_PYTHON": "/usr/bin/python3"}}
    configurations = [{"Classification": "spark-env", "Configurations": [nested], "Properties": {}}]
    assert exports(configurations, "spark-env") == {"PYSPARK_PYTHON": "/usr/bin/python3"}
    assert exports(configurations, "hadoop-env") == {}


def test_the_files_are_written(make, tmp_path):
    make({"Classification": "spark-log4j2", "Properties": {"logger.x.level": "debug"}}).write()
    conf = tmp_path / "conf"
    assert "SYSTEM_ERR" in (conf / "log4j2.properties").read_text()
    assert "logger.x.level = debug" in (conf / "log4j2.properties").read_text()
    assert "yy/MM/dd HH:mm:ss" in (conf / "log4j.properties").read_text()
    assert "spark.master=local[2]" in (conf / "spark-defaults.conf").read_text()
    assert (tmp_path / "events").is_dir()


def test_xml_keeps_hostile_values():
    root = ET.fromstring(site_xml({"a<b": '&"</value>'}).split("\n", 1)[1])
    assert [(node[0].text, node[1].text) for node in root] == [("a<b", '&"</value>')]


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("a=b", "k=a=b\n"),
        ("a\nspark.master=yarn", "k=a\\nspark.master=yarn\n"),
        (" lead", "k=\\ lead\n"),
        ("c:\\x", "k=c:\\\\x\n"),
    ],
)
def test_a_value_cannot_leave_its_line(value, line):
    assert properties({"k": value}) == line


def test_a_key_cannot_become_a_comment_or_another_key():
    assert properties({"#a": "1", "b c": "2", "d=e": "3"}) == "\\#a=1\nb\\ c=2\nd\\=e=3\n"
