"""A gate that is passed by many at once, or by one alone."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Gate:
    """Keeps others out while something is done that they must not see half done.

    >>> gate = Gate()
    >>> with gate.among_others():
    ...     pass
    >>> with gate.alone(patience=1.0):
    ...     pass
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._is_closed = False

    @contextlib.contextmanager
    def among_others(self) -> Iterator[None]:
        """Be inside, once nobody is alone there."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self, *, patience: float) -> Iterator[None]:
        """Be inside alone; those who come meanwhile wait.

        :param patience: Seconds that those are waited for who are inside; who stays longer stays.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._is_closed)
            self._is_closed = True
            self._changed.wait_for(lambda: not self._inside, patience)
        try:
            yield
        finally:
            with self._changed:
                self._is_closed = False
                self._changed.notify_all()
