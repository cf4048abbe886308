"""Parameters of ``kedro run --params``, written so that Kedro reads the values that were meant. Pure.

Kedro takes the option apart at each comma, also at one in quotes, and reads what is between them as YAML. So
none is written: in a text it is an escape of YAML's, and a list has a line for each of its items.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import InvalidValueError, check_mapping, check_sendable, check_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Text that YAML, which Kedro reads parameters with, reads as that text.
_PLAIN = re.compile(r"[A-Za-z_/][\w./@+-]*(?:://?[\w./@+-]+)?", re.ASCII)
_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
_AS_IT_IS = re.compile(r"[ -~]")
_ESCAPES = {'"': r"\"", "\\": r"\\", "\n": r"\n", ",": r"\u002c"}


def parameters_text(owner: str, params: Any) -> str:
    r"""Write parameters as one argument.

    :param owner: The class and method that has the field ``params``, for errors.
    :raises InvalidValueError: when one can't be said in it.

    >>> parameters_text("job", {"day": "2024-01-01", "model": {"rows": 3}, "note": "a, b"})
    'day="2024-01-01",model.rows=3,note="a\\u002c b"'
    """
    written = _Writing(owner)
    return ",".join(written.items("", check_mapping(owner, "params", params)))


class _Writing:
    """Writes parameters; each field is named in errors."""

    def __init__(self, owner: str) -> None:
        self._owner = owner

    def items(self, above: str, params: Mapping[str, Any]) -> Iterator[str]:
        """Give ``key=value`` of all; what is inside of another has that one's name before its own."""
        for key, value in params.items():
            name = above + self._key(key)
            if isinstance(value, dict) and value:
                yield from self.items(f"{name}.", value)
            else:
                yield f"{name}=" + "\n".join(self._lines(f"params[{name!r}]", value))

    def _key(self, key: Any) -> str:
        text = check_text(self._owner, "params key", key)
        if is_template(text):
            return text
        if re.search(r"[,=:\[\]]", text):
            problem = "holds a comma, =, :, [ or ]"
        elif not all(part.strip() for part in text.split(".")):
            problem = "has a dot that parts nothing"
        else:
            return text
        raise InvalidValueError(self._owner, "params key", key, problem, "rename the parameter")

    def _lines(self, field: str, value: Any) -> list[str]:
        """Write a value as lines of YAML."""
        if isinstance(value, (list, tuple)) and value:
            items = (self._lines(f"{field}[{index}]", item) for index, item in enumerate(value))
            return [("  " if number else "- ") + line for lines in items for number, line in enumerate(lines)]
        if isinstance(value, dict) and value:
            return [line for key, item in value.items() for line in self._member(field, key, item)]
        return [self._one(field, value)]

    def _member(self, field: str, key: Any, value: Any) -> list[str]:
        """Write a member of what is in a list."""
        name = _text(check_text(self._owner, f"{field} key", key))
        lines = self._lines(f"{field}[{key!r}]", value)
        if isinstance(value, (list, tuple, dict)) and value:
            return [f"{name}:", *(f"  {line}" for line in lines)]
        return [f"{name}: {lines[0]}"]

    def _one(self, field: str, value: Any) -> str:
        if value is None:
            return "null"
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, (int, float)):
            return str(value) if math.isfinite(value) else _endless(value)
        if isinstance(value, (list, tuple, dict)):
            return "{}" if isinstance(value, dict) else "[]"
        if not isinstance(value, str):
            problem = f"is of type {type(value).__name__}"
            mend = "give a text, a number, or a list or dict of them"
            raise InvalidValueError(self._owner, field, value, problem, mend)
        text = check_sendable(self._owner, field, value)
        if "${" in text and not is_template(text):
            problem = "holds ${, which Kedro puts something else in the place of"
            raise InvalidValueError(self._owner, field, value, problem, "put it into the configuration")
        return _text(text)


def _endless(number: float) -> str:
    return ".nan" if math.isnan(number) else ".inf" if number > 0 else "-.inf"


def _text(text: str) -> str:
    if is_template(text) or (_PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS):
        return text
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    """Write a character inside of YAML's double quotes; its escapes are not JSON's beyond U+FFFF."""
    if character in _ESCAPES:
        return _ESCAPES[character]
    if _AS_IT_IS.fullmatch(character):
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
