"""Looks at a pool again and again until what is waited for is so."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.exceptions import EmrKitError, LeaseError, ThrottledError
from airflow_provider_emrkit.hooks.errors import (
    explain,
    is_aws_error,
    is_denied,
    is_not_found,
    is_transient,
    typed,
)
from airflow_provider_emrkit.hooks.patience import Trouble
from airflow_provider_emrkit.logs.text import one_line
from airflow_provider_emrkit.pools.awaiting import Awaited, View
from airflow_provider_emrkit.pools.care_round import STEPS_ENOUGH
from airflow_provider_emrkit.pools.decision import settle
from airflow_provider_emrkit.pools.endings import Ending, describe_ending, endings_since, start_failure
from airflow_provider_emrkit.pools.health import HowItIs
from airflow_provider_emrkit.pools.looking import look
from airflow_provider_emrkit.runs.tolerance import Tolerance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_emrkit.pools.awaiting import Finding
    from airflow_provider_emrkit.pools.care import PoolCare

# Failed looks in a row after which people are told.
TOLD_AFTER = 3
# Times a cluster is told to end until it is asked why it does not.
ENDS_BEFORE_DOUBT = 2


# What can be waited for.
Condition = Awaited | HowItIs


@dataclass(frozen=True)
class Tick:
    """What one look has brought.

    :param lines: Lines for people: a level of :mod:`logging`, and a text.
    :param done: Whether what was waited for is so.
    :param delay: Seconds until the next look.
    :param words: How things are.
    :param refused: Whether AWS refuses the credentials.

    >>> Tick(done=True).lines
    ()
    """

    lines: tuple[tuple[int, str], ...] = ()
    done: bool = False
    delay: float = 0.0
    words: str = ""
    refused: bool = False


def condition_to_dict(condition: Condition) -> dict[str, Any]:
    """Give a condition as plain JSON."""
    if isinstance(condition, HowItIs):
        return {"how_it_is": condition.to_dict()}
    return {"awaited": condition.to_dict()}


def condition_from_dict(data: Mapping[str, Any]) -> Condition:
    """Read a condition back.

    >>> condition_from_dict(condition_to_dict(Awaited(up=("j-1",))))
    Awaited(up=('j-1',), starts=(), gone=(), all_gone=False)
    """
    if "how_it_is" in data:
        return HowItIs.from_dict(data["how_it_is"])
    return Awaited.from_dict(data["awaited"])


class PoolWatch:
    """Waits at a pool, one look at a time. Blocks.

    Clusters that are to end are ended when they have no work: nobody else may come to do it.

    :param care: The pool.
    :param condition: What is waited for.
    :param interval: Seconds between two looks.

    >>> PoolWatch(care, care.drain().awaited, 5.0).tick().done  # doctest: +SKIP
    False
    """

    def __init__(self, care: PoolCare, condition: Condition, interval: float) -> None:
        self.care = care
        self.condition = condition
        self._interval = interval
        self._trouble = Trouble()
        self._tolerance = Tolerance()
        self._told = ""
        self._ended: Counter[str] = Counter()

    def tick(self) -> Tick:
        """Look once; what passes is told and does no harm.

        :raises RunError: when clusters that were waited for did not come up; its type tells why.
        :raises EmrKitError: when AWS refuses, or what is to end never will.
        """
        try:
            view = self._look()
            finding = self.condition.judge(view)
            if finding.tend:
                self._tend()
        except LeaseError as error:
            if not error.retryable:
                raise
            return Tick(((logging.INFO, str(error)),), delay=self._interval)
        except Exception as error:
            return self._after(error)
        self._trouble.end()
        self._tolerance.end()
        if finding.holds:
            self._refuse(finding)
        return Tick(self._news(finding), finding.holds, self._interval, finding.words)

    def _look(self) -> View:
        emr, place = self.care.clients.client("emr"), self.care.place
        seen = self.care.lease.object.look()
        survey = look(emr, place, steps_enough=STEPS_ENOUGH)
        view = View(survey, settle(seen.record, survey, seen.at), seen.at)
        asked = self.condition.asks(view)
        found = [] if asked.since is None else list(endings_since(emr, place, asked.since))
        found += filter(None, (self._describe(one) for one in asked.ids))
        return replace(view, endings={one.id: one for one in found})

    def _describe(self, cluster_id: str) -> Ending | None:
        try:
            return describe_ending(self.care.clients.client("emr"), cluster_id)
        except Exception as error:
            if not is_not_found(error):
                raise
            return None  # a cluster that was started just now is not known everywhere at once

    def _tend(self) -> None:
        if not isinstance(self.condition, Awaited):
            return
        retired = self.care.tend(self.condition).retired
        self._ended = Counter({one: self._ended[one] + 1 for one in retired})
        doubtful = [one for one, times in self._ended.items() if times > ENDS_BEFORE_DOUBT]
        protected = self.care.protected(doubtful)
        if protected:
            raise EmrKitError(
                f"somebody has protected clusters of pool {self.care.place.name} against termination: "
                f"{', '.join(protected)}; take that off, or delete the pool by force"
            )

    def _refuse(self, finding: Finding) -> None:
        """Raise the error of what was waited for and will not come."""
        pool = self.care.place.name
        if finding.failed:
            raise start_failure(f"pool {pool} has clusters that did not come up", finding.failed)
        if finding.lost:
            lost = ", ".join(finding.lost)
            raise ThrottledError(
                f"pool {pool} lacks clusters that were being started ({lost}): EMR has refused them, or has "
                "not answered; try again"
            )

    def _news(self, finding: Finding) -> tuple[tuple[int, str], ...]:
        if finding.words == self._told:
            return ()
        self._told = finding.words
        return ((logging.INFO, f"Pool {self.care.place.name}: {finding.words}"),)

    def _after(self, error: Exception) -> Tick:
        # What was done to the pool has put AWS's words into an error of emrkit's.
        told_by = error.__cause__ if isinstance(error, EmrKitError) else error
        if told_by is None or not (is_aws_error(told_by) or is_transient(told_by)):
            raise error
        region = self.care.clients.region_name
        said = one_line(explain(told_by, region))
        if is_transient(told_by):
            delay = self._trouble.delay(self._interval)
            told = self._trouble.streak == TOLD_AFTER
            text = f"Pool {self.care.place.name} can't be looked at just now, trying on: {said}"
            return Tick(((logging.WARNING, text),) if told else (), delay=delay)
        pause = self._tolerance.pause(told_by, submitted_at=0.0)
        if pause is None and error is not told_by:
            raise error
        if pause is None:
            raise typed(f"pool {self.care.place.name} could not be looked at", error, region) from error
        text = f"AWS refuses to show pool {self.care.place.name} or to change it, asking again: {said}"
        return Tick(((logging.WARNING, text),), delay=pause, refused=is_denied(told_by))


def wait_for_pool(
    watch: PoolWatch,
    pause: Callable[[float], bool],
    tell: Callable[[int, str], object],
    deadline: float | None,
) -> Tick:
    """Wait until it is so; gives the last look, which is not done when the wait ended before.

    :param pause: Waits some seconds; gives True when the wait is to end.
    :param tell: Takes lines for people, with a level of :mod:`logging`.
    :param deadline: When the time is up, in seconds since 1970; None for never.
    """
    while True:
        tick = watch.tick()
        for level, text in tick.lines:
            tell(level, text)
        left = tick.delay if deadline is None else min(tick.delay, deadline - time.time())
        if tick.done or left <= 0 or pause(left):
            return tick
