"""Checks that specs make when a DAG is parsed, and the one error they raise.

A string that holds a Jinja template is let through: it is judged when it has been rendered, because specs are
rebuilt then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_emrkit.templating import is_template

SHOWN_CHARACTERS = 200

# What the string patterns of EMR's service model leave out: control characters, lone surrogates, U+FFFE,
# U+FFFF.
_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class InvalidValueError(ValueError):
    """A value that a spec can't take; the message names the field, the value and the mend.

    :param owner: Class or function the field belongs to, e.g. ``ClusterSpec``.
    :param field: The field, with its index or key where that helps, e.g. ``args[2]``.
    :param value: What was given.
    :param problem: What is wrong with it, read after the value: ``is not known``.
    :param mend: What to do instead; left out when ``allowed`` says it.
    :param allowed: The values that are allowed, where they can be listed.

    >>> print(InvalidValueError("ClusterSpec", "size", "hige", "is not known", allowed=("tiny", "small")))
    ClusterSpec.size: 'hige' is not known; use one of tiny, small
    """

    def __init__(
        self, owner: str, field: str, value: object, problem: str, mend: str = "", allowed: Iterable[str] = ()
    ) -> None:
        self.owner = owner
        self.field = field
        self.value = value
        self.problem = problem
        self.mend = mend
        self.allowed = tuple(allowed)
        # The arguments, not the message: pickling an exception calls its class with them again.
        super().__init__(owner, field, value, problem, mend, self.allowed)

    def __str__(self) -> str:
        advice = self.mend or (f"use one of {', '.join(self.allowed)}" if self.allowed else "")
        message = f"{self.owner}.{self.field}: {_shown(self.value)} {self.problem}"
        return f"{message}; {advice}" if advice else message

    def moved(self, owner: str, field: str) -> InvalidValueError:
        """Give the same error for the place the value was written in, where a nested check found it."""
        return InvalidValueError(owner, field, self.value, self.problem, self.mend, self.allowed)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def check_text(owner: str, field: str, value: Any, *, maximum: int | None = None) -> str:
    """Check a string that EMR must get: not empty, no control characters, not too long.

    :param maximum: Greatest length in characters; not applied to a template.
    :raises InvalidValueError: otherwise.
    """
    check_sendable(owner, field, value)
    if not value.strip():
        raise InvalidValueError(owner, field, value, "is empty", "give a value or leave the field out")
    if maximum is not None and len(value) > maximum and not is_template(value):
        raise InvalidValueError(owner, field, value, f"is longer than {maximum} characters", "shorten it")
    return str(value)


def check_optional_text(owner: str, field: str, value: Any, *, maximum: int | None = None) -> None:
    """Check a string that may be None; see :func:`check_text`."""
    if value is not None:
        check_text(owner, field, value, maximum=maximum)


def check_sendable(owner: str, field: str, value: Any, *, secret: bool = False) -> str:
    """Check that a value is a string whose characters EMR's API takes; it may be empty.

    :param secret: The value must not be shown in the error.
    """
    if not isinstance(value, str):
        kind = type(value).__name__
        raise InvalidValueError(
            owner, field, kind if secret else value, f"is of type {kind}", "give a string"
        )
    found = _UNSENDABLE.search(value)
    if found:
        shown = found.group() if secret else value
        problem = f"holds the character {found.group()!r}, which EMR's API does not take"
        raise InvalidValueError(owner, field, shown, problem, "remove it")
    return value


def check_choice(owner: str, field: str, value: Any, allowed: Iterable[str], mend: str = "") -> None:
    """Check that a value is one of a few words."""
    choices = tuple(allowed)
    if is_template(value) or (isinstance(value, str) and value in choices):
        return
    raise InvalidValueError(owner, field, value, "is not known", mend, choices)


def check_pattern(owner: str, field: str, value: Any, pattern: re.Pattern[str], mend: str) -> None:
    """Check a string against a grammar, which must match as a whole."""
    check_text(owner, field, value)
    if not is_template(value) and not pattern.fullmatch(value):
        raise InvalidValueError(owner, field, value, "is not well formed", mend)


def check_integer(owner: str, field: str, value: Any, minimum: int, maximum: int, unit: str = "") -> None:
    """Check a whole number against its bounds, both allowed; ``unit`` is named in the error."""
    mend = f"use a whole number from {minimum:,} to {maximum:,}{' ' + unit if unit else ''}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidValueError(owner, field, value, f"is of type {type(value).__name__}", mend)
    if not minimum <= value <= maximum:
        raise InvalidValueError(owner, field, value, "is out of bounds", mend)


def check_seconds(owner: str, field: str, value: Any, minimum: float) -> None:
    """Check a number of seconds against the least it may be; what is no finite number is refused."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        problem = f"is of type {type(value).__name__}"
    elif not minimum <= value < float("inf"):
        problem = "is out of bounds"
    else:
        return
    raise InvalidValueError(owner, field, value, problem, f"give a number of seconds, at least {minimum:g}")


def check_flag(owner: str, field: str, value: Any) -> None:
    """Check a switch: True or False and nothing that only looks like it."""
    if not isinstance(value, bool):
        raise InvalidValueError(
            owner, field, value, f"is of type {type(value).__name__}", "use True or False"
        )


def check_instance(owner: str, field: str, value: Any, kind: type) -> None:
    """Check that a nested spec is of its class."""
    if not isinstance(value, kind):
        problem = f"is of type {type(value).__name__}"
        raise InvalidValueError(owner, field, value, problem, f"give {kind.__name__}(…)")


def check_sequence(owner: str, field: str, value: Any) -> tuple[Any, ...]:
    """Check that a value is a list or tuple, and copy it; a string would be taken apart into letters."""
    if isinstance(value, str):
        raise InvalidValueError(owner, field, value, "is one string", f"pass a list: [{_shown(value)}]")
    if not isinstance(value, (list, tuple)):
        raise InvalidValueError(owner, field, value, f"is of type {type(value).__name__}", "pass a list")
    return tuple(value)


def check_texts(owner: str, field: str, value: Any) -> tuple[str, ...]:
    """Check a list of non-empty strings, and copy it."""
    items = check_sequence(owner, field, value)
    return tuple(check_text(owner, f"{field}[{index}]", item) for index, item in enumerate(items))


def check_mapping(owner: str, field: str, value: Any) -> dict[str, Any]:
    """Check that a value is a mapping whose keys are non-empty strings, and copy it."""
    if not isinstance(value, Mapping):
        raise InvalidValueError(owner, field, value, f"is of type {type(value).__name__}", "pass a dict")
    for key in value:
        check_text(owner, f"{field} key", key)
    return dict(value)
