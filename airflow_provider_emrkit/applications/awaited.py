"""What a deferrable task waits for at an application, and what it knows of that when it goes on."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# What waits look at in an application: others bring it to rest, update it, or start it with its new image.
_WATCHED = ("state", "tags", "imageConfiguration", "workerTypeSpecifications")


@dataclass(frozen=True)
class Awaited:
    """What a task waits for: that an application is not any more as it was seen.

    :param application_id: The application.
    :param wait: Which of the task's waits it is.
    :param state: Its state as it was seen.
    :param mark: The rest of what was seen; see :func:`mark_of`.
    :param busy: Whether it had job runs, whose end is waited for, too.
    :param what: What is waited for, in words.
    :param until: When to go on in any case, in seconds since 1970.
    :param since: When the task's waits began, by wait, in seconds since 1970.
    :param deadline: When the task's time is up, in seconds since 1970; None for never.
    :param asked: How often the task has asked EMR for what it waits for.

    >>> Awaited("00f1abcdefgh2i0j", state="STARTING", mark=mark_of({"state": "STARTING"})).has_passed(
    ...     {"state": "STARTED"}, has_runs=False
    ... )
    True
    """

    application_id: str
    wait: str = ""
    state: str = ""
    mark: str = ""
    busy: bool = False
    what: str = ""
    until: float = 0.0
    since: Mapping[str, float] = field(default_factory=dict)
    deadline: float | None = None
    asked: int = 0

    def has_passed(self, application: Mapping[str, Any] | None, *, has_runs: bool) -> bool:
        """Tell whether the application is otherwise now.

        :param application: GetApplication's ``application``; None for one that is gone.
        :param has_runs: Whether it has job runs that have not ended.
        """
        return application is None or mark_of(application) != self.mark or (self.busy and not has_runs)

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON, without secrets."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Awaited:
        """Make it from JSON; what a newer version wrote besides is left out."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in found.items() if name in known})


class ApplicationNotYet(BaseException):
    """Leaves a wait to the task's trigger. Like Airflow's own signal for that, it is no error.

    :param awaited: What is waited for.

    >>> raise ApplicationNotYet(awaited)  # doctest: +SKIP
    """

    def __init__(self, awaited: Awaited) -> None:
        super().__init__(awaited.what)
        self.awaited = awaited


class LeftWaits:
    """The waits of a deferrable task, which may leave them to its trigger and go on with them later.

    :param awaited: The one that was left last; None for a task that has left none.
    :param seen: The state of the application as the trigger has seen it last.

    >>> LeftWaits().seconds("start")
    0.0
    """

    def __init__(self, awaited: Awaited | None = None, seen: str = "") -> None:
        self._last = awaited
        self._seen = seen
        self.since = dict(awaited.since) if awaited else {}
        self.deadline = awaited.deadline if awaited else None

    def seconds(self, wait: str) -> float:
        """Tell for how long a wait lasts already."""
        since = self.since.get(wait)
        return 0.0 if since is None else max(0.0, time.time() - since)

    def came_to(self, wait: str, state: str) -> str:
        """Give the state that the trigger has seen after a wait was left in this one; empty for none."""
        last = self._left(wait)
        return self._seen if last and last.state == state else ""

    def asked(self, wait: str) -> int:
        """Tell how often EMR was asked before for what a wait is for."""
        last = self._left(wait)
        return last.asked if last else 0

    def end(self, wait: str) -> None:
        """Note that a wait is over, so that another one of its sort begins anew."""
        self.since.pop(wait, None)

    def _left(self, wait: str) -> Awaited | None:
        last = self._last
        return last if last and last.wait == wait and wait in self.since else None


def mark_of(application: Mapping[str, Any]) -> str:
    """Give a mark that changes when something of an application does that waits look at.

    >>> mark_of({"state": "STARTED", "tags": {}}) == mark_of({"state": "STARTED", "updatedAt": 1})
    True
    """
    watched = {name: application[name] for name in _WATCHED if application.get(name)}
    return hashlib.sha256(json.dumps(watched, sort_keys=True, default=str).encode()).hexdigest()[:16]
