"""What ``spark-submit`` arguments written for EMR mean on one machine. Pure: texts in, texts out.

On EMR, YARN decides where the driver runs and how many executors there are; here driver and executors share
one JVM, or are one each (see ``executors``). What names the cluster manager is dropped, what sizes executors
sizes their JVM, and the application's own arguments are left alone byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.spark.executors import COLLECTOR, driver_heap_mib, master_conf
from airflow_provider_emrkit.localemr.spark.s3_conf import leads_elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_emrkit.localemr.config import ExecutorKind

SWITCHES = frozenset(
    {"--help", "-h", "--silent", "-S", "--supervise", "--usage-error", "--verbose", "-v", "--version"}
)
"""Options without a value."""

FILE_OPTIONS = frozenset({"--archives", "--files", "--jars", "--properties-file", "--py-files"})
"""Options that name files."""

# Options that choose or size what a cluster manager would start.
_DROPPED_OPTIONS = frozenset(
    {
        "--deploy-mode",
        "--driver-cores",
        "--driver-memory",
        "--executor-cores",
        "--executor-memory",
        "--keytab",
        "--kill",
        "--master",
        "--num-executors",
        "--principal",
        "--queue",
        "--status",
        "--supervise",
        "--total-executor-cores",
    }
)

_DROPPED_CONF = frozenset(
    {
        "spark.driver.memory",
        "spark.dynamicAllocation.enabled",
        "spark.kerberos.keytab",
        "spark.kerberos.principal",
        "spark.master",
        "spark.shuffle.service.enabled",
        "spark.submit.deployMode",
        "spark.yarn.archive",
        "spark.yarn.jars",
    }
)

# Classes that only an EMR node has.
_EMR_CLASSES = ("com.amazon.emr.", "com.amazon.ws.emr.", "com.amazonaws.glue.catalog.")
_HADOOP = "spark.hadoop."
_EVENT_LOGS = "spark.eventLog.dir"
# Where EMR itself sets it to.
_EMR_EVENT_LOGS = "hdfs:///var/log/spark/apps"
_MASTER_ENV = "spark.yarn.appMasterEnv."
_WAITS = "spark.yarn.submit.waitAppCompletion"
_CLASS_PATH = "spark.driver.extraClassPath"
_JAVA_OPTIONS = ("spark.driver.defaultJavaOptions", "spark.driver.extraJavaOptions")
# Options that are another way to say a property.
_PROPERTIES = {
    "--driver-memory": "spark.driver.memory",
    "--executor-cores": "spark.executor.cores",
    "--executor-memory": "spark.executor.memory",
    "--num-executors": "spark.executor.instances",
}


@dataclass(frozen=True)
class Machine:
    """What this machine gives to one step.

    :param cores: Threads that run tasks at the same time.
    :param memory_mib: The largest heap (MiB) a step may have.
    :param class_path: Entries that come first on the driver's class path.
    :param spark_home: Stands for ``/usr/lib/spark``, where EMR keeps Spark.
    :param executors: Whether executors are threads of the driver or processes of their own.
    :param executor_jvm: JVM options of executors that are processes.

    >>> Machine(cores=2, memory_mib=4096).master
    'local[2]'
    """

    cores: int
    memory_mib: int
    class_path: tuple[str, ...] = ()
    spark_home: str = ""
    executors: ExecutorKind = "threads"
    executor_jvm: str = ""

    @property
    def master(self) -> str:
        """The master of a job that asks for nothing."""
        return master_conf(self, {})["spark.master"]


@dataclass(frozen=True)
class Submission:
    """A ``spark-submit`` as it runs here.

    :param args: Arguments after ``spark-submit``.
    :param deploy_mode: What the caller asked for, ``client`` or ``cluster``; it decides where EMR keeps the
        driver's log.
    :param env: Environment of the driver (``spark.yarn.appMasterEnv.*`` in cluster mode).
    :param files: ``--files`` and ``--archives``, which YARN puts into the driver's working directory in
        cluster mode.
    :param archives: See ``files``; unpacked there.
    :param own_collector: The job chooses its JVM's garbage collector itself.
    :param name: Name of the application.
    :param tags: Its tags (``spark.yarn.tags``), in lower case as YARN keeps them.
    :param waits: Whether a client in cluster mode waits for the application's end
        (``spark.yarn.submit.waitAppCompletion``).
    :param conf: The properties it asks for, as they were given.
    """

    args: tuple[str, ...]
    deploy_mode: str = "client"
    env: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    archives: tuple[str, ...] = ()
    own_collector: bool = False
    name: str = ""
    tags: tuple[str, ...] = ()
    waits: bool = True
    conf: Mapping[str, str] = field(default_factory=dict)


@dataclass
class CommandLine:
    """The command line, taken apart: options in their order; the primary resource and what follows."""

    options: list[tuple[str, str | None]]
    rest: list[str]

    def last(self, option: str) -> str | None:
        """Give the value of an option's last occurrence."""
        return next((value for name, value in reversed(self.options) if name == option), None)

    def conf(self) -> dict[str, str]:
        """Give all ``--conf``, later ones winning."""
        pairs = (value.partition("=") for name, value in self.options if name == "--conf" and value)
        return {key: value for key, found, value in pairs if found}


