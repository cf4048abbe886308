"""The configuration directory of one cluster, read by spark-submit, plain Python and ``hadoop jar`` alike.

``core-site.xml`` makes ``s3://``, ``s3a://`` and ``s3n://`` known, ``spark-defaults.conf`` keeps Spark on
this machine and inside the cluster's directory, the log4j files write to stderr in EMR's pattern.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from airflow_provider_emrkit.localemr.spark.executors import STANDALONE, driver_heap_mib, master_conf
from airflow_provider_emrkit.localemr.spark.hdfs import default_properties, hdfs_properties, make_hdfs
from airflow_provider_emrkit.localemr.spark.s3_conf import leads_elsewhere, s3_properties
from airflow_provider_emrkit.localemr.spark.submit import Machine, local_conf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from airflow_provider_emrkit.localemr.config import S3FileSystem
    from airflow_provider_emrkit.localemr.s3_access import S3Access

_METASTORE_FACTORY = "hive.metastore.client.factory.class"

# A job in Scala or Java that names YARN as its master, in its code, would look for it a quarter of an hour.
# The error holds the name of the host.
_NO_YARN = {
    "yarn.resourcemanager.hostname": "leave-the-master-out-of-the-code.invalid",
    "yarn.resourcemanager.connect.max-wait.ms": "1",
    "yarn.resourcemanager.connect.retry-interval.ms": "1",
}

_LOG4J2 = """\
status = error
rootLogger.level = info
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex
"""

_LOG4J1 = """\
log4j.rootCategory=INFO, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.target=System.err
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n
"""


@dataclass(frozen=True)
class ClusterConf:
    """What the files are made from.

    :param directory: The configuration directory itself.
    :param data_dir: Where the cluster keeps its warehouse and metastore.
    :param ivy_dir: Where ``--packages`` downloads go, shared by all clusters.
    :param s3: How S3 is reached.
    :param region: AWS region that requests are signed for.
    :param machine: Size of the machine, and our entries of the class path.
    :param configurations: EMR's ``Configurations`` of the cluster.
    :param event_logs: Where applications write their event logs; by default a folder of ``data_dir``.
    :param s3_filesystem: What serves ``s3://``: our own file system, or Hadoop's S3A.

    >>> conf = ClusterConf(Path("c/conf"), Path("c"), Path("ivy"), S3Access("http://127.0.0.1:5005"),
    "us-east-1", Machine(2, 2048))
    >>> conf.core_site["fs.emrkit.s3.endpoint"]
    'http://127.0.0.1:5005'
    """

    directory: Path
    data_dir: Path
    ivy_dir: Path
    s3: S3Access
    region: str
    machine: Machine
    configurations: Sequence[Mapping[str, Any]] = ()
    event_logs: Path | None = None
    s3_filesystem: S3FileSystem = "builtin"

    def write(self) -> None:
        """Write the files."""
        self.directory.mkdir(parents=True, exist_ok=True)
        make_hdfs(self.data_dir)
        for directory in (self._event_logs, self.data_dir / "warehouse"):
            directory.mkdir(parents=True, exist_ok=True)
        files = {
            "core-site.xml": site_xml(self.core_site),
            "hive-site.xml": site_xml(self.hive_site),
            "yarn-site.xml": site_xml(_NO_YARN),
            "spark-defaults.conf": properties(self.spark_defaults),
            "log4j2.properties": _LOG4J2
            + properties({**self._quiet("logger.{0}.level"), **self.classification("spark-log4j2")}, " = "),
            "log4j.properties": _LOG4J1
            + properties({**self._quiet("log4j.logger.{1}"), **self.classification("spark-log4j")}),
        }
        for name, text in files.items():
            (self.directory / name).write_text(text, encoding="utf-8")

    def _quiet(self, level: str) -> dict[str, str]:
        """Give the levels of what only a Spark says that starts executors itself, which YARN does on EMR."""
        if self.machine.executors == "threads":
            return {}
        named = {name.rpartition(".")[2].lower(): name for name in STANDALONE}
        levels = {level.format(key, name): "OFF" for key, name in named.items()}
        names = {f"logger.{key}.name": name for key, name in named.items()} if "{0}" in level else {}
        return {**names, **levels}

    @property
    def _event_logs(self) -> Path:
        return self.event_logs or self.data_dir / "events"

    def classification(self, name: str) -> dict[str, str]:
        """Give the properties of one of EMR's configuration classifications; empty when it is not there."""
        return classification(self.configurations, name)

    @property
    def requested(self) -> dict[str, str]:
        """What the cluster's own ``spark-defaults`` ask for, before it is fitted to one machine."""
        return self.classification("spark-defaults")

    @property
    def environment(self) -> dict[str, str]:
        """What ``spark-env`` exports."""
        return {**exports(self.configurations, "spark-env"), **exports(self.configurations, "hadoop-env")}

    @property
    def core_site(self) -> dict[str, str]:
        """Hadoop's properties: the cluster's own, then ours, which win."""
        asked = self.classification("core-site")
        return {
            **default_properties(self.data_dir),
            **{key: value for key, value in asked.items() if not leads_elsewhere(key)},
            **s3_properties(self.s3_filesystem, self.s3, self.region),
            **hdfs_properties(self.data_dir),
        }

    @property
    def hive_site(self) -> dict[str, str]:
        """Hive's properties: a metastore inside the cluster's directory, not AWS Glue or a remote one."""
        asked = {**self.classification("hive-site"), **self.classification("spark-hive-site")}
        remote = (_METASTORE_FACTORY, "hive.metastore.uris")
        kept = {key: value for key, value in asked.items() if key not in remote}
        database = f"jdbc:derby:;databaseName={self.data_dir / 'metastore_db'};create=true"
        return {**kept, "javax.jdo.option.ConnectionURL": database}

    @property
    def spark_defaults(self) -> dict[str, str]:
        """Spark's properties: our defaults, then the cluster's own, then what must hold here."""
        asked = self.requested
        ours = ":".join(self.machine.class_path)
        return {
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": self._event_logs.as_uri(),
            # One plain file for each application, whatever the version's default: its head is read.
            "spark.eventLog.compress": "false",
            "spark.eventLog.rolling.enabled": "false",
            "spark.jars.ivy": os.fspath(self.ivy_dir),
            "spark.sql.warehouse.dir": (self.data_dir / "warehouse").as_uri(),
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            **({"spark.driver.extraClassPath": ours, "spark.executor.extraClassPath": ours} if ours else {}),
            **local_conf(asked, self.machine.class_path),
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.memory": f"{driver_heap_mib(self.machine, asked)}m",
            **master_conf(self.machine, asked),
        }


