"""The environment of a cluster's commands, built from nothing: localemr's own never reaches a job."""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import airflow_provider_emrkit
from airflow_provider_emrkit.localemr.config import aws_environment
from airflow_provider_emrkit.localemr.run.event_logs import OWNER
from airflow_provider_emrkit.localemr.run.programs import EXAMPLES
from airflow_provider_emrkit.localemr.spark.install import uv_environment
from airflow_provider_emrkit.localemr.spark.own_home import SHARED_HOME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.localemr.config import ExecutorKind
    from airflow_provider_emrkit.localemr.engine.settings import ContainerSettings
    from airflow_provider_emrkit.localemr.s3_access import S3Access

_LOCAL = "127.0.0.1,localhost"
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"

# C1 and the serial collector start a JVM in a third of the CPU time; a long job that wants better says so in
# its options.
FAST_JVM = ("-XX:TieredStopAtLevel=1",)
FAST_COLLECTOR = "-XX:+UseSerialGC"
# Options that a Java 8 took and later ones refuse: jobs of EMR 6 may still name them.
FORGIVING_JVM = "-XX:+IgnoreUnrecognizedVMOptions"

_PYTHON_SHIM = """#!/bin/sh
if [ "$1" = -m ] && { [ "$2" = pip ] || [ "$2" = pip3 ]; }; then
  shift 2
  exec @shims@/pip "$@"
fi
exec @python@ "$@"
"""

_PIP_SHIM = """#!/bin/sh
[ $# -gt 0 ] || exec @uv@ pip
command=$1
shift
[ "$command" = uninstall ] || exec @uv@ pip "$command" --python @python@ "$@"
for arg do
  shift
  [ "$arg" = -y ] || [ "$arg" = --yes ] || set -- "$@" "$arg"
done
exec @uv@ pip uninstall --python @python@ "$@"
"""

_SUDO_SHIM = """#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in
    -u|-g|--user|--group) shift 2 ;;
    --) shift; break ;;
    -*) shift ;;
    *) break ;;
  esac
done
exec env "$@"
"""

_HADOOP_SHIM = """#!/bin/sh
command=$1
[ $# -eq 0 ] || shift
case $command in
  fs|dfs) main=org.apache.hadoop.fs.FsShell ;;
  jar)
    case ${1##*/} in
      s3-dist-cp*.jar|emr-s3distcp*.jar) shift; exec @shims@/s3-dist-cp "$@" ;;
    esac
    main=org.apache.hadoop.util.RunJar ;;
  version) main=org.apache.hadoop.util.VersionInfo ;;
  classpath) echo @classpath@; exit 0 ;;
  distcp) echo "hadoop: distcp is a MapReduce job, which can't run here; use s3-dist-cp" >&2; exit 1 ;;
  *.*) main=$command ;;
  *) echo "hadoop: '$command' is not known here; use fs, jar, version, classpath or a class" >&2; exit 1 ;;
esac
jvm=@jvm@
exec @java@ $jvm $HADOOP_CLIENT_OPTS -cp @classpath@"${HADOOP_CLASSPATH:+:$HADOOP_CLASSPATH}" "$main" "$@"
"""

# Our own programs: their modules' main gets the settings, the program's name and its arguments.
_OWN_SHIM = """#!/bin/sh
exec @python@ -I -c @code@ @settings@ @tool@ "$@"
"""

_OWN_PROGRAMS = {
    **dict.fromkeys(("spark-submit", "spark-sql", "spark-shell", "pyspark", *EXAMPLES), "submit_program"),
    "aws": "aws_program",
    "s3-dist-cp": "dist_cp_program",
    "yarn": "yarn_program",
}


