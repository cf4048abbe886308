"""Which cluster of a pool gets a job: a rule's name, or the place of a function that others can import."""

from __future__ import annotations

import re
import sys
from types import FunctionType
from typing import Any

from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import InvalidValueError, check_text

RULES = ("fewest_steps", "most_memory")

_FUNCTION = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<name>[^\W\d]\w*(\.[^\W\d]\w*)*)")
# What Airflow calls the modules it makes of DAG files, and Python that of a program.
_NOBODYS_MODULES = ("unusual_prefix_", "__main__", "__mp_main__")
_WHERE = (
    "the triggerer and other workers import it to choose a cluster; put it at the top of a module that all "
    "of them can import, such as one in Airflow's plugins folder or in an installed package"
)


def checked_selection(owner: str, field: str, value: Any) -> str:
    """Check how a pool's cluster is chosen, and give it as text.

    Jobs wait for a pool in Airflow's triggerer, so a function is kept as where it is: ``module:function``.

    :param value: One of :data:`RULES`, a function, or where one is.
    :raises InvalidValueError: when it is neither, or a function that only one process has.

    >>> checked_selection("ClusterPool", "selection", "acme.pools:cheapest")
    'acme.pools:cheapest'
    """
    if not isinstance(value, str):
        return _place_of(owner, field, value)
    check_text(owner, field, value)
    if value in RULES or is_template(value):
        return value
    found = _FUNCTION.fullmatch(value)
    if not found:
        raise InvalidValueError(owner, field, value, "is not known", allowed=(*RULES, "module:function"))
    _check_module(owner, field, value, found["module"])
    return value


def _place_of(owner: str, field: str, value: Any) -> str:
    if not isinstance(value, FunctionType):
        mend = f"use one of {', '.join(RULES)}, or give a function, by itself or as 'module:function'"
        raise InvalidValueError(owner, field, value, f"is of type {type(value).__name__}", mend)
    # Not by its repr, which is another one each time that a DAG is parsed.
    module, name = value.__module__, value.__qualname__
    _check_module(owner, field, name, module)
    if "<" in name:
        problem = "is a lambda" if value.__name__ == "<lambda>" else "is inside of another function"
        raise InvalidValueError(owner, field, name, f"{problem}, which can't be imported", _WHERE)
    if _found(module, name) is not value:
        problem = f"is not what {module}:{name} gives to those who import it"
        raise InvalidValueError(owner, field, name, problem, "give the function that its module has")
    return f"{module}:{name}"


def _check_module(owner: str, field: str, value: str, module: str | None) -> None:
    if not module or module.startswith(_NOBODYS_MODULES):
        problem = "is in a DAG file or a program, which nobody else can import"
        raise InvalidValueError(owner, field, value, problem, _WHERE)


def _found(module: str, name: str) -> object:
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
