from __future__ import annotations

import asyncio
import contextvars
import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from virtual_time import run_virtually

from airflow_provider_emrkit.events.state_change import StateChange
from airflow_provider_emrkit.exceptions import AccessDeniedError, NotFoundError
from airflow_provider_emrkit.hooks.quotas import Quotas
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.states import RunState, RunStatus
from airflow_provider_emrkit.runs.tolerance import REFUSALS
from airflow_provider_emrkit.triggers import poller as poller_module
from airflow_provider_emrkit.triggers.connecting import Connected, Connecting
from airflow_provider_emrkit.triggers.poller import FEW, TOLD_AFTER, SharedPoller, shared_poller
from airflow_provider_emrkit.triggers.pushed import MISSES, told

QUEUED = RunStatus(RunState.QUEUED, "PENDING")
RUNNING = RunStatus(RunState.RUNNING, "RUNNING")
DONE = RunStatus(RunState.SUCCEEDED, "COMPLETED")
FAR_AWAY = 3_600.0


def run_of(step: str, cluster: str = "j-1", **rest: Any) -> JobRun:
    return JobRun("step", cluster, step, "t", "sales", "us-east-1", **rest)


def job_run_of(job_run_id: str) -> JobRun:
    ids = {"application_id": "00app", "job_run_id": job_run_id}
    return JobRun("job_run", "", "", "t", "sales", "us-east-1", **ids)


def aws_error(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "ListSteps")


@dataclass
class FakeRuns:
    """Gives the states it is told; keeps when it was asked for which steps of which cluster."""

    status: RunStatus = RUNNING
    by_step: dict[str, RunStatus] = field(default_factory=dict)
    errors: list[Exception] = field(default_factory=list)
    looks: list[tuple[float, str, list[str]]] = field(default_factory=list)
    seen: list[Any] = field(default_factory=list)

    def states(self, runs: Any) -> Any:
        now = asyncio.get_running_loop().time() - 1_000
        self.looks.append((now, runs[0].cluster_id, [run.step_id for run in runs]))
        self.seen.append(marker.get(None))
        if self.errors:
            raise self.errors.pop(0)
        return {run: self.by_step.get(run.step_id, self.status) for run in runs}

    def times(self, cluster: str = "j-1") -> list[float]:
        return [when for when, where, _ in self.looks if where == cluster]


marker: contextvars.ContextVar[str] = contextvars.ContextVar("marker")


def make(runs: FakeRuns, quotas: dict[str, Any] | None = None) -> SharedPoller:
    poller = SharedPoller(Connecting("emrkit_default", "us-east-1"))
    loop: Any = asyncio.get_running_loop()
    poller.connecting.now = Connected(runs, Quotas(quotas or {}, loop.time, lambda _: None))  # type: ignore[arg-type]
    return poller


def test_a_look_serves_all_runs_of_a_cluster():
    runs = FakeRuns()

    async def watch() -> None:
        poller = make(runs)
        for number in range(60):
            poller.watch(run_of(f"s-{number}", f"j-{number % 3}"), 10.0)
        await asyncio.sleep(100)

    run_virtually(watch())
    assert len(runs.looks) == pytest.approx(3 * 10, abs=3)
    assert all(len(steps) == 20 for _, _, steps in runs.looks)


def test_a_trigger_is_woken_by_news_and_by_nothing_else():
    runs = FakeRuns()

    async def watch() -> list[Any]:
        poller = make(runs)
        first, second = (poller.watch(run_of(step), 10.0) for step in ("s-1", "s-2"))
        told = []
        await first.wait(None)
        told.append(first.take_news())
        asyncio.get_running_loop().call_later(60, runs.by_step.update, {"s-1": DONE})
        await first.wait(None)
        told.append((first.take_news(), asyncio.get_running_loop().time() - 1_000 > 60))
        await second.wait(None)
        assert second.take_news() == RUNNING
        await second.wait(200)
        told.append(second.take_news())
        return told

    assert run_virtually(watch()) == [RUNNING, (DONE, True), None]


def test_two_triggers_may_watch_the_same_run():
    async def watch() -> list[Any]:
        poller = make(FakeRuns())
        both = [poller.watch(run_of("s-1"), 10.0) for _ in range(2)]
        await asyncio.gather(*(one.wait(None) for one in both))
        poller.leave(both[0])
        poller.leave(both[0])
        assert poller.is_watched(StateChange("step", "j-1", "s-1", "RUNNING", 1.0))
        return [one.take_news() for one in both]

    assert run_virtually(watch()) == [RUNNING, RUNNING]


