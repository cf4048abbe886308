"""What somebody waits for at a pool, and whether it is so: pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.pools.standing import standings
from airflow_provider_emrkit.runs.states import CLUSTER_COMING_UP, CLUSTER_GOING, CLUSTER_UP

# Seconds in which a cluster that was asked for may have come and gone.
LATELY = 3_600.0

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_emrkit.pools.endings import Ending
    from airflow_provider_emrkit.pools.record import PoolRecord
    from airflow_provider_emrkit.pools.standing import Standing
    from airflow_provider_emrkit.pools.survey import PoolCluster, Survey


@dataclass(frozen=True)
class View:
    """What was seen of a pool.

    :param survey: Its clusters that have not ended.
    :param record: What its processes tell each other; what the survey lists must have been settled.
    :param now: When that was, in seconds since 1970.
    :param endings: What else was asked for: clusters that the survey does not list, by id.

    >>> View(Survey(), PoolRecord(), 1_700_000_000.0).endings  # doctest: +SKIP
    {}
    """

    survey: Survey
    record: PoolRecord
    now: float
    endings: Mapping[str, Ending] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """Whether it is so.

    :param holds: What was waited for has come.
    :param words: How things are, in a line for people.
    :param failed: Clusters that were waited for and never came up.
    :param lost: Starts that came to nothing: EMR did not answer, and lists no cluster.
    :param tend: Whether somebody should end clusters that drain, or see that others drain too.

    >>> Finding(True, "2 of 2 clusters came up").failed
    ()
    """

    holds: bool
    words: str
    failed: tuple[Ending, ...] = ()
    lost: tuple[str, ...] = ()
    tend: bool = False


@dataclass(frozen=True)
class Asked:
    """What EMR has to be asked beside the look at the pool.

    :param ids: Clusters to describe.
    :param since: Since when clusters were asked for that have ended, in seconds since 1970; None for those of
        no time.

    >>> Asked(ids=("j-1",)).since is None
    True
    """

    ids: tuple[str, ...] = ()
    since: float | None = None


@dataclass(frozen=True)
class Awaited:
    """Clusters that are to come up, and others that are to go. Plain JSON both ways.

    One that came up and has ended since, because it had no work, has come up.

    :param up: Ids of clusters that are to come up.
    :param starts: Starts whose cluster is not known by its id.
    :param gone: Ids of clusters that are to go.
    :param all_gone: Whether the pool is to have no cluster at all.

    >>> Awaited.from_dict(Awaited(up=("j-1",)).to_dict())
    Awaited(up=('j-1',), starts=(), gone=(), all_gone=False)
    """

    up: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    all_gone: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        return {
            "up": list(self.up),
            "starts": list(self.starts),
            "gone": list(self.gone),
            "all_gone": self.all_gone,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Awaited:
        """Read it back; members that another version of emrkit wrote are ignored."""
        ids = {name: tuple(data.get(name) or ()) for name in ("up", "starts", "gone")}
        return cls(**ids, all_gone=bool(data.get("all_gone")))

    def asks(self, view: View) -> Asked:
        """Tell what EMR has to be asked beside the look: what became of clusters that it has not found."""
        clusters = view.survey.clusters
        ids = {cluster.id for cluster in clusters}
        may_come = {cluster.mark.start for cluster in clusters} | set(claimed_starts(view.record))
        lost = any(start not in may_come for start in self.starts)
        return Asked(tuple(one for one in self.up if one not in ids), view.now - LATELY if lost else None)

    def judge(self, view: View) -> Finding:
        """Tell whether it is so."""
        came_up, coming, failed, lost = _Arrivals(view).sort(self.up, self.starts)
        going = [one for one in standings(view.survey, view.record, 1) if self._must_go(one)]
        late = claimed_starts(view.record) if self.all_gone else ()
        arrivals = _arrival_words(came_up, coming, failed, lost)
        words = "; ".join(filter(None, (arrivals, _departure_words(going, late))))
        return Finding(
            holds=not (coming or going or late),
            words=words
            or ("what was to end has ended" if self.gone or self.all_gone else "nothing is awaited"),
            failed=tuple(failed),
            lost=tuple(lost),
            tend=any(one.is_idle or not one.draining for one in going),
        )

    def _must_go(self, standing: Standing) -> bool:
        return (self.all_gone or standing.cluster.id in self.gone) and not standing.is_going


class _Arrivals:
    """Tells of clusters that are to come up which have, which may, and which never will."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._by_id = {cluster.id: cluster for cluster in view.survey.clusters}
        self._by_start = {cluster.mark.start: cluster for cluster in view.survey.clusters}
        self._ended_starts = {one.mark.start: one for one in view.endings.values() if one.mark}

    def sort(
        self, ids: Iterable[str], starts: Iterable[str]
    ) -> tuple[list[str], list[str], list[Ending], list[str]]:
        came_up: list[str] = []
        coming: list[str] = []
        failed: list[Ending] = []
        lost: list[str] = []
        for one in dict.fromkeys((*ids, *starts)):
            found = self._by_id.get(one) or self._by_start.get(one)
            ending = self._view.endings.get(one) or self._ended_starts.get(one)
            if _is_up(found, ending):
                came_up.append(one)
            elif found is None and ending is not None and ending.state in CLUSTER_GOING:
                failed.append(ending)
            elif found is None and ending is None and one in starts and not self._may_come(one):
                lost.append(one)
            else:
                state = found.state if found else "asked for"
                coming.append(f"{found.id if found else one} is {state}")
        return came_up, coming, failed, lost

    def _may_come(self, start: str) -> bool:
        return start in claimed_starts(self._view.record)


def _is_up(found: PoolCluster | None, ending: Ending | None) -> bool:
    if found is not None:
        return found.state in CLUSTER_UP or (
            found.state not in CLUSTER_COMING_UP and found.ready_at is not None
        )
    return ending is not None and (ending.state in CLUSTER_UP or not ending.never_came_up)


def claimed_starts(record: PoolRecord) -> tuple[str, ...]:
    """Name the starts that may still bring a cluster.

    :param record: What the survey lists must have been settled.
    """
    return tuple(claim.id for claim in record.claims_to("start"))


def _arrival_words(came_up: list[str], coming: list[str], failed: list[Ending], lost: list[str]) -> str:
    wanted = len(came_up) + len(coming) + len(failed) + len(lost)
    if not wanted:
        return ""
    words = f"{len(came_up)} of {wanted} clusters came up"
    ended = [f"{one} never came up" for one in (*(str(ending) for ending in failed), *lost)]
    return ", ".join((words, *coming, *ended))


def _departure_words(going: list[Standing], late: tuple[str, ...]) -> str:
    told = [f"{one.cluster.id} ({_doing(one)})" for one in going]
    told += [f"what start {start} may still bring" for start in late]
    return f"still to end: {', '.join(told)}" if told else ""


def _doing(standing: Standing) -> str:
    steps = standing.active
    return f"{steps} step{'s' * (steps > 1)}" if steps else standing.cluster.state
