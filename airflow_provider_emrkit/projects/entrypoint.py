"""How Spark starts a project: the script that it runs, and what of the project the script calls. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.requirements import canonical
from airflow_provider_emrkit.projects.kedro_settings import MODULE
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emrkit.projects.detect import Project
    from airflow_provider_emrkit.projects.plain_wheel import LeftOut, PlainCode
    from airflow_provider_emrkit.projects.wheels import Wheel

OWNER = "package"
SCRIPT = "entrypoint.py"
# Names of modules that people start.
_STARTED = ("main", "app", "job")
_NOTHING_TO_START = "has no script, and no package with a __main__.py, that is the one to start"
# Where a backend made the wheel, nobody knows where its modules were.
_NO_PLACES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Entry:
    """What of a project is called.

    :param module: Dotted name of a module.
    :param function: A function inside; empty for the module itself, as ``python -m`` runs it.
    :param why: What says so.

    >>> str(Entry("etl.cli", "main"))
    'etl.cli:main'
    """

    module: str
    function: str = ""
    why: str = ""

    def __str__(self) -> str:
        return f"{self.module}:{self.function}" if self.function else self.module

    @classmethod
    def parse(cls, field: str, text: str, why: str) -> Entry:
        """Read ``module`` or ``module:function``.

        :raises InvalidValueError: for anything else.
        """
        module, colon, function = text.partition(":")
        names = (module, function) if colon else (module,)
        if not all(MODULE.fullmatch(name) for name in names):
            mend = "write it like etl.cli:main, or etl for python -m etl"
            raise InvalidValueError(OWNER, field, text, "names no function of a module", mend)
        return cls(module, function, why)


def chosen_entry(project: Project, wheel: Wheel, wanted: str | None, code: PlainCode | None = None) -> Entry:
    """Choose what a run of the project calls.

    :param wanted: What the user names; None for what the project says.
    :param code: What the wheel was made of; None where a build backend made it.
    :raises InvalidValueError: when that is not in the wheel, or the project does not say.
    """
    entry = Entry.parse("--entry-point", wanted, "--entry-point") if wanted else _said(project, wheel, code)
    started = _module_of(entry, wheel)
    if started not in wheel.modules:
        inside = ", ".join(wheel.top_level) or "no module at all"
        problem = f"needs the module {started}, and the wheel holds {inside}"
        raise InvalidValueError(OWNER, "--entry-point", str(entry), problem, "name a module that is there")
    if "entrypoint" in wheel.top_level:
        # The directory of Spark's script comes first among the places that Python looks at.
        problem = f"is what {SCRIPT} would import in the place of itself"
        raise InvalidValueError(OWNER, "module", "entrypoint", problem, "rename the project's module")
    return entry


def _module_of(entry: Entry, wheel: Wheel) -> str:
    """Name the module that an entry is in: a package is started by its __main__."""
    is_package = entry.module in wheel.packages and not entry.function
    return f"{entry.module}.__main__" if is_package else entry.module


def scripts_without_module(wheel: Wheel) -> list[str]:
    """Name the scripts of a wheel that call what it does not hold."""
    called = {name: what.partition(":")[0].strip() for name, what in wheel.scripts.items()}
    return [name for name, module in sorted(called.items()) if module not in wheel.modules]


def _said(project: Project, wheel: Wheel, code: PlainCode | None) -> Entry:
    if project.kedro:
        return Entry(f"{project.kedro.package}.__main__", "main", "[tool.kedro] package_name")
    return _of_backend(wheel) if code is None else _of_code(wheel, code)


def _of_backend(wheel: Wheel) -> Entry:
    if wheel.scripts:
        own = _own_scripts(wheel)
        names = list(wheel.scripts) if len(wheel.scripts) == 1 else own
        if len(names) != 1:
            raise _unsaid(wheel, f"has several scripts: {', '.join(sorted(wheel.scripts))}")
        return _script(wheel, names[0])
    modules = _modules(wheel)
    for found in (_mains(wheel), [one for one in modules if one.module in _STARTED], modules):
        if len(found) == 1:
            return found[0]
    raise _unsaid(wheel, _NOTHING_TO_START)


def _of_code(wheel: Wheel, code: PlainCode) -> Entry:
    missing = scripts_without_module(wheel)
    own = [name for name in _own_scripts(wheel) if name not in missing]
    if len(own) == 1:
        return _script(wheel, own[0])
    # Scripts are also linters and the like: none of them is taken before what is called like the job.
    scripts = [_script(wheel, name) for name in sorted(wheel.scripts) if name not in missing]
    called = {one.module for one in scripts}
    found = [*scripts, *(one for one in _starts(wheel, code) if _module_of(one, wheel) not in called)]
    if len(found) > 1:
        raise _ambiguous(wheel, found)
    return found[0] if found else _lone(wheel, code)


def _starts(wheel: Wheel, code: PlainCode) -> list[Entry]:
    """Give what is called like what people start; those that are in each other's way where it is not one."""
    mains = _mains(wheel, code.places)
    started = [one for one in _modules(wheel, code.places) if one.module in _STARTED]
    started = [one for one in started if code.in_src(one.module)] or started
    return next((one for one in (mains, started) if len(one) == 1), [*mains, *started])


