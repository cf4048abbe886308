"""A directory in which Spark's commands run: what a cluster and a job run have in common."""

from __future__ import annotations

import os
import sysconfig
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.engine.settings import (
    RECORDS,
    ContainerSettings,
    instance_id,
    users_file,
)
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError
from airflow_provider_emrkit.localemr.run.environment import (
    FAST_COLLECTOR,
    FAST_JVM,
    FORGIVING_JVM,
    Place,
    write_shims,
)
from airflow_provider_emrkit.localemr.run.event_logs import event_log_directory
from airflow_provider_emrkit.localemr.s3_access import s3_access
from airflow_provider_emrkit.localemr.spark.archive import archive_path
from airflow_provider_emrkit.localemr.spark.conf import ClusterConf
from airflow_provider_emrkit.localemr.spark.executors import FITTED
from airflow_provider_emrkit.localemr.spark.hadoop_aws import install_s3a, installed_s3a
from airflow_provider_emrkit.localemr.spark.install import InstallError, uv_program
from airflow_provider_emrkit.localemr.spark.launcher import make_java_home
from airflow_provider_emrkit.localemr.spark.prefetch import s3_jar
from airflow_provider_emrkit.localemr.spark.python_site import write_python_site
from airflow_provider_emrkit.localemr.spark.software import (
    Software,
    check_label,
    install_software,
    make_environment,
)
from airflow_provider_emrkit.localemr.spark.submit import Machine
from airflow_provider_emrkit.localemr.spark.versions import UnsupportedReleaseError
from airflow_provider_emrkit.releases import release

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from airflow_provider_emrkit.localemr.config import JvmProfile, ServerConfig

_MIB = 1024 * 1024
_IVY, _USERS = "ivy", "passwd"
# What Spark's JVMs read of the cache, beside Spark itself.
_SHOWN_OF_CACHE = ("archives", "jars", "s3a")

# Older Pythons make this table when it is first asked for, and show half of it to the threads that ask
# meanwhile: several clusters that start at once ask for it when they look for uv's program.
sysconfig.get_config_vars()


@dataclass(frozen=True)
class Wanted:
    """What the user of a directory asked for.

    :param release_label: EMR release label.
    :param region: AWS region the request was signed for.
    :param configurations: EMR's ``Configurations`` list.
    :param executor_logs: Whether somebody wants to see what executors write.
    """

    release_label: str
    region: str
    configurations: Sequence[Mapping[str, Any]] = ()
    executor_logs: bool = False


@dataclass(frozen=True)
class Prepared:
    """A directory that is ready.

    :param place: Its directories and programs.
    :param machine: What the machine gives to a command.
    :param defaults: The ``spark-defaults`` that were asked for.
    """

    place: Place
    machine: Machine
    defaults: Mapping[str, str]


def check_release(label: str) -> None:
    """Refuse a release label that can't be run here.

    :raises ClusterStartError: with the mend in its message.
    """
    try:
        check_label(label)
    except (UnsupportedReleaseError, ValueError) as error:
        raise ClusterStartError(str(error)) from error


def install(label: str, config: ServerConfig, progress: Callable[[str], None]) -> Software:
    """Have a release's software on this machine: minutes the first time, then nothing.

    :raises ClusterStartError: when it can't be had.
    """
    check_release(label)
    try:
        software = install_software(label, config.cache_dir.resolve(), progress)
        if config.s3_filesystem == "s3a":
            install_s3a(software, config.cache_dir.resolve(), progress)
        return software
    except InstallError as error:
        raise ClusterStartError(str(error)) from error


def prepare(config: ServerConfig, wanted: Wanted, software: Software, directory: Path) -> Prepared:
    """Make a directory: configuration, Java, Python environment, home directory and programs.

    :raises InstallError: when the Python environment can't be made.
    :raises OSError: when a file can't be written.
    """
    cache_dir = config.cache_dir.resolve()
    jar, s3 = s3_jar(cache_dir), s3_access(config)
    last = installed_s3a(software.spark_home, cache_dir) if config.s3_filesystem == "s3a" else ()
    jvm = _jvm_options(wanted.release_label, config.jvm_profile)
    collector = FAST_COLLECTOR if config.jvm_profile == "fast" else ""
    machine = Machine(
        os.cpu_count() or 1,
        memory_limit_mib(),
        (os.fspath(jar),),
        os.fspath(software.spark_home),
        # Threads of the driver write no log of their own.
        executors="processes" if wanted.executor_logs else config.executors,
        executor_jvm=" ".join(filter(None, (*jvm, collector))),
    )
    conf = ClusterConf(
        directory=directory / "conf",
        data_dir=directory,
        event_logs=event_log_directory(config),
        ivy_dir=cache_dir / _IVY,
        s3=s3,
        s3_filesystem=config.s3_filesystem,
        region=wanted.region,
        machine=machine,
        configurations=wanted.configurations,
    )
    place = Place(
        directory=directory,
        spark_home=software.spark_home,
        java_home=make_java_home(software.java, directory / "java", archive_path(software, jar, cache_dir)),
        endpoint_url=config.url,
        region=wanted.region,
        class_path=machine.class_path,
        last_class_path=tuple(map(os.fspath, last)),
        s3=s3,
        exported=conf.environment,
        jvm=jvm,
        collector=collector,
        executors=machine.executors,
        notice=software.notice,
        containers=_container_settings(config, software, directory),
    )
    conf.write()
    place.home.mkdir(parents=True, exist_ok=True)
    (directory / _USERS).write_text(users_file(place.home), encoding="utf-8")
    make_environment(software.python, place.venv)
    apart = machine.executors == "processes"
    write_python_site(place.python_site, FITTED if apart else (), stops=apart)
    write_shims(place, uv_program())
    return Prepared(place, machine, conf.requested)


def _container_settings(config: ServerConfig, software: Software, directory: Path) -> ContainerSettings:
    cache_dir = config.cache_dir.resolve()
    return ContainerSettings(
        engine=config.engine,
        instance=instance_id(config.data_dir),
        records=config.data_dir.resolve() / RECORDS,
        shown=(software.spark_home, *(cache_dir / name for name in _SHOWN_OF_CACHE)),
        shared=(directory, event_log_directory(config), cache_dir / _IVY),
        java=software.java.home,
        users=directory / _USERS,
    )


def memory_limit_mib() -> int:
    """Give the most memory (MiB) a step's JVM may have: half of this machine's."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MIB // 2


def _jvm_options(label: str, profile: JvmProfile) -> tuple[str, ...]:
    fast = FAST_JVM if profile == "fast" else ()
    return (*fast, FORGIVING_JVM) if release(label).java == "8" else fast
