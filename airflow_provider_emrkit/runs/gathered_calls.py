"""Makes one call of many that are made at once: a user may end a hundred runs with one click.

EMR takes about ten calls of a sort at once, and one more every two seconds; most take many steps each.
"""

# ruff: noqa: N803 - parameters of AWS have AWS's names

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from airflow_provider_emrkit.hooks.errors import is_aws_error, is_transient
from airflow_provider_emrkit.runs.step_states import StepMemory, find_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

# What one call takes: CancelSteps, AddJobFlowSteps, TerminateJobFlows.
MAX_CANCELLED = 256
MAX_ADDED = 50
MAX_TERMINATED = 10
# Steps that are asked for together.
MAX_LISTED = 256


class _Batch:
    """What several threads want in one call."""

    __slots__ = ("answer", "callers", "done", "error", "items")

    def __init__(self) -> None:
        self.callers = 0
        self.items: list[Any] = []
        self.done = threading.Event()
        self.answer: Any = None
        self.error: BaseException | None = None

    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.answer


class GatheredEmr:
    """A client of EMR for many threads that end runs at once. Thread-safe.

    A call goes out at once; those of its sort that are made until its answer comes go out together, as the
    next one. What can't be put together is called as it is.

    :param client: Gives the boto3 client.

    >>> emr = GatheredEmr(lambda: boto3.client("emr"))  # doctest: +SKIP
    >>> emr.cancel_steps(ClusterId="j-1", StepIds=["s-1"])  # doctest: +SKIP
    """

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._open: dict[Hashable, _Batch] = {}
        self._gates: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many callers wait for their turn."""
        return self._waiting

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client(), name)

    def cancel_steps(self, *, ClusterId: str, StepIds: Sequence[str], **options: Any) -> dict[str, Any]:
        """CancelSteps."""

        def send(step_ids: Sequence[str]) -> dict[str, Any]:
            answer = self._client().cancel_steps(ClusterId=ClusterId, StepIds=list(step_ids), **options)
            return {info.get("StepId"): info for info in answer.get("CancelStepsInfoList") or ()}

        key = ("CancelSteps", ClusterId, *sorted(options.items()))
        found = self._one_by_one(key, StepIds, send, MAX_CANCELLED)
        return {"CancelStepsInfoList": [found[one] for one in StepIds if one in found]}

    def list_steps(self, *, ClusterId: str, **request: Any) -> dict[str, Any]:
        """ListSteps; steps that are asked for by id come without their arguments."""
        if set(request) == {"StepIds"}:
            wanted = request["StepIds"]

            def find(step_ids: Sequence[str]) -> dict[str, Any]:
                return find_steps(self._client(), ClusterId, list(dict.fromkeys(step_ids)), StepMemory())

            key: Hashable = ("ListSteps by id", ClusterId)  # its answer is of another shape than a page's
            found, _ = self._together(key, wanted, find, MAX_LISTED)
            return {"Steps": [found[one] for one in wanted if one in found]}
        key = ("ListSteps", ClusterId, *((name, str(value)) for name, value in sorted(request.items())))
        return self._same(key, lambda: self._client().list_steps(ClusterId=ClusterId, **request))

    def describe_cluster(self, *, ClusterId: str) -> dict[str, Any]:
        """DescribeCluster."""
        key = ("DescribeCluster", ClusterId)
        return self._same(key, lambda: self._client().describe_cluster(ClusterId=ClusterId))

    def add_job_flow_steps(
        self,
        *,
        JobFlowId: str,
        Steps: Sequence[Any],
        **options: Any,
    ) -> dict[str, Any]:
        """AddJobFlowSteps. An error is everybody's: nobody sends again what may have come through."""

        def send(steps: Sequence[Any]) -> list[str]:
            answer = self._client().add_job_flow_steps(JobFlowId=JobFlowId, Steps=list(steps), **options)
            return list(answer["StepIds"])

        key = ("AddJobFlowSteps", JobFlowId, str(sorted(options.items())))
        ids, start = self._together(key, Steps, send, MAX_ADDED)
        return {"StepIds": ids[start : start + len(Steps)]}

    def terminate_job_flows(self, *, JobFlowIds: Sequence[str]) -> dict[str, Any]:
        """TerminateJobFlows."""

        def send(cluster_ids: Sequence[str]) -> dict[str, Any]:
            answer: dict[str, Any] = self._client().terminate_job_flows(JobFlowIds=list(cluster_ids))
            return answer

        return self._one_by_one(("TerminateJobFlows",), JobFlowIds, send, MAX_TERMINATED)

    def _same(self, key: Hashable, send: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Make a call for all who want the same."""
        answer, _ = self._together(key, (), lambda _: send(), 1)
        found: dict[str, Any] = answer
        return found

    def _one_by_one(
        self, key: Hashable, items: Sequence[str], send: Callable[[Sequence[str]], dict[str, Any]], most: int
    ) -> dict[str, Any]:
        """Make a call together; alone where AWS does not take it because of somebody else's part of it."""
        batch, _ = self._join(key, items, send, most)
        others = len(batch.items) > len(items)
        if others and batch.error and is_aws_error(batch.error) and not is_transient(batch.error):
            return send(items)
        found: dict[str, Any] = batch.result()
        return found

    def _together(
        self, key: Hashable, items: Sequence[Any], send: Callable[[Sequence[Any]], Any], most: int
    ) -> tuple[Any, int]:
        """Make a call with what others want too; gives its answer, and where in it the own items begin."""
        batch, start = self._join(key, items, send, most)
        return batch.result(), start

    def _join(
        self, key: Hashable, items: Sequence[Any], send: Callable[[Sequence[Any]], Any], most: int
    ) -> tuple[_Batch, int]:
        with self._lock:
            batch = self._open.get(key)
            leads = batch is None or len(batch.items) + len(items) > most
            if batch is None or leads:
                batch = self._open[key] = _Batch()
            start = len(batch.items)
            batch.items.extend(items)
            batch.callers += 1
            gate = self._gates.get(key)
            if gate is None:
                gate = self._gates[key] = threading.Lock()
            self._waiting += 1
        if leads:
            with gate:  # while another call is on its way, this one grows
                self._send(key, batch, send)
        else:
            batch.done.wait()
        return batch, start

    def _send(self, key: Hashable, batch: _Batch, send: Callable[[Sequence[Any]], Any]) -> None:
        with self._lock:
            self._waiting -= batch.callers
            if self._open.get(key) is batch:
                del self._open[key]
        try:
            batch.answer = send(batch.items)
        except BaseException as error:  # those who wait have to learn of any
            batch.error = error
        finally:
            batch.done.set()
