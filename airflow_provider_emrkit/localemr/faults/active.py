"""The faults that are active now, and when each of them strikes."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_emrkit.localemr.faults.checks import MOST, InvalidFaultError
from airflow_provider_emrkit.localemr.faults.model import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_emrkit.localemr.faults.model import Subject

F = TypeVar("F", bound=Fault)

CONFIGURED = "config"
"""Name of the set of faults a server begins with."""


@dataclass(eq=False)
class Active(Generic[F]):
    """A fault that was set.

    :param fault: What it is.
    :param owner: Name of the set it belongs to.
    :param since: When it was set.
    :param seen: How many occasions fitted it.
    :param struck: How often it struck.
    :param is_lifted: Whether it was taken away.
    :param decisions: Whether it struck on occasions that come again.
    """

    fault: F
    owner: str
    since: datetime
    seen: int = 0
    struck: int = 0
    is_lifted: bool = False
    decisions: dict[str, bool] = field(default_factory=dict)
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.fault.seed)

    def strikes(self) -> bool:
        """Count an occasion that fits, and tell whether the fault strikes."""
        self.seen += 1
        fault = self.fault
        if self.seen < (fault.nth or 1) or (fault.last is not None and self.struck >= fault.last):
            return False
        if fault.probability < 1 and self.chance.random() >= fault.probability:
            return False
        self.struck += 1
        return True

    def draw(self, span: float | tuple[float, float]) -> float:
        """Give a number of a span."""
        return self.chance.uniform(*span) if isinstance(span, tuple) else span


class Faults:
    """All faults of a server, in sets that are made and taken away as wholes. Thread-safe.

    :param configured: The faults to begin with, and to go back to.
    :param now: Clock.

    >>> from airflow_provider_emrkit.localemr.faults.api_kinds import Throttle
    >>> faults = Faults([Throttle(operation="ListSteps", times=1)])
    >>> asked = {"service": ("emr",), "operation": ("ListSteps",)}
    >>> [faults.strike(Throttle, asked) is not None for _ in range(2)]
    [True, False]
    """

    def __init__(
        self,
        configured: Sequence[Fault] = (),
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._configured = tuple(configured)
        self._now = now
        self._changed = threading.Condition()
        self._listeners: list[Callable[[], None]] = []
        self._active: tuple[Active[Any], ...] = ()
        self._active = self._made(CONFIGURED, self._configured)

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call a function after each change; it must not wait."""
        self._listeners.append(listener)

    def put(self, owner: str, faults: Sequence[Fault], *, alone: bool = False) -> None:
        """Set the faults of a set, instead of those it had.

        :param alone: Take all other sets away.
        :raises InvalidFaultError: when there would be too many.
        """
        others = [active for active in self._active if not alone and active.owner != owner]
        if len(others) + len(faults) > MOST:
            raise InvalidFaultError("faults", len(faults), f"at most {MOST} with those of other sets")
        self._change(lambda active: alone or active.owner == owner, self._made(owner, faults))

    def remove(self, owner: str) -> None:
        """Take a set away, if it is there."""
        self._change(lambda active: active.owner == owner)

    def clear(self) -> None:
        """Take all faults away, those of the configuration too."""
        self._change(lambda _: True)

    def reset(self) -> None:
        """Go back to the faults of the configuration, as if nothing had happened."""
        self._change(lambda _: True, self._made(CONFIGURED, self._configured))

    def active(self, kind: type[F], owner: str | None = None) -> list[Active[F]]:
        """Give the active faults of a kind, in the order in which they were set."""
        return [
            active
            for active in self._active
            if isinstance(active.fault, kind) and owner in (None, active.owner)
        ]

    def any(self, *kinds: type[Fault]) -> bool:
        """Tell whether there is a fault of some kinds; costs next to nothing when there are no faults."""
        return any(isinstance(active.fault, kinds) for active in self._active)

    def strike(self, kind: type[F], subject: Subject) -> Active[F] | None:
        """Give the fault that strikes on an occasion, which is counted.

        :param subject: See :data:`~airflow_provider_emrkit.localemr.faults.model.Subject`.
        """
        if not self._active:
            return None
        with self._changed:
            for active in self.active(kind):
                if active.fault.fits(subject) and active.strikes():
                    return active
        return None

    def strike_once(self, kind: type[F], subject: Subject, occasion: str) -> Active[F] | None:
        """Give the fault that strikes on an occasion that may come again, and is counted once.

        :param occasion: Tells it from others.
        """
        if not self._active:
            return None
        with self._changed:
            for active in self.active(kind):
                if not active.fault.fits(subject):
                    continue
                if occasion not in active.decisions:
                    active.decisions[occasion] = active.strikes()
                if active.decisions[occasion]:
                    return active
        return None

    def decide(self, active: Active[Any]) -> bool:
        """Count an occasion that fits a fault, and tell whether it strikes."""
        with self._changed:
            return active.strikes()

    def count(self, active: Active[Any], *, struck: bool) -> None:
        """Count an occasion for a fault that decides by itself."""
        with self._changed:
            active.seen += 1
            active.struck += struck

    def pause(self, active: Active[Any], seconds: float) -> None:
        """Wait, unless the fault is taken away."""
        with self._changed:
            self._changed.wait_for(lambda: active.is_lifted, seconds)

    def _made(self, owner: str, faults: Sequence[Fault]) -> tuple[Active[Any], ...]:
        now = self._now()
        return tuple(Active(fault, owner, now) for fault in faults)

    def _change(self, is_lifted: Callable[[Active[Any]], bool], added: Sequence[Active[Any]] = ()) -> None:
        with self._changed:
            kept = []
            for active in self._active:
                active.is_lifted = is_lifted(active)
                if not active.is_lifted:
                    kept.append(active)
            self._active = (*kept, *added)
            self._changed.notify_all()
        for listener in self._listeners:
            listener()
