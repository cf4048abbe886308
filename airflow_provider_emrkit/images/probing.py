"""Asks an image what is in it: by what the engine knows, and by running a script in it.

The script runs as YARN runs a job's containers: as a user the image has never heard of, who isn't root. It
has no network, and what it prints is the image's word: hostile text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.images.engine import EngineError, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emrkit.images.engine import ContainerEngine

# Whose number no image gives to anybody; EMR's hadoop is such a one, too.
FOREIGNER, ROOT = "54321:54321", "0:0"
# An entrypoint may be a server, which never ends.
ENTRYPOINT_SECONDS = 20.0
MAX_VALUE = 2_000

# What YARN's launch_container.sh calls.
TOOLS = ("cat", "chmod", "cp", "ln", "ls", "mkdir")
# What PySpark's driver and workers import of the standard library, and slim images leave out.
MODULES = ("ctypes", "decimal", "multiprocessing", "pydoc", "select", "zlib")
PANDAS_MODULES = ("distutils",)

_MARK = "emrkit:"

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
[ -x /bin/bash ] && say bash /bin/bash
for tool in %(tools)s; do command -v "$tool" >/dev/null 2>&1 || say lacks "$tool"; done
for loader in /lib/ld-musl-*; do [ -e "$loader" ] && say libc musl; done
if [ -r /etc/os-release ]; then
  while read -r line; do
    case $line in PRETTY_NAME=*) say system "${line#PRETTY_NAME=}" ;; esac
  done < /etc/os-release
fi
say java_found "$(command -v java 2>/dev/null)"
if [ -n "$JAVA_HOME" ]; then
  say program java "$JAVA_HOME/bin/java"; links "$JAVA_HOME/bin/java"
  out=$("$JAVA_HOME/bin/java" -version 2>&1); code=$?; say code "$code"; say out "$out"
fi
path=$(command -v python3 2>/dev/null)
for python in "$1" "$path"; do
  [ -n "$python" ] || continue
  say program python "$python"; links "$python"
  out=$("$python" -c "$2" 2>&1); code=$?; say code "$code"; say out "$out"
done
say end
"""


