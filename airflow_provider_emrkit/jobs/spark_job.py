"""The Spark job a DAG author writes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.frozen import FrozenMapping, FrozenSpec
from airflow_provider_emrkit.jobs.docker_image import SET_BY_IMAGE, DockerImage
from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import (
    InvalidValueError,
    check_choice,
    check_instance,
    check_mapping,
    check_optional_text,
    check_pattern,
    check_sendable,
    check_sequence,
    check_text,
    check_texts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OWNER = "SparkJob"
DEPLOY_MODES = ("cluster", "client")
# spark-submit joins each of these with commas, in this order.
FILE_FIELDS = ("py_files", "jars", "files", "archives")

# Properties that have a field of their own: set twice, one of the two would be ignored without a word.
_FIELD_FOR_CONF = {
    "spark.submit.deployMode": "deploy_mode",
    "spark.app.name": "name",
    "spark.submit.pyFiles": "py_files",
    "spark.jars": "jars",
    "spark.files": "files",
    "spark.archives": "archives",
    "spark.jars.packages": "packages",
}

_JAVA_CLASS = re.compile(r"[^\W\d][\w$]*(\.[^\W\d][\w$]*)*")
# Where env goes, on YARN and on EMR Serverless.
_ENV_PREFIXES = ("spark.executorEnv.", "spark.yarn.appMasterEnv.", "spark.emr-serverless.driverEnv.")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# What DockerImage sets; the rest of YARN's runtime (a privileged container, its network) is the job's to ask.
_SET_BY_IMAGE = re.compile(
    rf"(?:spark\.executorEnv\.|spark\.yarn\.appMasterEnv\.)?(?:{'|'.join(SET_BY_IMAGE)})"
)
_PACKAGE = re.compile(r"[^\s:,/]+:[^\s:,/]+:[^\s:,/]+")


@dataclass(frozen=True, repr=False)
class SparkJob(FrozenSpec):
    """One Spark application: what ``spark-submit`` runs, wherever it runs.

    Paths without a scheme are files beside the DAG: relative ones are looked up from the DAG file's folder,
    and each is staged to S3. A file that is on the cluster already is written with a scheme
    (``local:/usr/lib/spark/…``). Every string may hold a Jinja template; it is checked again when it has been
    rendered. Spark receives texts as they are written, except that its own ``spark-class`` drops carriage
    returns.

    :param entry_point: The Python file (``.py``) or jar (``.jar``) to run.
    :param args: The application's own arguments, in order; numbers become strings.
    :param main_class: Class with the ``main`` method; required with a jar, forbidden with a Python file.
    :param conf: Spark properties; True, False and numbers are written as Spark reads them.
    :param py_files: ``.py``, ``.zip`` or ``.egg`` files, or directories with Python code, put on
        ``PYTHONPATH``.
    :param jars: Jars for the class paths of driver and executors.
    :param files: Files put into the working directory of driver and executors; ``path#name`` renames one.
    :param archives: Archives unpacked there; ``path#directory`` names the directory.
    :param packages: Maven coordinates, ``group:artifact:version``.
    :param env: Environment variables of driver and executors; numbers become strings.
    :param deploy_mode: ``cluster`` (the driver runs in a YARN container) or ``client`` (on the primary node);
        EMR Serverless, where the driver is a worker of its own, has no use for it.
    :param name: Name of the Spark application; by default the one the operator gives the step.
    :param docker: Image that driver and executors run in. In deploy mode ``client`` only the executors do:
        the driver is on the primary node, which has no Docker. On EMR Serverless, an image is the
        application's, and this has to be the same one.
    :raises InvalidValueError: when a field can't be right.

    >>> job = SparkJob("jobs/sales.py", args=["--day", "{{ ds }}"], conf={"spark.executor.cores": 4})
    >>> job
    SparkJob(entry_point='jobs/sales.py', args=('--day', '{{ ds }}'), conf={'spark.executor.cores': '4'})
    >>> SparkJob("target/etl.jar")
    Traceback (most recent call last):
        ...
    airflow_provider_emrkit.validation.InvalidValueError: SparkJob.main_class: None is missing; ...
    """

    entry_point: str
    args: Sequence[str | int | float] = ()
    main_class: str | None = None
    conf: Mapping[str, str | bool | int | float] = field(default_factory=FrozenMapping)
    py_files: Sequence[str] = ()
    jars: Sequence[str] = ()
    files: Sequence[str] = ()
    archives: Sequence[str] = ()
    packages: Sequence[str] = ()
    env: Mapping[str, str | int | float] = field(default_factory=FrozenMapping)
    deploy_mode: str = "cluster"
    name: str | None = None
    docker: DockerImage | None = None

    def __post_init__(self) -> None:
        _check_entry_point(self.entry_point)
        _check_main_class(self.entry_point, self.main_class)
        check_choice(OWNER, "deploy_mode", self.deploy_mode, DEPLOY_MODES)
        check_optional_text(OWNER, "name", self.name)
        self._set("args", _checked_args(self.args))
        self._set("conf", _checked_conf(self.conf))
        self._set("env", _checked_env(self.env, self.conf))
        self._set("packages", _checked_packages(self.packages))
        for name in FILE_FIELDS:
            self._set(name, _checked_paths(name, getattr(self, name)))
        if self.docker is not None:
            check_instance(OWNER, "docker", self.docker, DockerImage)
            _check_runtime_is_free(self.conf, self.env)


def _check_entry_point(entry_point: Any) -> None:
    check_text(OWNER, "entry_point", entry_point)
    if not is_template(entry_point) and not entry_point.endswith((".py", ".jar")):
        raise InvalidValueError(
            OWNER,
            "entry_point",
            entry_point,
            "is neither a Python file nor a jar",
            "give a path ending in .py or .jar",
        )


def _check_main_class(entry_point: str, main_class: Any) -> None:
    if main_class is not None:
        check_pattern(OWNER, "main_class", main_class, _JAVA_CLASS, "write it like com.example.DailySales")
    if is_template(entry_point):
        return
    if main_class is None and entry_point.endswith(".jar"):
        mend = "name the class whose main method is to run, e.g. main_class='com.example.DailySales'"
        raise InvalidValueError(OWNER, "main_class", main_class, "is missing", mend)
    if main_class is not None and entry_point.endswith(".py"):
        mend = "leave it out, or give a .jar as entry_point"
        raise InvalidValueError(OWNER, "main_class", main_class, "does not go with a Python file", mend)


def _checked_args(args: Any) -> tuple[str, ...]:
    return tuple(
        check_sendable(OWNER, f"args[{index}]", _number_as_text(item))
        for index, item in enumerate(check_sequence(OWNER, "args", args))
    )


def _checked_conf(conf: Any) -> FrozenMapping[str]:
    checked = {}
    for key, value in check_mapping(OWNER, "conf", conf).items():
        _check_conf_key(key)
        text = str(value).lower() if isinstance(value, bool) else _number_as_text(value)
        checked[key] = check_sendable(OWNER, f"conf[{key!r}]", text, secret=True)
    if checked.get("spark.yarn.submit.waitAppCompletion", "true").strip().lower() == "false":
        mend = "leave it out, so that the step lasts as long as the job"
        raise InvalidValueError(
            OWNER, "conf['spark.yarn.submit.waitAppCompletion']", "false", "is not allowed", mend
        )
    return FrozenMapping(checked)


def _check_conf_key(key: str) -> None:
    if is_template(key):
        return
    if key == "spark.master":
        mend = "leave it out; where a job runs is said by compute="
        raise InvalidValueError(OWNER, "conf key", key, "belongs to emrkit", mend)
    if key in _FIELD_FOR_CONF:
        raise InvalidValueError(
            OWNER, "conf key", key, "has a field of its own", f"use {_FIELD_FOR_CONF[key]}="
        )
    if not key.startswith("spark.") or "=" in key or any(character.isspace() for character in key):
        mend = "Spark ignores keys that do not start with 'spark.'; Hadoop's are written spark.hadoop.<key>"
        raise InvalidValueError(OWNER, "conf key", key, "is not a Spark property", mend)


def _checked_env(env: Any, conf: Mapping[str, Any]) -> FrozenMapping[str]:
    checked = {}
    for name, value in check_mapping(OWNER, "env", env).items():
        check_pattern(
            OWNER, "env name", name, _ENV_NAME, "use letters, digits and _, not beginning with a digit"
        )
        for prefix in _ENV_PREFIXES:
            if prefix + name in conf:
                raise InvalidValueError(
                    OWNER, "env name", name, f"is set by conf[{prefix + name!r}] too", "keep one"
                )
        checked[name] = check_sendable(OWNER, f"env[{name!r}]", _number_as_text(value), secret=True)
    return FrozenMapping(checked)


def _check_runtime_is_free(conf: Mapping[str, Any], env: Mapping[str, Any]) -> None:
    """See that what an image sets is not set otherwise too."""
    for where, names in (("conf key", conf), ("env name", env)):
        for name in names:
            if _SET_BY_IMAGE.fullmatch(name):
                mend = "leave it out; mounts and client_config are fields of DockerImage"
                raise InvalidValueError(OWNER, where, name, "is set by docker", mend)


def _checked_packages(packages: Any) -> tuple[str, ...]:
    checked = check_texts(OWNER, "packages", packages)
    for index, package in enumerate(checked):
        check_pattern(OWNER, f"packages[{index}]", package, _PACKAGE, "write it as group:artifact:version")
    return checked


def _checked_paths(name: str, paths: Any) -> tuple[str, ...]:
    checked = check_texts(OWNER, name, paths)
    for index, path in enumerate(checked):
        if is_template(path):
            continue
        if "," in path:
            mend = "give one list item per file, and rename a file whose name has one"
            raise InvalidValueError(OWNER, f"{name}[{index}]", path, "holds a comma", mend)
        if name == "py_files" and path.endswith(".whl"):
            mend = "give the package's directory, or a .zip of it"
            raise InvalidValueError(
                OWNER, f"py_files[{index}]", path, "is a wheel, which Spark can't import", mend
            )
    return checked


def _number_as_text(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return value
