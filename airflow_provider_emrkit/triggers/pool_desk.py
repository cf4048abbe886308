"""The desk of a pool: places the jobs that the triggers of this process have waiting, in rounds."""

from __future__ import annotations

import asyncio
import contextvars
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.errors import is_aws_error, typed
from airflow_provider_emrkit.pools.holder import new_holder
from airflow_provider_emrkit.pools.outcomes import Waits
from airflow_provider_emrkit.pools.pace import pause_after
from airflow_provider_emrkit.runs.tolerance import REFUSAL_PAUSE
from airflow_provider_emrkit.triggers.pool_refusals import PoolRefusals
from airflow_provider_emrkit.triggers.waking import Waking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_provider_emrkit.compute.pool_mark import PoolPlace
    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.pools.order import PoolOrder
    from airflow_provider_emrkit.pools.outcomes import Outcome
    from airflow_provider_emrkit.pools.placing import Placing
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.triggers.poller import SharedPoller

# Seconds in which orders come together before the first round.
GATHER = 0.5
# Seconds between two rounds, at least, while somebody waits; and for which a round waits for the lease.
PAUSE = 10.0
PATIENCE = 10.0
# Seconds until another trigger is asked to open the connection again.
RENEWAL_PAUSE = 60.0


class WaitingOrder(Waking):
    """An order that one trigger has waiting. Used by the event loop alone.

    :param order: The order.

    >>> waiting = desk.join(order)  # doctest: +SKIP
    >>> await waiting.wait(60.0)  # doctest: +SKIP
    >>> waiting.outcome  # doctest: +SKIP
    """

    __slots__ = ("error", "has_news", "order", "outcome", "renews")

    def __init__(self, order: PoolOrder) -> None:
        super().__init__()
        self.order = order
        self.outcome: Outcome | None = None
        self.error: Exception | None = None
        self.has_news = False
        self.renews = False

    @property
    def token(self) -> str:
        """Whose job it is."""
        return str(self.order.token)

    @property
    def is_settled(self) -> bool:
        """Whether the last round has placed it, or refused it for good."""
        return self.error is not None or (self.outcome is not None and not _waits(self.outcome))

    @property
    def words(self) -> str:
        """What the pool is busy with; empty while nobody knows."""
        return str(getattr(self.outcome, "words", ""))

    def tell(self, outcome: Outcome) -> None:
        """Take what a round has come to."""
        if outcome != self.outcome:
            self.outcome, self.has_news = outcome, True
            self.wake()

    def fail(self, error: Exception) -> None:
        """Take what makes placing impossible."""
        self.error, self.has_news = error, True
        self.wake()

    async def wait(self, seconds: float) -> None:
        """Wait until there is something new.

        :param seconds: The longest wait.
        """
        if not self.has_news and not self.renews:
            await self.sleep(seconds)
        self.has_news = False