def _lone(wheel: Wheel, code: PlainCode) -> Entry:
    """Give the only module; beside a src with code, that of the root is a launcher or a tool."""
    modules = [one for one in _modules(wheel, code.places) if code.in_src(one.module) == code.has_src]
    if len(modules) != 1:
        raise _unsaid(wheel, _NOTHING_TO_START)
    for other in code.left_out:
        if other.may_be_the_job:
            raise _perhaps_another(wheel, modules[0], other)
    return modules[0]


def _mains(wheel: Wheel, places: Mapping[str, str] = _NO_PLACES) -> list[Entry]:
    names = [name for name in wheel.top_level if f"{name}.__main__" in wheel.modules]
    return [Entry(name, "", f"{places.get(name, name)}/__main__.py") for name in names]


def _modules(wheel: Wheel, places: Mapping[str, str] = _NO_PLACES) -> list[Entry]:
    names = [name for name in wheel.top_level if name in wheel.modules - wheel.packages]
    return [Entry(name, "", places.get(name, f"{name}.py")) for name in names]


def _own_scripts(wheel: Wheel) -> list[str]:
    """Name the scripts that are called like the project."""
    return [name for name in wheel.scripts if canonical(name) == canonical(wheel.name)]


def _script(wheel: Wheel, name: str) -> Entry:
    return Entry.parse("[project.scripts]", wheel.scripts[name].replace(" ", ""), f"its script {name}")


def _ambiguous(wheel: Wheel, found: Sequence[Entry]) -> InvalidValueError:
    problem = f"does not say whether a run starts {' or '.join(one.why for one in found)}"
    mend = f"say {' or '.join(f'--entry-point {one}' for one in found)}"
    return InvalidValueError(OWNER, "project", wheel.name, problem, mend)


def _perhaps_another(wheel: Wheel, lone: Entry, other: LeftOut) -> InvalidValueError:
    """Refuse to start a module for the only reason that it is the one in the wheel."""
    problem = f"does not say whether a run starts {lone.why}, or {other.path}, which {other.why}"
    mend = f"{other.mend}, or say --entry-point {lone}"
    return InvalidValueError(OWNER, "project", wheel.name, problem, mend)


def _unsaid(wheel: Wheel, problem: str) -> InvalidValueError:
    mend = "say what a run calls: --entry-point etl.cli:main"
    return InvalidValueError(OWNER, "project", wheel.name, problem, mend)


# --- the script -------------------------------------------------------------------------------------------


# Where Kedro logs as it likes (importing it has set that up), its lines are as wide as a terminal, and the
# error of a run is drawn into a box of its source, where nobody finds it.
_PLAIN_LOGS = """\
import logging
import sys

from kedro.framework.project import LOGGING

if any(type(handler).__name__ == "RichHandler" for handler in logging.getLogger().handlers):
    # One line for each record, as Spark's own are, and Python's traceback.
    LOGGING.configure(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "plain": {
                    "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
                    "datefmt": "%y/%m/%d %H:%M:%S",
                }
            },
            "handlers": {"plain": {"class": "logging.StreamHandler", "formatter": "plain"}},
            "loggers": {"kedro": {"level": "INFO"}},
            "root": {"handlers": ["plain"]},
        }
    )
    logging.captureWarnings(False)
    sys.excepthook = sys.__excepthook__
"""


def script(entry: Entry, *, kedro: bool = False) -> str:
    """Write the script that Spark starts.

    Its arguments are the job's. What the function gives back is the exit code, as for a command that pip
    installs; Kedro's ``main`` ends the process by itself, and may give back data.
    """
    head = f'"""What Spark starts: {entry}. Written by `emrkit package`."""'
    if not entry.function:
        call = f'runpy.run_module("{entry.module}", run_name="__main__", alter_sys=True)'
        return f'{head}\n\nimport runpy\n\nif __name__ == "__main__":\n    {call}\n'
    first, dot, rest = entry.function.partition(".")
    call = f"{first}{dot}{rest}()"
    lines = [head, "", *([] if kedro else ["import sys", ""]), f"from {entry.module} import {first}", ""]
    lines += [_PLAIN_LOGS] if kedro else []
    lines += ['if __name__ == "__main__":', f"    {call if kedro else f'sys.exit({call})'}", ""]
    return "\n".join(lines)