@dataclass(frozen=True)
class Place:
    """The directories and programs of one cluster.

    :param directory: The cluster's own directory; everything below it is removed with the cluster.
    :param spark_home: Spark's directory.
    :param java_home: Java's directory.
    :param endpoint_url: Address that answers AWS's APIs.
    :param region: Default region of the cluster's commands.
    :param class_path: Our entries of Java's class path.
    :param last_class_path: Those that come last, so that the class-data archive still fits.
    :param s3: How S3 is reached; by default it is where AWS's other APIs are.
    :param exported: Variables that the cluster's configuration exports (``spark-env``).
    :param jvm: Options of every JVM that spark-submit starts.
    :param collector: Its garbage collector, unless the job chooses one; empty for Java's own.
    :param executors: Whether Spark's executors are threads of the driver or processes of their own.
    :param notice: What is worth knowing about the software, if anything; steps' logs begin with it.
    :param containers: How containers of jobs' images are made; None where there are none.

    >>> place = Place(Path("/c/j-1"), Path("/spark"), Path("/java"), "http://127.0.0.1:5005", "us-east-1")
    >>> str(place.python)
    '/c/j-1/venv/bin/python'
    """

    directory: Path
    spark_home: Path
    java_home: Path
    endpoint_url: str
    region: str
    class_path: tuple[str, ...] = ()
    last_class_path: tuple[str, ...] = ()
    s3: S3Access | None = None
    exported: Mapping[str, str] = field(default_factory=dict)
    jvm: tuple[str, ...] = FAST_JVM
    collector: str = FAST_COLLECTOR
    executors: ExecutorKind = "threads"
    notice: str = ""
    containers: ContainerSettings | None = None

    @property
    def conf(self) -> Path:
        """Configuration directory of Spark and Hadoop."""
        return self.directory / "conf"

    @property
    def shims(self) -> Path:
        """Programs that come first in PATH."""
        return self.directory / "bin"

    @property
    def home(self) -> Path:
        """Home directory of the cluster's user."""
        return self.directory / "home"

    @property
    def venv(self) -> Path:
        """The cluster's Python environment."""
        return self.directory / "venv"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.venv / "bin" / "python"

    @property
    def python_site(self) -> Path:
        """What every Python of the cluster reads at its start."""
        return self.directory / "python"

    @property
    def steps(self) -> Path:
        """Where each step has a directory."""
        return self.directory / "steps"

    @property
    def applications(self) -> Path:
        """Where each application of deploy mode cluster has a directory."""
        return self.directory / "applications"

    @property
    def staging(self) -> Path:
        """Where drivers that a script submits get a working directory."""
        return self.directory / "staging"

    @property
    def settings(self) -> Path:
        """What the spark-submit and yarn found in PATH need to know."""
        return self.directory / "submit.json"

    @property
    def hadoop_class_path(self) -> str:
        """Class path of Hadoop's own commands."""
        jars = [*self.class_path, f"{self.spark_home}/jars/*", *self.last_class_path]
        return ":".join([os.fspath(self.conf), *jars])


