"""The script that asks an image what is in it. Pure.

It asks for what any target needs; who judges an image takes what it needs of the answers. Each line of them
is ``emrkit:key=value``, which :func:`airflow_provider_emrkit.images.probing.read_inside` reads.
"""

from __future__ import annotations

MARK = "emrkit:"

# What YARN's launch_container.sh calls.
TOOLS = ("cat", "chmod", "cp", "ln", "ls", "mkdir")
# What PySpark's driver and workers import of the standard library, and slim images leave out.
MODULES = ("ctypes", "decimal", "multiprocessing", "pydoc", "select", "zlib")
PANDAS_MODULES = ("distutils",)

# Programs of EMR's images for EMR Serverless, as the image manifest of AWS' own check has them, and the
# entry point itself, which that check does not look for.
SERVERLESS_PROGRAMS = (
    "/usr/bin/entrypoint.sh",
    "/usr/bin/tini",
    "$JAVA_HOME/bin/java",
    "$SPARK_HOME/bin/find-spark-home",
    "$SPARK_HOME/bin/pyspark",
    "$SPARK_HOME/bin/spark-class",
    "$SPARK_HOME/bin/spark-shell",
    "$SPARK_HOME/bin/spark-sql",
    "$SPARK_HOME/bin/spark-submit",
)
# Jars, by how their names begin: of the manifest's those without which no job starts. The others come and go
# with releases.
SERVERLESS_JARS = (
    "$SPARK_HOME/jars/spark-core_",
    "$SPARK_HOME/jars/spark-catalyst_",
    "$SPARK_HOME/jars/spark-hive_",
    "$SPARK_HOME/jars/spark-launcher_",
    "$SPARK_HOME/jars/spark-network-common_",
    "$SPARK_HOME/jars/spark-sql_",
    "$SPARK_HOME/jars/hadoop-client-api",
    "$SPARK_HOME/jars/hadoop-client-runtime",
    "$SPARK_HOME/jars/jackson-databind",
    "$SPARK_HOME/jars/py4j",
    "$SPARK_HOME/jars/scala-library",
    "/usr/lib/hadoop/hadoop-auth",
    "/usr/lib/hadoop/hadoop-aws",
    "/usr/lib/hadoop/hadoop-common",
    "/usr/lib/hadoop/lib/commons-configuration2",
    "/usr/lib/hadoop/lib/guava",
    "/usr/lib/hadoop/lib/woodstox-core",
)

_PYTHON_SCRIPT = """
import importlib.util, json, os, re, sys, warnings
warnings.simplefilter("ignore")
def lacks(name):
    try:
        __import__(name)
    except Exception:
        return True
def pyspark():
    found = importlib.util.find_spec("pyspark")
    for place in (found.submodule_search_locations or []) if found else []:
        try:
            with open(os.path.join(place, "version.py"), errors="replace") as file:
                version = re.search("__version__[^=]*= *.([0-9][^\\"\\x27]*)", file.read())
        except OSError:
            version = None
        return version.group(1) if version else "?"
    return ""
print(json.dumps({"version": list(sys.version_info[:3]), "executable": sys.executable,
                  "missing": [name for name in %r if lacks(name)], "pyspark": pyspark()}))
"""
# Python takes a package that it can't look into for an empty one.
_IMPORT_SCRIPT = """
import importlib, os, sys
try:
    module = importlib.import_module(sys.argv[1])
    for place in getattr(module, "__path__", ()):
        if os.path.isdir(place) and not os.access(place, os.R_OK | os.X_OK):
            raise PermissionError(place)
except BaseException as error:
    sys.exit("emrkit-import %s: %s" % (type(error).__name__, error))
"""

# POSIX, and nothing but the shell's own commands where it can be: an image may have little else.
_SCRIPT = """
say() { key=$1; shift; set -f; set -- $*; printf 'emrkit:%%s=%%s\\n' "$key" "$*"; set +f; }
links() {
  at=$1 left=20
  while [ "$left" -gt 0 ] && to=$(readlink "$at" 2>/dev/null) && [ -n "$to" ]; do
    say link "$to"; left=$((left - 1))
    case $to in /*) at=$to ;; *) at=${at%%/*}/$to ;; esac
  done
  say real "$(readlink -f "$1" 2>/dev/null)"
}
program() { [ -x "$2" ] && [ ! -d "$2" ] || say absent "$1"; }
jars() {
  none=1
  for jar in "$2"*.jar; do [ -r "$jar" ] && none= && say jar "$1 ${jar##*/}"; done
  [ -z "$none" ] || say absent "$1"
}
[ -x /bin/bash ] && say bash /bin/bash
for tool in %(tools)s; do command -v "$tool" >/dev/null 2>&1 || say lacks "$tool"; done
for loader in /lib/ld-musl-*; do [ -e "$loader" ] && say libc musl; done
if [ -r /etc/os-release ]; then
  while read -r line; do
    case $line in PRETTY_NAME=*) say system "${line#PRETTY_NAME=}" ;; esac
  done < /etc/os-release
fi
%(files)s
[ -w "$PWD" ] || say unwritable "$PWD"
say java_found "$(command -v java 2>/dev/null)"
if [ -n "$JAVA_HOME" ]; then
  say program java "$JAVA_HOME/bin/java"; links "$JAVA_HOME/bin/java"
  out=$("$JAVA_HOME/bin/java" -version 2>&1); code=$?; say code "$code"; say out "$out"
fi
chosen=$1 told=$2 imports=$3
shift 3
path=$(command -v python3 2>/dev/null)
for python in "$chosen" "$path"; do
  [ -n "$python" ] || continue
  say program python "$python"; links "$python"
  out=$("$python" -c "$told" 2>&1); code=$?; say code "$code"; say out "$out"
done
sparks=
for zip in "$SPARK_HOME"/python/lib/*.zip; do [ -r "$zip" ] && sparks=$sparks$zip:; done
sparks=$sparks$SPARK_HOME/python${PYTHONPATH:+:$PYTHONPATH}
for module in "$@"; do
  say program import "$module"
  out=$(PYTHONPATH=$sparks "$chosen" -c "$imports" "$module" 2>&1); code=$?
  say code "$code"; say out "${out##*emrkit-import }"
done
say end
"""


def command(python: str, modules: tuple[str, ...] = ()) -> list[str]:
    """Give the command that asks an image.

    :param python: Path of the job's Python.
    :param modules: Modules that it has to be able to import.

    >>> command("/usr/bin/python3")[:2]
    ['sh', '-c']
    """
    told = _PYTHON_SCRIPT % ((*MODULES, *PANDAS_MODULES),)
    files = [_asks("program", one) for one in SERVERLESS_PROGRAMS]
    files += [_asks("jars", one) for one in SERVERLESS_JARS]
    script = _SCRIPT % {"tools": " ".join(TOOLS), "files": "\n".join(files)}
    return ["sh", "-c", script, "sh", python, told, _IMPORT_SCRIPT, *modules]


def _asks(function: str, path: str) -> str:
    """Ask for a path by its name here, and by what it is in the image."""
    return f"{function} '{path}' \"{path}\""