def classification(configurations: Iterable[Mapping[str, Any]], name: str) -> dict[str, str]:
    """Give the properties of one classification of EMR's ``Configurations``, later entries winning."""
    found: dict[str, str] = {}
    for entry in configurations:
        if entry.get("Classification") == name:
            found.update({str(key): str(value) for key, value in (entry.get("Properties") or {}).items()})
    return found


def exports(configurations: Iterable[Mapping[str, Any]], name: str) -> dict[str, str]:
    """Give the variables that a ``…-env`` classification exports (its nested classification ``export``)."""
    return nested_classification(configurations, name, "export")


def nested_classification(
    configurations: Iterable[Mapping[str, Any]], outer: str, inner: str
) -> dict[str, str]:
    """Give the properties of a classification inside another one, later entries winning."""
    found: dict[str, str] = {}
    for entry in configurations:
        if entry.get("Classification") == outer:
            found.update(classification(entry.get("Configurations") or (), inner))
    return found


def site_xml(entries: Mapping[str, str]) -> str:
    """Render Hadoop's XML configuration."""
    body = "".join(
        f"  <property><name>{escape(key)}</name><value>{escape(value)}</value></property>\n"
        for key, value in entries.items()
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<configuration>\n{body}</configuration>\n'


def properties(entries: Mapping[str, str], separator: str = "=") -> str:
    """Render a Java properties file; every value comes back from ``Properties.load`` as it went in."""
    return "".join(
        f"{_escaped(key, key=True)}{separator}{_escaped(value)}\n" for key, value in entries.items()
    )


def _escaped(text: str, *, key: bool = False) -> str:
    special = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    if key:
        special |= {" ": "\\ ", "=": "\\=", ":": "\\:"}
    out = "".join(special.get(char, char) for char in text)
    leading = out[:1]
    return "\\" + out if leading in {" ", "#", "!"} else out