@dataclass(frozen=True)
class Program:
    """A program that was started in an image.

    :param path: How it was called.
    :param code: Its exit code; None when that did not come to pass.
    :param out: What it printed, in one line.
    :param links: What the path links to, link after link, as far as the user can see.
    :param real: The file that it leads to; empty when the user can't see it.
    :param for_root: The same program, started by root; None when nobody tried, as it works for any user.

    >>> Program("/usr/bin/python3", 126, links=("/root/.local/bin/python3.11",)).works
    False
    """

    path: str
    code: int | None = None
    out: str = ""
    links: tuple[str, ...] = ()
    real: str = ""
    for_root: Program | None = None

    @property
    def works(self) -> bool:
        """Whether it ran and ended well."""
        return self.code == 0

    @property
    def told(self) -> dict[str, Any]:
        """What the script for Python told; empty when it told nothing."""
        # Something else may have printed before it, such as a sitecustomize.
        start = self.out.rfind('{"version"')
        try:
            found = json.loads(self.out[start:]) if start >= 0 else {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Inside:
    """What the script found in an image.

    :param problem: Why it could not run, in the engine's words; empty when it ran.
    :param bash: Path of bash, if YARN finds it.
    :param lacks: The tools that are missing of :data:`TOOLS`.
    :param libc: ``musl``, or empty for another.
    :param system: The system's name for itself.
    :param java_found: Where a java is on the PATH.
    :param java: Java, as ``JAVA_HOME`` leads to it; None without a ``JAVA_HOME``.
    :param pythons: The job's Python, and then the one on the PATH if it is another.
    :param hands_on: Whether the entrypoint starts what it is given; None when that was not tried, as there is
        none, or no bash.

    >>> Inside(problem="exec format error").pythons
    ()
    """

    problem: str = ""
    bash: str = ""
    lacks: tuple[str, ...] = ()
    libc: str = ""
    system: str = ""
    java_found: str = ""
    java: Program | None = None
    pythons: tuple[Program, ...] = ()
    hands_on: bool | None = None


@dataclass(frozen=True)
class ImageFacts:
    """What is known of an image.

    :param name: What it was asked for as.
    :param os: Operating system, as ``linux``.
    :param architecture: As images name it: ``amd64``, ``arm64``.
    :param size: Bytes.
    :param user: Whom it runs as by itself.
    :param entrypoint: What it starts whatever is asked for.
    :param command: What it starts by itself.
    :param env: Its environment variables.
    :param inside: What is in it.

    >>> ImageFacts("etl:1.4", "linux", "amd64").entrypoint
    ()
    """

    name: str
    os: str = ""
    architecture: str = ""
    size: int = 0
    user: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    inside: Inside = field(default_factory=Inside)


def facts_of(engine: ContainerEngine, image: str, python: str) -> ImageFacts | None:
    """Ask an image that is here for all that is judged; None when there is no such image.

    :param python: Path of the job's Python.
    :raises EngineError: when the engine fails.
    """
    inspected = engine.inspect(image)
    if inspected is None:
        return None
    facts = inspected_facts(image, inspected)
    inside = _looked_into(engine, image, python)
    if facts.entrypoint and inside.bash:
        inside = replace(inside, hands_on=_hands_on(engine, image))
    return replace(facts, inside=inside)


def inspected_facts(image: str, inspected: Mapping[str, Any]) -> ImageFacts:
    """Read what an engine says of an image. Pure."""
    config = inspected.get("Config") or {}
    size = inspected.get("Size")
    return ImageFacts(
        image,
        os=str(inspected.get("Os") or ""),
        architecture=str(inspected.get("Architecture") or ""),
        size=size if isinstance(size, int) else 0,
        user=str(config.get("User") or ""),
        entrypoint=_words(config.get("Entrypoint")),
        command=_words(config.get("Cmd")),
        env=dict(one.partition("=")[::2] for one in _words(config.get("Env"))),
    )


def _words(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


# --- running it -------------------------------------------------------------------------------------------


def _looked_into(engine: ContainerEngine, image: str, python: str) -> Inside:
    inside = _asked(engine, image, python, FOREIGNER)
    broken = [one for one in (inside.java, *inside.pythons) if one and not one.works]
    if inside.problem or not broken:
        return inside
    root = _asked(engine, image, python, ROOT)
    return replace(
        inside,
        java=inside.java and replace(inside.java, for_root=root.java),
        pythons=tuple(
            replace(one, for_root=next((its for its in root.pythons if its.path == one.path), None))
            for one in inside.pythons
        ),
    )


def _asked(engine: ContainerEngine, image: str, python: str, user: str) -> Inside:
    asked = _PYTHON_SCRIPT % ((*MODULES, *PANDAS_MODULES),)
    script = _SCRIPT % {"tools": " ".join(TOOLS)}
    argv = ["sh", "-c", script, "sh", python, asked]
    try:
        ran = engine.run(image, argv, user=user, entrypoint="")
    except EngineError as error:
        # What hangs is the image, as the engine has just answered.
        return Inside(problem=error.sentence)
    return read_inside(ran.stdout) or Inside(problem=words_of(replace(ran, stdout="")))


def _hands_on(engine: ContainerEngine, image: str) -> bool:
    """Start the image as YARN does, and see whether its entrypoint lets that happen."""
    argv = ["bash", "-c", f"echo {_MARK}started"]
    try:
        ran = engine.run(image, argv, user=FOREIGNER, timeout=ENTRYPOINT_SECONDS)
    except EngineError:
        return False
    return ran.code == 0 and f"{_MARK}started" in ran.stdout.splitlines()


def read_inside(text: str) -> Inside | None:
    """Read what the script printed; None when it did not get to its end. Pure.

    What is not its own is passed over: an image may print whatever it likes.
    """
    lines = [line[len(_MARK) :].partition("=") for line in text.split("\n") if line.startswith(_MARK)]
    told = [(key, value[:MAX_VALUE]) for key, _, value in lines]
    if not any(key == "end" for key, _ in told):
        return None
    programs = _programs(told)
    once = dict(told)
    pythons: dict[str, Program] = {}
    for kind, program in programs:
        if kind == "python":
            pythons.setdefault(program.path, program)
    return Inside(
        bash=once.get("bash", ""),
        lacks=tuple(value for key, value in told if key == "lacks" and value in TOOLS),
        libc=once.get("libc", ""),
        system=once.get("system", "").strip("\"'"),
        java_found=once.get("java_found", ""),
        java=next((program for kind, program in programs if kind == "java"), None),
        pythons=tuple(pythons.values()),
    )


def _programs(told: Sequence[tuple[str, str]]) -> list[tuple[str, Program]]:
    found: list[tuple[str, Program]] = []
    for key, value in told:
        if key == "program":
            kind, _, path = value.partition(" ")
            found.append((kind, Program(path)))
        elif found and key in ("link", "real", "code", "out"):
            kind, program = found[-1]
            found[-1] = (kind, _with(program, key, value))
    return found


def _with(program: Program, key: str, value: str) -> Program:
    if key == "link":
        return replace(program, links=(*program.links, value))
    if key == "code":
        return replace(program, code=int(value) if value.isascii() and value.isdigit() else None)
    return replace(program, real=value) if key == "real" else replace(program, out=value)