def command_environment(
    place: Place,
    work: Path,
    *,
    own_collector: bool = False,
    owner: str | None = None,
    own_home: Path | None = None,
) -> dict[str, str]:
    """Build the environment of one command.

    :param work: The command's own directory; temporary files go into ``tmp`` in it.
    :param own_collector: The command names a garbage collector for its JVM; ours is left out.
    :param owner: Id by which the command's Spark applications can be found; see ``event_logs``.
    :param own_home: The command's own SPARK_HOME; see ``own_home``.
    """
    temporary = work / "tmp"
    java_options = [
        *place.jvm,
        *([place.collector] if place.collector and not own_collector else []),
        f'"-Djava.io.tmpdir={temporary}"',
        *([f"-D{OWNER}={owner}"] if owner else []),
    ]
    path = [place.shims, place.venv / "bin", place.java_home / "bin", place.spark_home / "bin"]
    return {
        **aws_environment(place.endpoint_url, place.region),
        **(place.s3.environment if place.s3 else {}),
        **proxies(os.environ),
        **certificates(os.environ),
        "HADOOP_CONF_DIR": os.fspath(place.conf),
        "HADOOP_USER_NAME": "hadoop",
        "HOME": os.fspath(place.home),
        "JAVA_HOME": os.fspath(place.java_home),
        "LANG": "C.UTF-8" if sys.platform != "darwin" else "en_US.UTF-8",
        "LOGNAME": "hadoop",
        "PATH": ":".join([*map(os.fspath, path), _SYSTEM_PATH]),
        "PYSPARK_PYTHON": os.fspath(place.python),
        "PYTHONUNBUFFERED": "1",
        "SHELL": "/bin/bash",
        "SPARK_CONF_DIR": os.fspath(place.conf),
        "SPARK_HOME": os.fspath(own_home or place.spark_home),
        **({SHARED_HOME: os.fspath(place.spark_home)} if own_home else {}),
        "SPARK_LAUNCHER_OPTS": " ".join([*FAST_JVM, FAST_COLLECTOR]),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": os.fspath(temporary),
        "SPARK_SUBMIT_OPTS": " ".join(java_options),
        "TMPDIR": os.fspath(temporary),
        "TZ": "UTC",
        "USER": "hadoop",
        "VIRTUAL_ENV": os.fspath(place.venv),
        **place.exported,
        "PYTHONPATH": ":".join(
            filter(None, [os.fspath(place.python_site), place.exported.get("PYTHONPATH")])
        ),
        # Spark's scripts put it at the end.
        **({"SPARK_DIST_CLASSPATH": ":".join(place.last_class_path)} if place.last_class_path else {}),
    }


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Keep the machine's proxies, which a download may need, and never send localhost through them."""
    kept = {name: environ[name] for name in _PROXIES if environ.get(name)}
    if not kept:
        return {}
    direct = ",".join(part for part in (environ.get("no_proxy") or environ.get("NO_PROXY"), _LOCAL) if part)
    return {**kept, "no_proxy": direct, "NO_PROXY": direct}


def package_index_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Keep what says where Python packages come from; bootstrap actions get it, steps don't."""
    return {key: value for key, value in uv_environment(environ).items() if key.startswith(("PIP_", "UV_"))}


def certificates(environ: Mapping[str, str]) -> dict[str, str]:
    """Keep where the machine's certificates are, without which nothing can be downloaded."""
    env = uv_environment(environ)
    return {
        name: env[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE") if env.get(name)
    }


def write_shims(place: Place, uv: str) -> None:
    """Write the programs that come first in PATH: what every EMR machine has and this one may not."""
    place.shims.mkdir(parents=True, exist_ok=True)
    words = {
        "shims": os.fspath(place.shims),
        "python": os.fspath(place.python),
        "uv": uv,
        "java": os.fspath(place.java_home / "bin" / "java"),
        "jvm": " ".join(filter(None, [*place.jvm, place.collector])),
        "classpath": place.hadoop_class_path,
    }
    texts = {"sudo": _SUDO_SHIM, "python": _PYTHON_SHIM, "pip": _PIP_SHIM, "hadoop": _HADOOP_SHIM}
    aliases = {"python3": "python", "pip3": "pip", "hdfs": "hadoop"}
    for name, text in texts.items():
        _write_program(place.shims / name, _filled(text, words))
    for name, target in aliases.items():
        _write_program(place.shims / name, _filled(texts[target], words))


def write_own_programs(place: Place) -> None:
    """Write the programs of a cluster that need its settings (:attr:`Place.settings`)."""
    for tool, module in _OWN_PROGRAMS.items():
        _write_program(place.shims / tool, _own_shim(place, tool, module))


def _own_shim(place: Place, tool: str, name: str) -> str:
    root = Path(airflow_provider_emrkit.__file__).parent.parent
    module = f"airflow_provider_emrkit.localemr.run.{name}"
    code = (
        f"import sys; sys.path.insert(0, {os.fspath(root)!r}); from {module} import main; main(sys.argv[1:])"
    )
    words = {"python": sys.executable, "code": code, "settings": os.fspath(place.settings), "tool": tool}
    return _filled(_OWN_SHIM, words)


def _filled(text: str, words: Mapping[str, str]) -> str:
    """Put words, quoted for the shell, in the places of a program's text that are marked ``@word@``."""
    return re.sub(r"@(\w+)@", lambda found: shlex.quote(words[found[1]]), text)


def _write_program(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
