"""EMR's token buckets.

Their sizes: https://docs.aws.amazon.com/general/latest/gr/emr.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# (burst, refill per second)
Quota = tuple[float, float]

ACCOUNT = "*"

# An account whose quotas nobody has raised.
EMR_DEFAULTS: Mapping[str, Quota] = {
    ACCOUNT: (25, 5.0),
    "DescribeStep": (10, 0.5),
    "ListSteps": (10, 0.5),
    "ListClusters": (20, 0.5),
    "DescribeCluster": (10, 1.0),
}


@dataclass
class Bucket:
    """Holds up to ``burst`` tokens and gets ``refill`` of them a second; full at first.

    >>> bucket = Bucket(1, 0.5)
    >>> [bucket.has_one(0.0), bucket.take(0.0), bucket.has_one(1.0), bucket.has_one(2.0)]
    [True, None, False, True]
    """

    burst: float
    refill: float
    _tokens: float = field(init=False)
    _at: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._tokens = self.burst

    def has_one(self, now: float) -> bool:
        """Tell whether a call may pass.

        :param now: Seconds that only go up.
        """
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.refill)
        self._at = now
        return self._tokens >= 1.0

    def take(self, now: float) -> None:
        """Take a token for a call that passes."""
        if self.has_one(now):
            self._tokens -= 1.0


class Throttle:
    """Decides which calls pass: one needs a token of its operation's bucket and of the account's.

    :param quotas: By operation, and :data:`ACCOUNT` for all operations that are listed taken together.
        Operations that are not listed are not throttled.
    """

    def __init__(self, quotas: Mapping[str, Quota]) -> None:
        self._buckets = {operation: Bucket(*quota) for operation, quota in quotas.items()}

    def passes(self, operation: str, now: float) -> bool:
        """Let a call pass, or not; one that does not pass costs no token."""
        if operation not in self._buckets:
            return True
        needed = [self._buckets[name] for name in (operation, ACCOUNT) if name in self._buckets]
        if not all(bucket.has_one(now) for bucket in needed):
            return False
        for bucket in needed:
            bucket.take(now)
        return True
