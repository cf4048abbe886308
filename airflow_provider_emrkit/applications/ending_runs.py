"""Tells job runs that are about to end from those that go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emrkit.applications.calls import ApplicationCalls

# Seconds within which whoever has a job run has it cancelled when its task is over: Airflow tells a worker
# or a triggerer so within some seconds, and EMR may take no cancel for two minutes. CANCELLING ones of others
# are waited for as long: they may have half an hour to end in.
TOLD_WITHIN = 180.0


class EndingRuns:
    """Which job runs of an application are about to end: CANCELLING ones, and those of tasks that are over.

    :param calls: The calls of a connection.
    :param over: Tags of the job runs of tasks that are over, empty for one that they don't have; None where
        no such task is known.

    >>> EndingRuns(calls, over=None).keeping(runs, seconds=0.0)  # doctest: +SKIP
    []
    """

    def __init__(self, calls: ApplicationCalls, over: Mapping[str, str] | None) -> None:
        self._calls = calls
        self._over = over
        self._known: dict[tuple[str, str], bool] = {}

    def keeping(self, runs: Sequence[Mapping[str, Any]], seconds: float) -> list[Mapping[str, Any]]:
        """Give job runs that go on, and so keep their application; none when all are about to end.

        One that is another's is enough, and given alone: each costs a call. CANCELLING ones are told apart
        late, as most have ended by then.

        :param runs: The active ones, as ListJobRuns gives them.
        :param seconds: How long their end was waited for.
        """
        going = [run for run in runs if run["state"] != "CANCELLING"]
        other = next((run for run in going if not self._is_over(run)), None)
        if other is not None:
            return [other]
        if seconds < TOLD_WITHIN:
            return []
        return going or next(([run] for run in runs if not self._is_over(run)), [])

    def _is_over(self, run: Mapping[str, Any]) -> bool:
        if not self._over:
            return False
        key = run["applicationId"], run["id"]
        if key not in self._known:
            tags = self._calls.run_tags(*key)
            self._known[key] = all(tags.get(name, "") == value for name, value in self._over.items())
        return self._known[key]
