"""Pickles of what other threads may be changing."""

from __future__ import annotations

import pickle
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_TRIES = 5


def pickled(value: object, make: Callable[[BytesIO], pickle.Pickler] | None = None) -> bytes:
    """Pickle something; it is tried again when it was changed meanwhile.

    :param make: Makes the pickler.
    :raises Exception: whatever the objects' own pickling raises.

    >>> pickle.loads(pickled([1]))
    [1]
    """
    for tries_left in reversed(range(_TRIES)):
        found = _pickled(value, make, may_change=tries_left > 0)
        if found is not None:
            return found
    raise AssertionError("the last try gives something or raises")


def _pickled(
    value: object, make: Callable[[BytesIO], pickle.Pickler] | None, *, may_change: bool
) -> bytes | None:
    buffer = BytesIO()
    pickler: Any = make(buffer) if make else pickle.Pickler(buffer, pickle.HIGHEST_PROTOCOL)
    try:
        pickler.dump(value)
    except RuntimeError as error:
        if may_change and "changed" in str(error):  # "dictionary changed size during iteration"
            return None
        raise
    return buffer.getvalue()