def translate(args: Sequence[str], machine: Machine, defaults: Mapping[str, str] | None = None) -> Submission:
    """Translate the arguments of ``spark-submit``.

    :param args: Everything after ``spark-submit``, as EMR would get it.
    :param defaults: What ``spark-defaults`` says: the cluster's, or the job's own ``--properties-file``.
    """
    parsed = parse(args)
    conf = {**(defaults or {}), **parsed.conf()}
    mode = parsed.last("--deploy-mode") or conf.get("spark.submit.deployMode") or "client"
    asked = {**conf, **{key: value for name, key in _PROPERTIES.items() if (value := parsed.last(name))}}
    ours = master_conf(machine, asked)
    out = ["--master", ours.pop("spark.master"), "--driver-memory", f"{driver_heap_mib(machine, asked)}m"]
    for name, value in parsed.options:
        out += _option(name, value, machine)
    # The last one wins.
    out += [word for key, value in ours.items() for word in ("--conf", f"{key}={value}")]
    out += [_on_this_machine(text, machine) if place == 0 else text for place, text in enumerate(parsed.rest)]
    files, archives = parsed.last("--files"), parsed.last("--archives")
    return Submission(
        args=tuple(out),
        deploy_mode=mode,
        env=driver_env(conf) if mode == "cluster" else {},
        files=_comma_list(files or conf.get("spark.yarn.dist.files") or conf.get("spark.files")),
        archives=_comma_list(archives or conf.get("spark.yarn.dist.archives") or conf.get("spark.archives")),
        own_collector=own_collector(conf) or _names_collector(parsed.last("--driver-java-options")),
        name=_application_name(parsed, conf),
        tags=tuple(tag.lower() for tag in _comma_list(conf.get("spark.yarn.tags"))),
        waits=conf.get(_WAITS, "true").strip().lower() != "false",
        conf=conf,
    )


def _application_name(parsed: CommandLine, conf: Mapping[str, str]) -> str:
    given = parsed.last("--name") or conf.get("spark.app.name") or parsed.last("--class")
    return given or (parsed.rest[0].rpartition("/")[2] if parsed.rest else "")


def local_conf(conf: Mapping[str, str], class_path: Iterable[str] = ()) -> dict[str, str]:
    """Leave out what only makes sense on EMR, and put our entries first on the class path."""
    kept = {key: value for key, value in conf.items() if not _is_dropped(key, value)}
    ours = list(class_path)
    if ours and _CLASS_PATH in kept:
        kept[_CLASS_PATH] = ":".join([*ours, kept[_CLASS_PATH]])
    return kept


def driver_env(conf: Mapping[str, str]) -> dict[str, str]:
    """Give the environment that ``spark.yarn.appMasterEnv.*`` asks for."""
    return {key[len(_MASTER_ENV) :]: value for key, value in conf.items() if key.startswith(_MASTER_ENV)}


def own_collector(conf: Mapping[str, str]) -> bool:
    """Tell whether a configuration chooses a garbage collector: two of them stop a JVM from starting."""
    return any(_names_collector(conf.get(key)) for key in _JAVA_OPTIONS)


def _names_collector(java_options: str | None) -> bool:
    return bool(COLLECTOR.search(java_options or ""))


def parse(args: Sequence[str]) -> CommandLine:
    """Take the arguments of ``spark-submit`` apart."""
    options: list[tuple[str, str | None]] = []
    place = 0
    while place < len(args):
        text = args[place]
        if not text.startswith("-"):
            break
        name, equals, value = text.partition("=")
        name = "--conf" if name == "-c" else name
        if equals and text.startswith("--"):
            options.append((name, value))
        elif name in SWITCHES:
            options.append((name, None))
        else:
            place += 1
            options.append((name, args[place] if place < len(args) else None))
        place += 1
    return CommandLine(options, list(args[place:]))


def named_files(args: Sequence[str]) -> list[str]:
    """Give the files of this machine that arguments of ``spark-submit`` may name, by their full paths.

    >>> named_files(["--py-files", "s3://bucket/a.py,/jobs/b.py", "file:///jobs/job.py", "/no/file"])
    ['/jobs/b.py', '/jobs/job.py']
    """
    parsed = parse(args)
    listed = [part for name, value in parsed.options if name in FILE_OPTIONS for part in _comma_list(value)]
    paths = (text.removeprefix("file://").partition("#")[0] for text in (*listed, *parsed.rest[:1]))
    return [path for path in paths if path.startswith("/")]


def _option(name: str, value: str | None, machine: Machine) -> list[str]:
    if name in _DROPPED_OPTIONS:
        return []
    if name == "--conf" and value is not None:
        return _conf_option(value, machine)
    if name == "--driver-class-path" and value is not None:
        return [name, ":".join([*machine.class_path, value])]
    return [name] if value is None else [name, value]


def _conf_option(pair: str, machine: Machine) -> list[str]:
    key, _, value = pair.partition("=")
    if _is_dropped(key, value):
        return []
    if key == _CLASS_PATH:
        return ["--conf", f"{key}={':'.join([*machine.class_path, value])}"]
    return ["--conf", pair]


def _is_dropped(key: str, value: str) -> bool:
    if key == _EVENT_LOGS and value.startswith(_EMR_EVENT_LOGS):
        return True
    return key in _DROPPED_CONF or value.startswith(_EMR_CLASSES) or _is_other_s3(key)


def _is_other_s3(key: str) -> bool:
    return key.startswith(_HADOOP) and leads_elsewhere(key[len(_HADOOP) :])


def _comma_list(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()


def _on_this_machine(resource: str, machine: Machine) -> str:
    for prefix in ("file:///usr/lib/spark/", "local:///usr/lib/spark/", "/usr/lib/spark/"):
        if machine.spark_home and resource.startswith(prefix):
            return f"{machine.spark_home}/{resource[len(prefix) :]}"
    return resource
