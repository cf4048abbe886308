"""Which cluster with room gets a job: by how many steps each has, by its memory, or by a user's function."""

from __future__ import annotations

import importlib
import math
import traceback
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.logs.text import one_line
from airflow_provider_emrkit.runs.states import CLUSTER_UP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_emrkit.compute.pool_mark import PoolMark
    from airflow_provider_emrkit.exceptions import SubmitRefusedError

FEWEST_STEPS = "fewest_steps"
MOST_MEMORY = "most_memory"


@dataclass(frozen=True)
class Figures:
    """What CloudWatch tells about a cluster; it is up to five minutes old.

    :param at: When it was measured, in seconds since 1970.
    :param memory_available: Percent of YARN's memory that nobody uses; None where it is not known.
    :param containers_pending: Containers that wait for a place in YARN; None where it is not known.

    >>> Figures(1_700_000_000.0, memory_available=75.0).memory_available
    75.0
    """

    at: float
    memory_available: float | None = None
    containers_pending: float | None = None


def no_figures() -> Mapping[str, Figures]:
    """Give no figures of any cluster."""
    return {}


@dataclass(frozen=True)
class Candidate:
    """A cluster that has room for a job: what a function for ``ClusterPool(selection=…)`` chooses from.

    :param id: ``j-…``
    :param name: Its name.
    :param state: ``STARTING``, ``BOOTSTRAPPING``, ``RUNNING`` or ``WAITING``. Clusters that start are offered
        only when none that is up has room.
    :param mark: What its name tells: ``mark.capacity`` are its primary, core and task instances.
    :param steps: Its steps that wait or run, those that were placed on it just now included.
    :param room: How many more it takes, at least 1.
    :param created_at: When it was started, in seconds since 1970; None where that is not known.
    :param started: When those of its steps that run were started.

    >>> def most_steps(candidates):
    ...     return max(candidates, key=lambda cluster: cluster.steps)
    """

    id: str
    name: str
    state: str
    mark: PoolMark
    steps: int
    room: int
    created_at: float | None = None
    started: tuple[float, ...] = ()
    # CloudWatch is asked when somebody wants to know, and then about all clusters of the pool at once.
    all_figures: Callable[[], Mapping[str, Figures]] = field(default=no_figures, repr=False, compare=False)

    @property
    def memory_available(self) -> float | None:
        """Percent of YARN's memory that nobody uses, up to five minutes old; None where it is not known."""
        figures = self.all_figures().get(self.id)
        return figures.memory_available if figures else None

    @property
    def containers_pending(self) -> float | None:
        """Containers that wait for a place in YARN, up to five minutes old; None where it is not known."""
        figures = self.all_figures().get(self.id)
        return figures.containers_pending if figures else None

    @property
    def memory_left(self) -> float:
        """Percent of the memory that is left, also to the jobs that came after it was measured.

        Each of those is taken to need an equal share; so are all, where nothing was measured.
        """
        figures = self.all_figures().get(self.id)
        measured, at = (100.0, -math.inf) if figures is None else (figures.memory_available, figures.at)
        if measured is None:
            measured, at = 100.0, -math.inf
        in_it = sum(started <= at for started in self.started)
        return measured - (self.steps - in_it) * 100.0 / (self.steps + self.room)

    def with_job(self) -> Candidate:
        """Give it with one more job on it."""
        return replace(self, steps=self.steps + 1, room=self.room - 1)


def fewest_steps(candidates: Sequence[Candidate]) -> str:
    """Choose the cluster with the fewest steps; among equals the oldest."""
    return min(candidates, key=_fewest).id


def most_memory(candidates: Sequence[Candidate]) -> str:
    """Choose the cluster with the most memory left, of those on which no container waits for a place.

    Where nothing is known of any cluster's memory, that is the one with the fewest steps.
    """

    def rank(one: Candidate) -> tuple[bool, int, float, tuple[int, float, str]]:
        pending = one.containers_pending or 0.0
        return pending > 0, -round(one.memory_left), pending, _fewest(one)

    return min(candidates, key=rank).id


def selection_of(
    selection: str, figures: Callable[[], Mapping[str, Figures]] = no_figures
) -> Callable[[Sequence[Candidate]], str]:
    """Give the function that chooses, of at least one candidate, and gives the id of one.

    :param selection: ``fewest_steps``, ``most_memory``, or ``module:function``.
    :param figures: Gives what CloudWatch tells of the pool's clusters; called when it is wanted first.
    :raises SubmitRefusedError: when the function can't be imported; what is returned raises it when the
        function fails, or answers with what is no candidate.

    >>> selection_of("fewest_steps") is fewest_steps
    True
    """
    if selection == FEWEST_STEPS:
        return fewest_steps
    chosen = most_memory if selection == MOST_MEMORY else _checked(selection, _imported(selection))
    return _Informed(chosen, figures)


class _Informed:
    """A selection whose candidates know their figures; CloudWatch is asked at most once."""

    def __init__(
        self, choose: Callable[[Sequence[Candidate]], str], figures: Callable[[], Mapping[str, Figures]]
    ) -> None:
        self._choose = choose
        self._figures = figures
        self._known: Mapping[str, Figures] | None = None

    def __call__(self, candidates: Sequence[Candidate]) -> str:
        return self._choose(tuple(map(self._informed, candidates)))

    def _informed(self, one: Candidate) -> Candidate:
        # There are none of a cluster that starts.
        return replace(one, all_figures=self._all) if one.state in CLUSTER_UP else one

    def _all(self) -> Mapping[str, Figures]:
        if self._known is None:
            self._known = self._figures()
        return self._known


def _imported(selection: str) -> Callable[[Sequence[Candidate]], Any]:
    module, _, name = selection.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise _refused(
            f"the pool's selection {selection!r} can't be imported: {_told(error)}; "
            "it must be importable on workers and triggerers alike"
        ) from error
    if not callable(found):
        raise _refused(f"the pool's selection {selection!r} is no function but {_kind(found)}")
    function: Callable[[Sequence[Candidate]], Any] = found
    return function


def _checked(
    selection: str, function: Callable[[Sequence[Candidate]], Any]
) -> Callable[[Sequence[Candidate]], str]:
    def choose(candidates: Sequence[Candidate]) -> str:
        try:
            answer = function(candidates)
        except Exception as error:
            raise _refused(f"the pool's selection {selection!r} failed: {_told(error)}") from error
        chosen = answer.id if isinstance(answer, Candidate) else answer
        ids = [one.id for one in candidates]
        if not isinstance(chosen, str) or chosen not in ids:
            shown = one_line(repr(chosen), 100)
            raise _refused(
                f"the pool's selection {selection!r} gave {shown}, which is none of the clusters it was to "
                f"choose from ({one_line(', '.join(ids))}); let it give one of them, or its id"
            )
        return chosen

    return choose


def _refused(said: str) -> SubmitRefusedError:
    # What decides about a pool is also used where there is no Airflow.
    from airflow_provider_emrkit.exceptions import SubmitRefusedError

    return SubmitRefusedError(said)


def _told(error: Exception) -> str:
    """Tell an error of the user's code, and where it was raised."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {one_line(str(error))} ({where.filename}, line {where.lineno})"


def _kind(found: object) -> str:
    return f"of type {type(found).__name__}"


def _fewest(one: Candidate) -> tuple[int, float, str]:
    return one.steps, math.inf if one.created_at is None else one.created_at, one.id
