"""What the fields of faults may hold. Nothing in them is trusted: they come from files and requests."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 1000
"""How many faults there may be at once."""

_LONGEST = 7 * 24 * 3600.0
_TEXT_LIMIT = 10_000
_SHOWN = 80
# Error codes are written into response headers.
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9.]{0,99}", re.ASCII)


class InvalidFaultError(ValueError):
    """A fault that can't be; the message names the field, what it holds and what it may hold.

    :param where: The field.
    :param value: What it holds.
    :param allowed: What it may hold.

    >>> print(InvalidFaultError("throttle.times", 0, "a whole number from 1"))
    throttle.times: 0 is not allowed; give a whole number from 1
    """

    def __init__(self, where: str, value: object, allowed: str, message: str | None = None) -> None:
        super().__init__(message or f"{where}: {shown(value)} is not allowed; give {allowed}")
        self.where = where
        self.value = value
        self.allowed = allowed

    @classmethod
    def of(cls, message: str) -> InvalidFaultError:
        """Give the error of which only the message is known."""
        return cls("", None, "", message)

    def below(self, place: str) -> InvalidFaultError:
        """Give the same error for a field that is part of something."""
        return InvalidFaultError(f"{place}.{self.where}", self.value, self.allowed)


def shown(value: object) -> str:
    """Show what somebody gave, cut short."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


@dataclass(frozen=True)
class Check:
    """What a field may hold.

    :param allowed: In words, for errors.
    :param take: Gives the value as the field keeps it, or raises ValueError.
    """

    allowed: str
    take: Callable[[Any], Any]

    def read(self, where: str, value: Any) -> Any:
        """Check a value.

        :param where: The field, for the error.
        :raises InvalidFaultError: when it is not allowed.
        """
        try:
            return self.take(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidFaultError(where, value, self.allowed) from error


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _number(value: Any) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError
    return float(_only(float(value), math.isfinite))


def _only(value: Any, is_so: Callable[[Any], object]) -> Any:
    if not is_so(value):
        raise ValueError
    return value


def _text(value: Any, limit: int = _TEXT_LIMIT) -> str:
    if not isinstance(value, str):
        raise TypeError
    is_plain = all(char.isprintable() or char in "\n\t" for char in value)
    return str(_only(value, lambda text: text.strip() and len(text) <= limit and is_plain))


def _flag(value: Any) -> bool:
    return bool(_only(value, lambda flag: isinstance(flag, bool)))


def _duration(value: Any) -> float:
    return float(_only(_number(value), lambda seconds: 0 <= seconds <= _LONGEST))


def _span(value: Any) -> float | tuple[float, float]:
    if not isinstance(value, (list, tuple)):
        return _duration(value)
    low, high = map(_duration, value)
    _only(high, lambda seconds: seconds >= low)
    return low, high


def _limits(value: Any) -> dict[str, tuple[float, float]]:
    items = {_text(name, 100): tuple(map(_number, pair)) for name, pair in _object(value).items()}
    for burst, refill in items.values():
        _only(burst >= 1 and refill > 0, bool)
    return items  # type: ignore[return-value]


def _object(value: Any) -> dict[Any, Any]:
    return dict(_only(value, lambda item: isinstance(item, dict)))


def choice(*words: str) -> Check:
    """Allow some words."""
    return Check(f"one of {', '.join(words)}", lambda value: _only(value, words.__contains__))


PATTERN = Check("a name, with * and ? for any characters", lambda value: _text(value, 256))
COUNT = Check("a whole number from 1", lambda value: _only(_whole(value), lambda count: count >= 1))
SEED = Check("a whole number", _whole)
PROBABILITY = Check("a number above 0, at most 1", lambda value: _only(_number(value), lambda p: 0 < p <= 1))
DURATION = Check("a number of seconds from 0 to a week", _duration)
SPAN = Check("a number of seconds from 0 to a week, or two such numbers, the smaller first", _span)
TEXT = Check(f"a text of 1 to {_TEXT_LIMIT} characters without control characters", _text)
CODE = Check("an error code, such as InternalFailure", lambda value: _only(_text(value), _CODE.fullmatch))
STATUS = Check(
    "an HTTP status from 400 to 599", lambda value: _only(_whole(value), range(400, 600).__contains__)
)
FLAG = Check("true or false", _flag)
LIMITS = Check(
    'an object of operation: [calls at once, calls a second], like {"ListSteps": [20, 1.0]}', _limits
)