def test_nobody_is_asked_for_runs_that_nobody_watches():
    runs = FakeRuns()

    async def watch() -> None:
        poller = make(runs)
        watched = poller.watch(run_of("s-1"), 10.0)
        await watched.wait(None)
        poller.leave(watched)
        await asyncio.sleep(FAR_AWAY)
        assert poller._groups == {}

    run_virtually(watch())
    assert len(runs.looks) == 1


def test_looks_keep_to_the_quota_and_the_longest_overdue_comes_first():
    runs = FakeRuns()

    async def watch() -> None:
        poller = make(runs, {"ListSteps": (2, 0.5)})
        real_states = runs.states

        def paid(asked: Any) -> Any:
            poller.connected.quotas.hold_back("emr", "ListSteps")
            return real_states(asked)

        runs.states = paid  # type: ignore[method-assign]
        for number in range(20):
            poller.watch(run_of("s-1", f"j-{number}"), 10.0)
        await asyncio.sleep(200)

    run_virtually(watch())
    assert len(runs.looks) <= 2 + 200 * 0.5
    each = [len(runs.times(f"j-{number}")) for number in range(20)]
    assert max(each) - min(each) <= 1
    assert min(each) >= 4


@pytest.mark.parametrize(("count", "call"), [(FEW, "GetJobRun"), (FEW + 1, "ListJobRuns")])
def test_looks_at_job_runs_keep_to_the_quota_of_the_call_that_they_make(count, call):
    runs = FakeRuns()
    job_runs = [
        JobRun(
            "job_run", "", "", "t", "sales", "us-east-1", application_id="00app", job_run_id=f"00run{number}"
        )
        for number in range(count)
    ]

    async def watch() -> None:
        poller = make(runs, {call: (1, 0.01)})
        for run in job_runs:
            poller.watch(run, 10.0)
        poller.connected.quotas.throttled(call)
        await asyncio.sleep(99)
        assert runs.looks == []
        await asyncio.sleep(10)
        assert len(runs.looks) == 1

    run_virtually(watch())


def test_a_run_that_has_just_come_is_looked_at_soon_on_a_quiet_cluster_only():
    runs = FakeRuns(QUEUED)

    async def watch(already: int) -> float:
        poller = make(runs)
        for number in range(already):
            poller.watch(run_of(f"s-{number}"), 60.0)
        await asyncio.sleep(3)
        now = asyncio.get_running_loop().time()
        late = poller.watch(run_of("s-late"), 60.0)
        await late.wait(None)
        return asyncio.get_running_loop().time() - now

    assert run_virtually(watch(1)) < 3
    assert run_virtually(watch(FEW + 1)) > 30


def test_a_run_that_goes_on_for_long_is_looked_at_seldom():
    runs = FakeRuns()

    async def watch() -> None:
        make(runs).watch(run_of("s-1"), 10.0)
        await asyncio.sleep(7_200)

    run_virtually(watch())
    first, last = (sum(begin <= when < begin + 200 for when in runs.times()) for begin in (0, 7_000))
    assert 18 <= first <= 22
    assert 3 <= last <= 4


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerError"])
def test_trouble_that_passes_fails_no_run_and_is_told_once(code):
    random.seed(1)  # the pauses are random, and only on average as long as is asked for below
    runs = FakeRuns(errors=[aws_error(code) for _ in range(2 * TOLD_AFTER)])

    async def watch() -> tuple[list[str], Any]:
        poller = make(runs)
        watched = poller.watch(run_of("s-1"), 10.0)
        notes = []
        while watched.status is None:
            await watched.wait(None)
            if note := watched.take_note():
                notes.append(note.text)
        return notes, watched.take_news()

    notes, status = run_virtually(watch())
    assert [code in note and "the job goes on" in note for note in notes] == [True]
    assert status == RUNNING
    gaps = [after - before for before, after in zip(runs.times(), runs.times()[1:], strict=False)]
    assert min(gaps) > 9
    assert sum(gaps) > 15 * len(gaps)


