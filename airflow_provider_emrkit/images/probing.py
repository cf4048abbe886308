"""Asks an image what is in it: by what the engine knows, and by running a script in it.

The script runs as whom jobs run as. On YARN that is a user the image has never heard of, who isn't root; on
EMR Serverless the image's own hadoop. It has no network, and what it prints is the image's word: hostile
text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.images.engine import EngineError, words_of
from airflow_provider_emrkit.images.probe_script import (
    MARK,
    SERVERLESS_JARS,
    SERVERLESS_PROGRAMS,
    TOOLS,
    command,
)
from airflow_provider_emrkit.images.serverless_dockerfile import USER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emrkit.images.engine import ContainerEngine

# Whose number no image gives to anybody; EMR's hadoop is such a one, too.
FOREIGNER, ROOT = "54321:54321", "0:0"
# An entrypoint may be a server, which never ends.
ENTRYPOINT_SECONDS = 20.0
MAX_VALUE = 2_000
# As docker and podman say it.
_NO_USER = ("unable to find user", "unable to find group", "no matching entries", "no users found")


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
    :param imports: The modules that were imported, each with how that went.
    :param absent: The programs and jars of :mod:`airflow_provider_emrkit.images.probe_script` that are not
        there for the user.
    :param hidden: Those of them that root can read.
    :param jars: Jars that are there: how their path begins, and their whole name.
    :param unwritable: The working directory, if the user can't write to it.
    :param no_user: Why nothing could be started as hadoop, and was as a stranger; empty otherwise.
    :param job: A small job of Spark's that was run in it; None when that was not asked for.
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
    imports: tuple[Program, ...] = ()
    absent: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    jars: tuple[tuple[str, str], ...] = ()
    unwritable: str = ""
    no_user: str = ""
    job: Program | None = None
    hands_on: bool | None = None


@dataclass(frozen=True)
class ImageFacts:
    """What is known of an image.

    :param name: What it was asked for as.
    :param os: Operating system, as ``linux``.
    :param architecture: As images name it: ``amd64``, ``arm64``.
    :param size: Bytes.
    :param user: Whom it runs as by itself.
    :param workdir: Where it runs by itself.
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
    workdir: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    inside: Inside = field(default_factory=Inside)


@dataclass(frozen=True)
class Question:
    """What an image is asked.

    :param python: Path of the job's Python.
    :param user: Whom jobs run as.
    :param modules: Modules that the job's Python has to be able to import.
    :param starts: Whether its entrypoint is tried out, as YARN starts jobs with it.

    >>> Question("/usr/bin/python3").user
    '54321:54321'
    """

    python: str
    user: str = FOREIGNER
    modules: tuple[str, ...] = ()
    starts: bool = True


def looked_into(engine: ContainerEngine, facts: ImageFacts, question: Question) -> ImageFacts:
    """Add what is in an image, which is here, to what the engine knows of it.

    :raises EngineError: when the engine fails.
    """
    inside = _looked_into(engine, facts.name, question)
    if question.starts and facts.entrypoint and inside.bash:
        inside = replace(inside, hands_on=_hands_on(engine, facts.name))
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
        workdir=str(config.get("WorkingDir") or ""),
        entrypoint=_words(config.get("Entrypoint")),
        command=_words(config.get("Cmd")),
        env=dict(one.partition("=")[::2] for one in _words(config.get("Env"))),
    )


def _words(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


# --- running it -------------------------------------------------------------------------------------------


def _looked_into(engine: ContainerEngine, image: str, question: Question) -> Inside:
    inside = _asked(engine, image, question)
    if inside.problem and question.user == USER and _is_of_the_user(inside.problem):
        stranger = _looked_into(engine, image, replace(question, user=FOREIGNER))
        return replace(stranger, no_user=inside.problem)
    broken = [one for one in (inside.java, *inside.pythons, *inside.imports) if one and not one.works]
    if inside.problem or not (broken or (inside.absent and question.user == USER)):
        return inside
    return _compared(inside, _asked(engine, image, replace(question, user=ROOT)))


def _compared(inside: Inside, root: Inside) -> Inside:
    """Add how what does not work goes for root."""
    roots = {one.path: one for one in (*root.pythons, *root.imports)}
    return replace(
        inside,
        java=inside.java and replace(inside.java, for_root=root.java),
        pythons=tuple(replace(one, for_root=roots.get(one.path)) for one in inside.pythons),
        imports=tuple(replace(one, for_root=roots.get(one.path)) for one in inside.imports),
        hidden=() if root.problem else tuple(one for one in inside.absent if one not in root.absent),
    )


def _is_of_the_user(problem: str) -> bool:
    """Tell whether an engine refuses as the image has no user, or no group, of that name."""
    return any(words in problem.lower() for words in _NO_USER)


def _asked(engine: ContainerEngine, image: str, question: Question) -> Inside:
    try:
        ran = engine.run(image, command(question.python, question.modules), user=question.user, entrypoint="")
    except EngineError as error:
        # What hangs is the image, as the engine has just answered.
        return Inside(problem=error.sentence)
    return read_inside(ran.stdout) or Inside(problem=words_of(replace(ran, stdout="")))


def _hands_on(engine: ContainerEngine, image: str) -> bool:
    """Start the image as YARN does, and see whether its entrypoint lets that happen."""
    argv = ["bash", "-c", f"echo {MARK}started"]
    try:
        ran = engine.run(image, argv, user=FOREIGNER, timeout=ENTRYPOINT_SECONDS)
    except EngineError:
        return False
    return ran.code == 0 and f"{MARK}started" in ran.stdout.splitlines()


def read_inside(text: str) -> Inside | None:
    """Read what the script printed; None when it did not get to its end. Pure.

    What is not its own is passed over: an image may print whatever it likes.
    """
    lines = [line[len(MARK) :].partition("=") for line in text.split("\n") if line.startswith(MARK)]
    told = [(key, value[:MAX_VALUE]) for key, _, value in lines]
    if not any(key == "end" for key, _ in told):
        return None
    programs = _programs(told)
    once = dict(told)
    jars = [value.partition(" ")[::2] for key, value in told if key == "jar"]
    return Inside(
        bash=once.get("bash", ""),
        lacks=tuple(value for key, value in told if key == "lacks" and value in TOOLS),
        libc=once.get("libc", ""),
        system=once.get("system", "").strip("\"'"),
        java_found=once.get("java_found", ""),
        java=next((program for kind, program in programs if kind == "java"), None),
        pythons=_of_kind(programs, "python"),
        imports=_of_kind(programs, "import"),
        absent=tuple(value for key, value in told if key == "absent" and value in _FILES),
        jars=tuple((start, name) for start, name in jars if start in SERVERLESS_JARS),
        unwritable=once.get("unwritable", ""),
    )


_FILES = frozenset((*SERVERLESS_PROGRAMS, *SERVERLESS_JARS))


def _of_kind(programs: Sequence[tuple[str, Program]], kind: str) -> tuple[Program, ...]:
    """Give the programs of a kind; of two of one path the first."""
    found: dict[str, Program] = {}
    for its, program in programs:
        if its == kind:
            found.setdefault(program.path, program)
    return tuple(found.values())


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