class PoolDesk:
    """Gathers the orders for one pool of all triggers in this process, so that one round serves them all.

    It lives in the event loop of the triggers, in callbacks with a context of their own: lines of a task's
    log are written by its own trigger alone. Rounds are made by one thread, while somebody waits.

    :param poller: Has the connection.
    :param place: Which pool.
    :param open_placing: Makes what rounds are made with.

    >>> desk = pool_desk(poller, order.place)  # doctest: +SKIP
    >>> waiting = desk.join(order)  # doctest: +SKIP
    """

    def __init__(
        self,
        poller: SharedPoller,
        place: PoolPlace,
        open_placing: Callable[[AwsClients, str], Placing] | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.place = place
        self._poller = poller
        self._open_placing = open_placing or _open_placing
        self._holder = new_holder()
        self._placing: tuple[AwsClients, Placing] | None = None
        self._thread = ThreadPoolExecutor(1, "emrkit-pool")
        self._context = contextvars.Context()
        self._waiting: dict[WaitingOrder, None] = {}
        self._like: PoolOrder | None = None
        self._in_round: list[WaitingOrder] = []
        self._round: asyncio.Future[Mapping[str, Outcome]] | None = None
        self._timer: asyncio.TimerHandle | None = None
        # When the last round began, and until when none is made even if one is wanted soon.
        self._began = self._rests_until = float("-inf")
        self._is_wanted_soon = False
        self._is_told = False  # whether other processes believe that somebody waits here
        self._finding: _Finding | None = None
        self._renewed_at = float("-inf")
        self._refusals = PoolRefusals()

    def join(self, order: PoolOrder) -> WaitingOrder:
        """Have an order placed, until it is or until :meth:`leave`; the connection must have been opened."""
        if self._like is None or self._like.cluster != order.cluster:
            self._like = order
        # Orders are held by the thousand, most of them for the same clusters.
        waiting = WaitingOrder(replace(order, cluster=self._like.cluster))
        self._waiting[waiting] = None
        self.look_soon()
        return waiting

    def leave(self, waiting: WaitingOrder) -> None:
        """Have an order placed no more, after the round that is under way; as often as one likes."""
        self._waiting.pop(waiting, None)
        if not self._waiting and self._round is None:
            self._rest()

    async def withdraw(self, waiting: WaitingOrder) -> None:
        """Leave, and wait for the round that is under way, which may place the order still."""
        self.leave(waiting)
        if self._round is not None and waiting in self._in_round:
            await asyncio.wait({self._round})

    async def find(self, order: PoolOrder) -> JobRun | None:
        """Look for the step of an order that may have been placed before, in whatever state it is.

        :raises Exception: what AWS raised: nobody knows then whether it was placed.
        """
        finding = self._finding
        if finding is None:
            finding = self._finding = _Finding(self.loop.create_future(), [])
            self.loop.call_later(GATHER, self._start_finding, finding, context=self._context)
        finding.orders.append(order)
        found = await asyncio.shield(finding.found)
        return found.get(str(order.token))

    def look_soon(self) -> None:
        """Make a round soon, as there may be room, or somebody new who wants some.

        Not before as much time has passed as the last one took: with many clusters it takes all that EMR lets
        the account ask.
        """
        if self._round is not None:
            self._is_wanted_soon = True
        elif self._waiting:
            rest = self._rests_until - self.loop.time()
            self._plan(max(GATHER * (1 + random.random()), rest))

    def close(self) -> None:
        """Give the thread back; for a desk whose loop has ended."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    # --- rounds -------------------------------------------------------------------------------------

    def _plan(self, seconds: float) -> None:
        due = self.loop.time() + seconds
        if self._timer is not None and self._timer.when() <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(due, self._start_round, context=self._context)

    def _start_round(self) -> None:
        self._timer = None
        if not self._waiting or self._round is not None:
            return
        self._in_round, self._is_wanted_soon = list(self._waiting), False
        self._began = self.loop.time()
        orders = {waiting.token: waiting.order for waiting in self._in_round}  # two may have the same one
        self._round = self.loop.run_in_executor(self._thread, self._make_round, list(orders.values()))
        self._round.add_done_callback(self._rounded, context=self._context)

    def _make_round(self, orders: list[PoolOrder]) -> Mapping[str, Outcome]:
        return self._open().round(orders, PATIENCE)

    def _open(self) -> Placing:
        clients = self._poller.connected.aws
        if self._placing is None or self._placing[0] is not clients:
            self._placing = clients, self._open_placing(clients, self._holder)
        return self._placing[1]

    def _rounded(self, made: asyncio.Future[Mapping[str, Outcome]]) -> None:
        in_round, self._in_round, self._round = self._in_round, [], None
        took = self.loop.time() - self._began
        self._rests_until = self.loop.time() + took
        error = None if made.cancelled() else made.exception()
        if error is not None:
            self._fail(in_round, error)
        elif not made.cancelled():
            self._tell(in_round, self._refusals.tolerated(made.result()))
        if not self._waiting:
            self._rest()
            return
        self._plan(pause_after(took, PAUSE))
        if self._is_wanted_soon:
            self.look_soon()
        if self._refusals.may_pass:
            self._poller.credentials_refused()
            self._ask_for_renewal(REFUSAL_PAUSE / 2)
        elif self._poller.connected.is_old:
            self._ask_for_renewal(RENEWAL_PAUSE)

    def _tell(self, in_round: Iterable[WaitingOrder], outcomes: Mapping[str, Outcome]) -> None:
        self._is_told = any(_waits(outcome) for outcome in outcomes.values())
        for waiting in in_round:
            outcome = outcomes.get(waiting.token)
            if outcome is not None:
                waiting.tell(outcome)
            if waiting.is_settled:
                self._waiting.pop(waiting, None)

    def _fail(self, in_round: Iterable[WaitingOrder], error: BaseException) -> None:
        self._is_told = True  # nobody knows
        failure: Any = error
        if is_aws_error(error):
            region = self._poller.connecting.region_name
            failure = typed(f"no job can be placed in pool {self.place.name}", error, region)
            failure.__cause__ = error
        for waiting in in_round:
            waiting.fail(failure)
            self._waiting.pop(waiting, None)

    def _rest(self) -> None:
        """Tell the other processes that nobody waits here any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_told and self._placing is not None:
            self._is_told = False
            self.loop.run_in_executor(self._thread, self._placing[1].leave, self.place)

    def _ask_for_renewal(self, pause: float) -> None:
        """Have a trigger open the connection again: Airflow can't be asked from here."""
        now = self.loop.time()
        if now - self._renewed_at >= pause:
            self._renewed_at = now
            chosen = random.choice(list(self._waiting))
            chosen.renews = True
            chosen.wake()

    # --- finding ------------------------------------------------------------------------------------

    def _start_finding(self, finding: _Finding) -> None:
        self._finding = None
        search = self.loop.run_in_executor(self._thread, self._search, list(finding.orders))
        search.add_done_callback(finding.end, context=self._context)

    def _search(self, orders: list[PoolOrder]) -> Mapping[str, JobRun]:
        return self._open().find(orders)


class _Finding:
    """A search for the steps of several orders."""

    __slots__ = ("found", "orders")

    def __init__(self, found: asyncio.Future[Mapping[str, JobRun]], orders: list[PoolOrder]) -> None:
        self.found = found
        self.orders = orders

    def end(self, search: asyncio.Future[Mapping[str, JobRun]]) -> None:
        """Tell those who wait for it."""
        if search.cancelled():
            self.found.cancel()
        elif error := search.exception():
            self.found.set_exception(error)
            self.found.exception()  # who waited for it may be gone
        else:
            self.found.set_result(search.result())


def _waits(outcome: Outcome) -> bool:
    return isinstance(outcome, Waits)


def _open_placing(clients: AwsClients, holder: str) -> Placing:
    from airflow_provider_emrkit.pools.placing import Placing

    return Placing(clients, holder, threading.Event().wait)


_desks: dict[tuple[str, str, PoolPlace], PoolDesk] = {}
_lock = threading.Lock()


def pool_desk(poller: SharedPoller, place: PoolPlace) -> PoolDesk:
    """Give the desk of a pool in the running event loop.

    :param poller: Has the connection.
    """
    key = (poller.connecting.emrkit_conn_id, poller.connecting.region_name, place)
    with _lock:
        desk = _desks.get(key)
        if desk is not None and desk.loop is poller.loop:
            return desk
        if desk is not None and desk.loop.is_closed():
            desk.close()
        desk = _desks[key] = PoolDesk(poller, place)
        return desk


def look_for_room(poller: SharedPoller, pool: str) -> None:
    """Have a round made soon, as a job of a pool has ended.

    :param pool: Its name.
    """
    ids = (poller.connecting.emrkit_conn_id, poller.connecting.region_name)
    with _lock:
        desks = [
            desk for (*which, place), desk in _desks.items() if tuple(which) == ids and place.name == pool
        ]
    for desk in desks:
        if desk.loop is poller.loop:
            desk.look_soon()
