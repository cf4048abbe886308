"""Remembers what AWS refuses to give, so that it is asked for seldom."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_emrkit.hooks.errors import is_transient

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds until something that was refused is asked for again: permissions may be given meanwhile.
REFUSAL_PAUSE = 60.0


@dataclass
class Refusals:
    """What was refused for a reason that does not pass by itself, and until when it is left alone.

    :param clock: Seconds that only go up.

    >>> refusals = Refusals()
    >>> refusals.note("stderr", PermissionError("no"))
    >>> refusals.hold("stderr"), refusals.hold("stdout")
    (True, False)
    """

    clock: Callable[[], float] = time.monotonic
    _until: dict[str, float] = field(default_factory=dict)

    def note(self, name: str, error: Exception) -> None:
        """Note that something could not be had."""
        if not is_transient(error):
            self._until[name] = self.clock() + REFUSAL_PAUSE

    def hold(self, name: str) -> bool:
        """Tell whether not to ask for something now."""
        return name in self._until and self.clock() < self._until[name]
