"""The shared poller: asks for the states of all runs that the triggers of this process wait for."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_emrkit.hooks.errors import is_aws_error, is_denied, is_transient, typed
from airflow_provider_emrkit.hooks.patience import Trouble
from airflow_provider_emrkit.runs.pacing import KEPT_SPARE, SOON_INTERVAL, Situation, UsualTimes, pause
from airflow_provider_emrkit.runs.tolerance import REFUSAL_PAUSE, Tolerance
from airflow_provider_emrkit.runs.watch import no_answer
from airflow_provider_emrkit.triggers.connecting import Connecting
from airflow_provider_emrkit.triggers.pushed import Pushes
from airflow_provider_emrkit.triggers.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_provider_emrkit.events.state_change import StateChange
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.states import RunStatus
    from airflow_provider_emrkit.triggers.connecting import Connected

    GroupKey = tuple[str, str]

T = TypeVar("T")

# Threads for looks at states, for reading logs, and for ending runs. Most of their time they wait for AWS.
LOOKS = 4
LOG_READS = 8
ENDS = 64

# Seconds in which the triggers of one cluster come together before it is looked at first.
GATHER = 0.5
# Runs up to which a look at a cluster is done for the sake of one.
FEW = 10
# The API call that a look at few runs of a sort costs most, and a look at many.
LOOK_OPERATIONS = {"step": ("ListSteps", "ListSteps"), "job_run": ("GetJobRun", "ListJobRuns")}

# Failed looks in a row after which the tasks' logs tell about them.
TOLD_AFTER = 3
# Seconds until another trigger is asked to renew the connection.
RENEWAL_PAUSE = 60.0


class Group:
    """The watched runs of one cluster or application, which one look serves.

    :param key: Sort of run, and id of the cluster or application.
    """

    __slots__ = ("due", "is_looked_at", "key", "looked_at", "tolerance", "trouble", "watched")

    def __init__(self, key: GroupKey) -> None:
        self.key = key
        self.watched: dict[str, tuple[Watched, ...]] = {}
        self.due: float | None = None
        self.looked_at = float("-inf")
        self.is_looked_at = False
        self.trouble = Trouble()
        self.tolerance = Tolerance()

    def __iter__(self) -> Iterator[Watched]:
        return itertools.chain.from_iterable(self.watched.values())

    @property
    def operation(self) -> str:
        """The API call that a look at them costs most."""
        few, many = LOOK_OPERATIONS.get(self.key[0], ("", ""))
        return few if len(self.watched) <= FEW else many

    def add(self, watched: Watched) -> None:
        """Look at it, too. A run may be watched by several triggers."""
        here = self.watched.get(watched.run.id, ())
        self.watched[watched.run.id] = (*here, watched)

    def remove(self, watched: Watched) -> None:
        """Look at it no more."""
        rest = tuple(one for one in self.watched.get(watched.run.id, ()) if one is not watched)
        if rest:
            self.watched[watched.run.id] = rest
        else:
            self.watched.pop(watched.run.id, None)


class SharedPoller:
    """Asks for the states of runs, together for all triggers that use one connection and region.

    It lives in the event loop of the triggers, in callbacks with a context of their own: lines of a task's
    log are written by its own trigger alone. Calls are made by threads.

    :param connecting: Opens the connection.
    :param usual: How long jobs take.

    >>> poller = shared_poller("emrkit_default", "us-east-1")  # doctest: +SKIP
    >>> watched = poller.watch(run, 10.0)  # doctest: +SKIP
    >>> await watched.wait(None)  # doctest: +SKIP
    >>> poller.leave(watched)  # doctest: +SKIP
    """

    def __init__(self, connecting: Connecting, usual: UsualTimes | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.connecting = connecting
        self.log_reads = ThreadPoolExecutor(LOG_READS, "emrkit-logs")
        self.ends = ThreadPoolExecutor(ENDS, "emrkit-ends")
        self._looks = ThreadPoolExecutor(LOOKS, "emrkit-states")
        self._context = contextvars.Context()
        self._groups: dict[GroupKey, Group] = {}
        self._heap: list[tuple[float, int, Group]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._looking = 0
        self._usual = usual or UsualTimes()
        self._pushes = Pushes(self.loop, self.hint, self.is_watched)
        self._renewed_at = float("-inf")
        self._refused = False

    def watch(self, run: JobRun, base: float) -> Watched:
        """Watch a run until :meth:`leave`; the connection must have been opened.

        :param base: The usual seconds between two looks.
        """
        now = self.loop.time()
        watched = Watched(run, base, now)
        key = (run.kind, run.compute_id)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(key)
        group.add(watched)
        self._plan(group, self._first_look(group, watched, now))
        self._follow_queue()
        return watched

    def leave(self, watched: Watched) -> None:
        """Watch a run no more; as often as one likes."""
        key = (watched.run.kind, watched.run.compute_id)
        group = self._groups.get(key)
        if group is None:
            return
        group.remove(watched)
        if not group.watched:
            del self._groups[key]
            group.due = None
        if not self._groups:
            self._pushes.rest()

    async def renew(self, log: Any) -> None:
        """Open the connection again, for the trigger that was asked to.

        :param log: The trigger's log.
        """
        refused, self._refused = self._refused, False
        await self.connecting.renew(log, refused=refused)
        self._follow_queue()

    async def look(self, run: JobRun) -> RunStatus:
        """Ask for the state of one run, now.

        :raises Exception: what AWS raised.
        """
        states = await self.loop.run_in_executor(self._looks, self.connected.runs.states, [run])
        return states[run]

    async def in_context(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        """Do what blocks in a thread, which writes to the log of the trigger that asks for it."""
        return await self.loop.run_in_executor(pool, contextvars.copy_context().run, work)

    def is_watched(self, change: StateChange) -> bool:
        """Tell whether a trigger here waits for such a change. May be called by any thread."""
        group = self._groups.get((change.run_kind, change.compute_id))
        return group is not None and (change.kind == "cluster" or change.run_id in group.watched)

    def hint(self, change: StateChange, status: RunStatus | None) -> None:
        """Take a change that an event tells.

        :param status: What it says about the run; None for a change that is only a reason to look.
        """
        group = self._groups.get((change.run_kind, change.compute_id))
        if group is None:
            return
        now = self.loop.time()
        if status is None:
            self._plan(group, min(group.due or now, now + GATHER))
            return
        for watched in group.watched.get(change.run_id, ()):
            watched.hint(status, now)

    def close(self) -> None:
        """Give the threads back; for a poller whose loop has ended."""
        self._pushes.rest()
        for pool in (self._looks, self.log_reads, self.ends):
            pool.shutdown(wait=False, cancel_futures=True)

    @property
    def connected(self) -> Connected:
        """The connection, which some trigger has opened."""
        if self.connecting.now is None:
            raise RuntimeError("the connection has not been opened")
        return self.connecting.now

    def credentials_refused(self) -> None:
        """Note that AWS refuses the credentials, so that the next renewal keeps none."""
        self._refused = True

    def _follow_queue(self) -> None:
        # Threads that it starts must not write into the log of the trigger that happened to come first.
        self._context.run(self._pushes.follow, self.connected.queue)

    # --- when to look -------------------------------------------------------------------------------

    def _first_look(self, group: Group, watched: Watched, now: float) -> float:
        """Tell when to look because of a run that has just come."""
        soon = now + GATHER * (1 + random.random())
        if group.looked_at == float("-inf"):
            return min(group.due or soon, soon)
        few = len(group.watched) <= FEW and self._spare(group) > KEPT_SPARE
        due = max(soon, group.looked_at + min(SOON_INTERVAL if few else watched.base, watched.base))
        return min(group.due or due, due)

    def _next_look(self, group: Group, now: float) -> float:
        """Tell when to look next: as soon as any of the runs is to be looked at."""
        spare, alone = self._spare(group), len(group.watched) <= FEW
        pushed, wall = self._pushes.are_proven(group.key[0]), time.time()
        seconds = min(
            pause(
                one.base,
                Situation(
                    one.status, now - one.since, self._usual.of(one.run), wall, spare, alone, pushed=pushed
                ),
            )
            for one in group
        )
        return now + seconds * random.uniform(0.9, 1.1)

    def _spare(self, group: Group) -> float:
        return self.connected.quotas.spare(group.operation)

    def _plan(self, group: Group, due: float) -> None:
        if group.is_looked_at or group.due == due:
            return
        group.due = due
        heapq.heappush(self._heap, (due, next(self._numbers), group))
        if self._heap[0][2] is group:
            self._arm(due)

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(when, self._look_where_due, context=self._context)

    def _look_where_due(self) -> None:
        """Start the looks that are due, the most overdue first, as far as threads and quotas allow."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._heap and self._looking < LOOKS:
            due, _, group = self._heap[0]
            if group.due != due or group.is_looked_at:
                heapq.heappop(self._heap)  # planned anew, or gone
                continue
            now = self.loop.time()
            # While others wait for the quota, it may also be taken by runs that are due a little later.
            when = max(due, now + self.connected.quotas.seconds_until(group.operation))
            if when > now:
                self._arm(when)
                return
            heapq.heappop(self._heap)
            self._start_look(group)

    # --- looking ------------------------------------------------------------------------------------

    def _start_look(self, group: Group) -> None:
        group.due, group.is_looked_at = None, True
        self._looking += 1
        runs = list(dict.fromkeys(watched.run for watched in group))
        look = self.loop.run_in_executor(self._looks, self.connected.runs.states, runs)
        look.add_done_callback(partial(self._looked, group), context=self._context)

    def _looked(self, group: Group, look: asyncio.Future[Mapping[JobRun, RunStatus]]) -> None:
        self._looking -= 1
        now = self.loop.time()
        group.is_looked_at, group.looked_at = False, now
        error = None if look.cancelled() else look.exception()
        if not look.cancelled() and error is None:
            group.trouble.end()
            group.tolerance.end()
            self._tell(group, look.result(), now)
        due = self._after_failure(group, error, now) if error else None
        if group.watched:
            self._plan(group, due or self._next_look(group, now))
        self._look_where_due()
        if self.connected.is_old:
            self._ask_for_renewal(now)

    def _tell(self, group: Group, statuses: Mapping[JobRun, RunStatus], now: float) -> None:
        kind = group.key[0]
        pushed = self._pushes.are_proven(kind)
        for watched in group:
            status = statuses.get(watched.run)
            if status is None or not watched.tell(status, now) or not status.state.is_final:
                continue
            self._usual.learn(watched.run, status)
            if pushed:
                self._pushes.note_missed(kind)

    def _after_failure(self, group: Group, error: BaseException, now: float) -> float | None:
        """Take note of a look that failed; gives when to look again where that is not the usual."""
        base = min((watched.base for watched in group), default=0.0)
        if is_transient(error):
            delay = group.trouble.delay(base)
            if group.trouble.streak == TOLD_AFTER:
                for watched in group:
                    watched.remark(no_answer(error))
            return now + delay
        youngest = max((watched.run.submitted_at for watched in group), default=0.0)
        refusal_pause = group.tolerance.pause(error, youngest)
        if refusal_pause is not None:
            if is_denied(error):
                self._refused = True
                self._ask_for_renewal(now)
            return now + refusal_pause
        self._fail(list(group), error)
        return None

    def _fail(self, all_watched: Sequence[Watched], error: BaseException) -> None:
        for watched in all_watched:
            failure: Any = error
            if is_aws_error(error):
                failure = typed(f"{watched.run} can't be watched", error, watched.run.region)
                failure.__cause__ = error
            watched.fail(failure)

    def _ask_for_renewal(self, now: float) -> None:
        """Have a trigger open the connection again: Airflow can't be asked from here."""
        if now - self._renewed_at < (REFUSAL_PAUSE / 2 if self._refused else RENEWAL_PAUSE):
            return
        everybody = [watched for one in self._groups.values() for watched in one]
        if everybody:
            self._renewed_at = now
            chosen = random.choice(everybody)
            chosen.renews = True
            chosen.wake()


_pollers: dict[tuple[str, str], SharedPoller] = {}
_lock = threading.Lock()
_usual = UsualTimes()


def shared_poller(emrkit_conn_id: str, region_name: str) -> SharedPoller:
    """Give the poller of a connection and region in the running event loop."""
    loop = asyncio.get_running_loop()
    with _lock:
        poller = _pollers.get((emrkit_conn_id, region_name))
        if poller is not None and poller.loop is loop:
            return poller
        if poller is not None and poller.loop.is_closed():
            poller.close()
        poller = SharedPoller(Connecting(emrkit_conn_id, region_name), _usual)
        _pollers[(emrkit_conn_id, region_name)] = poller
        return poller
