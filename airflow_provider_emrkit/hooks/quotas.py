"""Keeps calls to the rates that AWS allows, so that it need not throttle them."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# The bucket that all operations of EMR share.
ACCOUNT = "EMR"


def _documented() -> dict[str, tuple[float, float]]:
    """Read calls at once and calls a second, as documented for an account and region.

    https://docs.aws.amazon.com/general/latest/gr/emr.html, …/emr-serverless.html and …/cwl_region.html; of
    CloudWatch Logs the lowest of all regions.
    """
    table = json.loads(Path(__file__).parent.with_name("api_quotas.json").read_text(encoding="utf-8"))
    return {
        ACCOUNT if operation == "*" else operation: (burst, refill)
        for limits in table.values()
        for operation, (burst, refill) in limits.items()
    }


DEFAULTS: Mapping[str, tuple[float, float]] = _documented()

# Seconds a call is held back at most: a caller that has to wait longer learns from AWS that it is too much.
LONGEST_WAIT = 30.0

_THROTTLED = ("Throttl", "RequestLimitExceeded", "TooManyRequests", "SlowDown")


class TokenBucket:
    """A rate that may be exceeded for a moment. Thread-safe.

    :param burst: Calls at once.
    :param refill: Calls a second, for ever.
    :param clock: Seconds that only go up.

    >>> bucket = TokenBucket(burst=2, refill=0.5)
    >>> [round(bucket.take()) for _ in range(3)]
    [0, 0, 2]
    """

    __slots__ = ("_clock", "_lock", "_seen", "_tokens", "burst", "refill")

    def __init__(self, burst: float, refill: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.burst = burst
        self.refill = refill
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = float(burst)
        self._seen = clock()

    def take(self) -> float:
        """Take a token; gives the seconds to wait before it may be used. Those who wait go in their order."""
        with self._lock:
            self._fill()
            # Nobody is held back for longer, so that nobody's turn is later either.
            self._tokens = max(self._tokens - 1, -LONGEST_WAIT * self.refill)
            return max(0.0, -self._tokens / self.refill)

    def drain(self) -> None:
        """Take all tokens: AWS has said that there are none. Others of the account use them too."""
        with self._lock:
            self._fill()
            self._tokens = min(self._tokens, 0.0)

    @property
    def tokens(self) -> float:
        """How many tokens there are; below 0 when calls wait for some."""
        with self._lock:
            self._fill()
            return self._tokens

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self.burst, self._tokens + (now - self._seen) * self.refill)
        self._seen = now


@dataclass
class Quotas:
    """The buckets of one account and region, as far as this process uses them. Thread-safe.

    :param limits: Calls at once and calls a second, by operation; :data:`ACCOUNT` for all of EMR together.
    :param clock: Seconds that only go up.
    :param pause: Waits some seconds, whatever happens.

    >>> Quotas(DEFAULTS).spare("ListSteps")
    1.0
    """

    limits: Mapping[str, tuple[float, float]]
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], object] = field(default_factory=lambda: threading.Event().wait)

    def __post_init__(self) -> None:
        self._buckets = {name: TokenBucket(*limit, self.clock) for name, limit in self.limits.items()}

    def spare(self, operation: str) -> float:
        """Tell how much of an operation's burst is left, from 0 to 1; 1 for one without a quota."""
        bucket = self._buckets.get(operation)
        return 1.0 if bucket is None else max(0.0, bucket.tokens / bucket.burst)

    def seconds_until(self, operation: str) -> float:
        """Tell when a call may be made, without making it."""
        bucket = self._buckets.get(operation)
        return 0.0 if bucket is None else max(0.0, (1 - bucket.tokens) / bucket.refill)

    def hold_back(self, service: str, operation: str) -> None:
        """Wait until a call may be made; blocks."""
        wait = max((bucket.take() for bucket in self._shared_by(service, operation)), default=0.0)
        if wait > 0:
            self.pause(wait)

    def throttled(self, operation: str) -> None:
        """Learn that AWS has refused a call for its rate."""
        bucket = self._buckets.get(operation)
        if bucket is not None:
            bucket.drain()

    def _shared_by(self, service: str, operation: str) -> list[TokenBucket]:
        names = [operation, ACCOUNT] if service == "emr" else [operation]
        return [self._buckets[name] for name in names if name in self._buckets]


def install(client: Any, quotas: Quotas) -> None:
    """Make a boto3 client keep to quotas, with each attempt of each call.

    :param client: boto3 client; the thread that makes a call waits until it may.
    """
    model = client.meta.service_model

    def hold_back(operation_name: str, **_: Any) -> None:
        quotas.hold_back(model.service_name, operation_name)

    def learn(event_name: str, parsed_response: Mapping[str, Any] | None = None, **_: Any) -> None:
        if is_throttled(parsed_response):
            quotas.throttled(event_name.rpartition(".")[2])

    # Before the request is signed: a signature is valid for minutes only.
    client.meta.events.register_first(f"request-created.{model.service_id.hyphenize()}", hold_back)
    client.meta.events.register("response-received", learn)


def is_throttled(response: Mapping[str, Any] | None) -> bool:
    """Tell whether AWS's answer refuses a call for its rate.

    >>> is_throttled({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}})
    True
    """
    error = (response or {}).get("Error") or {}
    code, message = str(error.get("Code") or ""), str(error.get("Message") or "")
    return code.startswith(_THROTTLED) or "rate exceeded" in message.lower()


def read_limits(text: str) -> dict[str, tuple[float, float]]:
    """Read ``[emrkit] api_quotas``: the documented quotas, and what is set instead of them.

    :raises InvalidValueError: when it can't be right.

    >>> read_limits('{"ListSteps": [20, 1]}')["ListSteps"]
    (20.0, 1.0)
    """
    mend = 'write a JSON object of operation: [calls at once, calls a second], like {"ListSteps": [20, 1.0]}'
    try:
        given = json.loads(text) if text.strip() else {}
    except ValueError:
        raise InvalidValueError("[emrkit]", "api_quotas", text, "is not JSON", mend) from None
    if not isinstance(given, dict):
        raise InvalidValueError("[emrkit]", "api_quotas", text, "is not a JSON object", mend)
    limits = dict(DEFAULTS)
    for operation, limit in given.items():
        if not _is_limit(limit):
            problem = "is not two numbers, at least 1 and above 0"
            raise InvalidValueError("[emrkit]", f"api_quotas.{operation}", limit, problem, mend)
        limits[operation] = (float(limit[0]), float(limit[1]))
    return limits


def _is_limit(limit: Any) -> bool:
    if not isinstance(limit, list) or len(limit) != 2:
        return False
    if not all(isinstance(part, (int, float)) and not isinstance(part, bool) for part in limit):
        return False
    burst, refill = float(limit[0]), float(limit[1])
    return 1 <= burst < float("inf") and 0 < refill < float("inf")