def test_trouble_that_comes_and_goes_is_told_to_nobody():
    runs = FakeRuns()

    async def watch() -> Any:
        watched = make(runs).watch(run_of("s-1"), 10.0)
        for _ in range(TOLD_AFTER):
            runs.errors.append(aws_error("ThrottlingException"))
            await asyncio.sleep(300)
        return watched.note

    assert run_virtually(watch()) is None


def test_a_refusal_is_believed_when_it_lasts_though_the_connection_was_renewed():
    runs = FakeRuns(errors=[aws_error("AccessDeniedException", "no permission") for _ in range(10)])

    async def watch() -> int:
        poller = make(runs)
        watched = poller.watch(run_of("s-1"), 10.0)
        renewals = 0
        while watched.error is None:
            await watched.wait(None)
            renewals += watched.renews
            watched.renews = False
        with pytest.raises(AccessDeniedError, match=r"s-1 on cluster j-1 can't be watched.*no permission"):
            watched.take_news()
        return renewals

    assert run_virtually(watch()) >= 2
    assert len(runs.looks) == REFUSALS


def test_a_refusal_that_passes_fails_no_run():
    runs = FakeRuns(errors=[aws_error("ExpiredTokenException")] * (REFUSALS - 1))

    async def watch() -> Any:
        watched = make(runs).watch(run_of("s-1"), 10.0)
        while watched.status is None:
            await watched.wait(None)
            watched.renews = False
        return watched.take_news()

    assert run_virtually(watch()) == RUNNING


@pytest.mark.parametrize(
    ("age", "looks"), [pytest.param(3_600, 1, id="old"), pytest.param(5, REFUSALS, id="just submitted")]
)
def test_a_cluster_that_does_not_exist_is_an_error_but_a_new_one_may_not_be_known_yet(age, looks):
    import time

    error = aws_error("InvalidRequestException", "Cluster id 'j-1' is not valid.")
    runs = FakeRuns(errors=[error] * 10)

    async def watch() -> None:
        watched = make(runs).watch(run_of("s-1", submitted_at=time.time() - age), 10.0)
        await watched.wait(None)
        with pytest.raises(NotFoundError, match="j-1"):
            watched.take_news()

    run_virtually(watch())
    assert len(runs.looks) == looks


def test_trouble_with_one_cluster_is_none_of_the_others():
    runs = FakeRuns()

    async def watch() -> None:
        poller = make(runs)
        real_states = runs.states

        def states(asked: Any) -> Any:
            if asked[0].cluster_id == "j-BAD":
                raise aws_error("InvalidRequestException", "Cluster id 'j-BAD' is not valid.")
            return real_states(asked)

        runs.states = states  # type: ignore[method-assign]
        bad, good = poller.watch(run_of("s-1", "j-BAD"), 10.0), poller.watch(run_of("s-1"), 10.0)
        await asyncio.gather(bad.wait(None), good.wait(None))
        with pytest.raises(NotFoundError):
            bad.take_news()
        assert good.take_news() == RUNNING

    run_virtually(watch())


def test_looks_see_nothing_of_the_trigger_that_came_first():
    runs = FakeRuns()

    async def watch() -> str:
        marker.set("the first trigger")
        poller = make(runs)
        watched = poller.watch(run_of("s-1"), 10.0)
        await watched.wait(None)
        await asyncio.sleep(100)
        seen: str = await poller.in_context(poller.log_reads, lambda: marker.get("nothing"))
        return seen

    assert run_virtually(watch()) == "the first trigger"
    assert set(runs.seen) == {None}


def change(state: str, run: str = "s-1", cluster: str = "j-1") -> StateChange:
    return StateChange("step" if run else "cluster", cluster, run, state, 5_000.0)


def test_an_event_reaches_the_trigger_at_once():
    runs = FakeRuns(QUEUED)

    async def watch() -> Any:
        poller = make(runs)
        watched = poller.watch(run_of("s-1"), 60.0)
        await watched.wait(None)
        watched.take_news()
        before = asyncio.get_running_loop().time()
        poller.hint(change("COMPLETED"), told(change("COMPLETED")))
        await watched.wait(None)
        assert asyncio.get_running_loop().time() == before
        return watched.take_news()

    status = run_virtually(watch())
    assert (status.state, status.by_event, status.ended_at) == (RunState.SUCCEEDED, True, 5_000.0)


