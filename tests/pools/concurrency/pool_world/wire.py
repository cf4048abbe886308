"""A process's AWS clients: each call takes time, and may go wrong in all the ways that a call can."""

from __future__ import annotations

from functools import cache, partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from airflow_provider_emrkit.hooks.errors import is_transient
from pool_world.errors import cut_off, refused, timed_out
from pool_world.faults import CALM, Faults, Strike

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pool_world.scheduler import Process

# Seconds after which a client waits no more for an answer, as hooks/clients.py sets it.
READ_TIMEOUT = 60.0
# As botocore: what can be tried again is, unless the client is made without.
ATTEMPTS = 5
LATENCY: Mapping[str, tuple[float, float]] = {"s3": (0.02, 0.08), "emr": (0.08, 0.4)}
# What one would look for in a trace.
SHOWN = ("JobFlowId", "JobFlowIds", "ClusterId", "IfMatch", "IfNoneMatch", "Name")


class Clients:
    """The AWS clients of one process.

    :param services: What carries out the requests, by service.
    :param faults: What goes wrong.
    """

    region_name = "us-east-1"
    has_own_endpoint = True

    def __init__(self, process: Process, services: Mapping[str, Any], faults: Faults) -> None:
        self.process = process
        self.services = services
        self.faults = faults

    def client(self, service: str, *, retries: bool = True) -> Any:
        """Give the client of a service."""
        return Client(self, service, ATTEMPTS if retries else 1)


class Client:
    """The client of one service, with botocore's manners."""

    def __init__(self, clients: Clients, service: str, attempts: int) -> None:
        self._clients = clients
        self._service = service
        self._attempts = attempts

    @property
    def meta(self) -> Any:
        """What botocore knows of the service."""
        return _meta(self._service)

    exceptions = SimpleNamespace(ClientError=ClientError)

    def __getattr__(self, call: str) -> Any:
        if call.startswith("_"):
            raise AttributeError(call)
        getattr(self._clients.services[self._service], call)
        return partial(self._call, call)

    def _call(self, call: str, **request: Any) -> Any:
        for attempt in range(1, self._attempts + 1):
            try:
                return self._attempt(call, request)
            except Exception as error:
                if attempt == self._attempts or not is_transient(error):
                    raise
            self._clients.process.sleep(self._clients.process.world.random.uniform(0.2, 2.0))
        raise AssertionError

    def _attempt(self, call: str, request: dict[str, Any]) -> Any:
        clients = self._clients
        clients.process.check()
        strike = clients.faults.strike(call)
        return _Exchange(clients.process, clients.services, self._service, call, request, strike).run()


@cache
def _meta(service: str) -> Any:
    import boto3

    return boto3.client(service, region_name="us-east-1").meta


class _Exchange:
    """One request on its way, and its answer."""

    def __init__(
        self,
        process: Process,
        services: Mapping[str, Any],
        service: str,
        call: str,
        request: dict[str, Any],
        strike: Strike,
    ) -> None:
        self._process = process
        self._world = process.world
        self._services = services
        self._service = service
        self._call = call
        self._request = request
        self._strike = strike
        self._answer: Any = None
        self._error: Exception | None = None

    def run(self) -> Any:
        kind = self._strike.kind
        if self._strike is CALM:
            return self._exchange()
        act: Callable[[], Any] = getattr(self, "_" + kind.replace(", ", "_").replace(" ", "_"))
        self._note(f"[{kind} {self._strike.seconds:.0f}]")
        return act()

    # --- the ways of a call ------------------------------------------------------------------------------

    def _exchange(self) -> Any:
        there, back = (self._latency() / 2 for _ in range(2))
        self._world.at(there, self._carry_out)
        self._process.sleep(there + back)
        if self._error is not None:
            raise self._error
        return self._answer

    def _carry_out(self) -> None:
        """Let the request take effect, now."""
        try:
            self._answer = getattr(self._services[self._service], self._call)(**self._request)
            self._note("ok")
        except Exception as error:
            self._error = error
            self._note(str(error))

    def _without_answer(self) -> Any:
        if self._strike.waits:
            self._process.sleep(READ_TIMEOUT)
            raise timed_out()
        self._process.sleep(self._latency())
        raise cut_off()

    def _die_before(self) -> None:
        self._process.die()

    def _die_after(self) -> None:
        self._world.at(self._latency(), self._carry_out)
        self._process.die()

    def _die_late(self) -> None:
        self._world.at(self._strike.seconds, self._carry_out)
        self._process.die()

    def _stall_before(self) -> Any:
        self._process.sleep(self._strike.seconds)
        return self._exchange()

    def _stall_after(self) -> Any:
        self._world.at(self._latency(), self._carry_out)
        self._process.sleep(self._strike.seconds + 0.5)
        if self._error is not None:
            raise self._error
        return self._answer

    def _lost_request(self) -> Any:
        return self._without_answer()

    def _lost_answer(self) -> Any:
        self._world.at(self._latency() / 2, self._carry_out)
        return self._without_answer()

    def _late(self) -> Any:
        self._world.at(self._strike.seconds, self._carry_out)
        return self._without_answer()

    def _slow(self) -> Any:
        self._process.sleep(self._strike.seconds)
        return self._exchange()

    def _throttled(self) -> Any:
        self._process.sleep(self._latency())
        code = "SlowDown" if self._service == "s3" else "ThrottlingException"
        raise self._refusal(code, "Rate exceeded")

    def _throttled_but_done(self) -> Any:
        self._world.at(self._world.random.uniform(0.0, 20.0), self._carry_out)
        return self._throttled()

    def _fault(self) -> Any:
        self._process.sleep(self._latency())
        raise self._refusal("InternalError" if self._service == "s3" else "InternalFailure", "Try again")

    def _fault_but_done(self) -> Any:
        self._world.at(self._latency() / 2, self._carry_out)
        return self._fault()

    def _conflict(self) -> Any:
        self._process.sleep(self._latency())
        raise self._refusal("ConditionalRequestConflict", "A conflicting operation is in progress")

    def _refused(self) -> Any:
        self._process.sleep(self._latency())
        raise self._refusal("ValidationException", "The request is refused.")

    # --- helpers of these --------------------------------------------------------------------------------

    def _refusal(self, code: str, message: str) -> Exception:
        return refused(code, message, self._services["s3"].date)

    def _latency(self) -> float:
        return self._world.random.uniform(*LATENCY[self._service])

    def _note(self, what: str) -> None:
        self._world.note(self._process.name, self._call, self._request, what)