@pytest.mark.parametrize(
    ("known", "event"),
    [
        pytest.param(RUNNING, "PENDING", id="older"),
        pytest.param(RUNNING, "RUNNING", id="the same"),
        pytest.param(RUNNING, "NEVER_HEARD_OF", id="unknown"),
        pytest.param(DONE, "RUNNING", id="long over"),
    ],
)
def test_an_event_that_comes_late_changes_nothing(known, event):
    async def watch() -> Any:
        poller = make(FakeRuns(known))
        watched = poller.watch(run_of("s-1"), 60.0)
        await watched.wait(None)
        poller.hint(change(event), told(change(event)))
        return watched.status

    assert run_virtually(watch()) == known


def test_an_event_about_a_cluster_is_a_reason_to_look():
    runs = FakeRuns()

    async def watch() -> None:
        poller = make(runs)
        watched = poller.watch(run_of("s-1"), 600.0)
        await watched.wait(None)
        poller.hint(change("TERMINATED_WITH_ERRORS", run=""), None)
        await asyncio.sleep(5)

    run_virtually(watch())
    assert len(runs.looks) == 2


def test_events_are_taken_for_watched_runs_only():
    async def watch() -> list[bool]:
        poller = make(FakeRuns())
        poller.watch(run_of("s-1"), 60.0)
        changes = [change("RUNNING"), change("RUNNING", "s-2"), change("RUNNING", cluster="j-2")]
        return [poller.is_watched(one) for one in [*changes, change("TERMINATED", "")]]

    assert run_virtually(watch()) == [True, False, False, True]


def test_while_events_come_looking_is_only_the_safety_net():
    runs = FakeRuns()

    async def watch() -> None:
        poller = make(runs)
        poller._pushes._reader = type("Reader", (), {"is_up": True})()
        poller._pushes._take(change("RUNNING"))
        poller.watch(run_of("s-1"), 10.0)
        await asyncio.sleep(600)

    run_virtually(watch())
    assert len(runs.looks) == pytest.approx(6, abs=1)


def test_a_step_s_event_makes_no_job_run_s_looks_rare():
    """Nor do ends of job runs, of which no event tells, say that those of steps don't come any more."""

    async def watch(*, with_events: bool) -> tuple[int, bool]:
        runs = FakeRuns()
        poller = make(runs)
        poller._pushes._reader = type("Reader", (), {"is_up": True})()
        if with_events:
            poller._pushes._take(change("COMPLETED", "", cluster="j-9"))
        watched = poller.watch(job_run_of("00run"), 10.0)
        await asyncio.sleep(190)
        poller.leave(watched)
        looks, runs.status = len(runs.looks), DONE
        for number in range(MISSES):
            await poller.watch(job_run_of(f"00run{number}"), 10.0).wait(None)
        return looks, poller._pushes.are_proven("step")

    without, _ = run_virtually(watch(with_events=False))
    assert without > 12
    assert run_virtually(watch(with_events=True)) == (pytest.approx(without, abs=3), True)


def test_events_that_do_not_come_any_more_are_noticed():
    async def watch() -> list[bool]:
        poller = make(FakeRuns(DONE))
        poller._pushes._reader = type("Reader", (), {"is_up": True})()
        poller._pushes._take(change("RUNNING"))
        proven = [poller._pushes.are_proven("step")]
        for number in range(MISSES):
            watched = poller.watch(run_of(f"s-{number}"), 10.0)
            await watched.wait(None)
        return [*proven, poller._pushes.are_proven("step")]

    assert run_virtually(watch()) == [True, False]


def test_a_connection_that_is_old_is_renewed_by_one_trigger():
    async def watch() -> int:
        poller = make(FakeRuns())
        old = poller.connecting.now
        assert old is not None
        poller.connecting.now = Connected(old.runs, old.quotas, at=-1e9)
        all_watched = [poller.watch(run_of(f"s-{number}"), 10.0) for number in range(5)]
        await asyncio.sleep(15)
        return sum(watched.renews for watched in all_watched)

    assert run_virtually(watch()) == 1


def test_one_poller_serves_a_connection_and_region_in_a_loop():
    async def of(*key: str) -> SharedPoller:
        assert shared_poller(*key) is shared_poller(*key)
        return shared_poller(*key)

    async def both() -> bool:
        return await of("a", "us-east-1") is not await of("a", "eu-west-1")

    assert asyncio.run(both())
    assert asyncio.run(of("a", "us-east-1")) is not asyncio.run(of("a", "us-east-1"))
    poller_module._pollers.clear()
