"""Who may change a pool: one process at a time, for some seconds, without any service of ours.

The lease is an S3 object that is written only where it is unchanged (``If-Match``) or not there
(``If-None-Match``). Who holds it is in it; how long ago that was written is judged by S3's own clock. A
holder that dies is not waited for longer than the lease lasts. One that comes back late finds that its
condition does not hold any more, so that what it writes does nothing.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import uuid
from collections import deque
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.exceptions import LeaseError
from airflow_provider_emrkit.hooks.conditional_writes import NotFirstError
from airflow_provider_emrkit.hooks.errors import is_denied
from airflow_provider_emrkit.logs.text import one_line
from airflow_provider_emrkit.pools.clock import elapsed
from airflow_provider_emrkit.pools.lease_errors import typed
from airflow_provider_emrkit.pools.lease_object import (
    LeaseObject,
    Seen,
    UnknownOutcomeError,
    passes,
    time_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.compute.pool_mark import PoolPlace
    from airflow_provider_emrkit.pools.record import PoolRecord

log = logging.getLogger(__name__)

SECONDS = 30.0
# S3 tells its times to the second. The holder stops so much earlier, and others take over so much later.
MARGIN = 2.0
# Seconds between two tries to take a lease that is held, and between two tries of a write.
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 2.0
# Tries of a write that takes the lease or gives it back.
TRIES = 4
_REMEMBERED = 100
_LONGEST_LEASE = 600.0


class LeaseLostError(LeaseError):
    """The lease of a pool is not this process's any more; what it was about to do must not be done.

    Nobody needs to mend it; a retry helps.

    >>> LeaseLostError("its time is up").retryable
    True
    """


def _sleep(seconds: float) -> bool:
    return threading.Event().wait(seconds)


class PoolLease:
    """The lease of a pool, for one process. Thread-safe.

    :param s3: boto3 client of S3. Whether it repeats requests does not matter.
    :param place: Which pool.
    :param holder: Who takes it, at most 100 characters; no two processes have the same.
    :param seconds: How long it lasts after each write.
    :param clock: Seconds that have passed, also while the machine was suspended.
    :param pause: Waits some seconds between two tries of a call; gives True when the work is to stop.

    >>> held = PoolLease(s3, place, "worker-1:4711:9f3a").take(10.0, stop.wait)  # doctest: +SKIP
    >>> held.write(replace(held.record, draining=frozenset({"j-1"})))  # doctest: +SKIP
    >>> held.release()  # doctest: +SKIP
    """

    def __init__(
        self,
        s3: Any,
        place: PoolPlace,
        holder: str,
        *,
        seconds: float = SECONDS,
        clock: Callable[[], float] = elapsed,
        pause: Callable[[float], bool] = _sleep,
    ) -> None:
        self.place = place
        self.holder = holder
        self.seconds = seconds
        self.clock = clock
        self.object = LeaseObject(s3, place.uri)
        self._pause = pause
        # Nonces of writes by which this process would hold the lease, and nobody in it does any more.
        self._left: deque[str] = deque(maxlen=_REMEMBERED)

    def read(self) -> PoolRecord:
        """Give the record, without the lease; an empty one where there is none (GetObject).

        :raises LeaseError: when S3 refuses, or does not answer.
        """
        try:
            return self.object.look().record
        except Exception as error:
            raise self.typed(error, "read") from error

    def try_take(self) -> HeldLease | None:
        """Take the lease, or give None when somebody else has it (GetObject, PutObject).

        :raises LeaseError: when S3 refuses, or does not answer.
        """
        try:
            taken = self._try(self._pause)
        except Exception as error:
            raise self.typed(error, "taken") from error
        return taken if isinstance(taken, HeldLease) else None

    def take(self, patience: float, pause: Callable[[float], bool]) -> HeldLease:
        """Take the lease, once whoever has it gives it back or is late.

        :param patience: Seconds to wait for it; with 0 there is one try.
        :param pause: Waits some seconds; gives True when the work is to stop.
        :raises LeaseError: when it stays taken, or S3 refuses or does not answer.
        """
        end = self.clock() + patience
        longest = FIRST_PAUSE
        while True:
            outcome = self._try_or_tell(pause)
            if isinstance(outcome, HeldLease):
                return outcome
            left = end - self.clock()
            if left <= 0 or pause(min(left, longest * random.uniform(0.5, 1.0))):
                raise outcome
            longest = min(LONGEST_PAUSE, 2 * longest)

    def leave(self, nonce: str) -> None:
        """Note that nobody here holds the lease by this write, whatever became of it."""
        self._left.append(nonce)

    def typed(self, error: Exception, done: str) -> Exception:
        """Give emrkit's error for one of S3; any other as it is.

        :param done: What could not be done with the lease, e.g. ``taken``.
        """
        return typed(error, f"{self._named} could not be {done}", self.place.uri)

    @property
    def _named(self) -> str:
        return f"the lease of pool {self.place.name} ({self.place.uri})"

    def _try_or_tell(self, pause: Callable[[float], bool]) -> HeldLease | Exception:
        try:
            return self._try(pause)
        except Exception as error:
            if not passes(error) and not isinstance(error, UnknownOutcomeError):
                raise self.typed(error, "taken") from error
            return self.typed(error, "taken")

    def _try(self, pause: Callable[[float], bool]) -> HeldLease | LeaseError:
        seen, unreadable = self._look()
        if self._is_held(seen):
            return LeaseError(self.held_words(seen))
        sent = self.clock()
        record = replace(
            seen.record,
            holder=self.holder,
            fence=seen.record.fence + 1,
            nonce=uuid.uuid4().hex,
            taken=seen.at,
            seconds=self.seconds,
        )
        try:
            written = self.object.put_surely(record, seen.etag, some_tries(pause))
        except NotFirstError:
            if unreadable:
                raise unreadable from None
            return LeaseError(f"{self._named} was taken by another process just now")
        except BaseException:
            self.leave(record.nonce)
            raise
        held = HeldLease(self, written, sent, pause)
        if held.remaining() <= 0:
            self.leave(record.nonce)
            return LeaseError(f"{self._named} could not be taken in time: S3 answers slowly")
        return held

    def _look(self) -> tuple[Seen, Exception | None]:
        from botocore.exceptions import ClientError

        try:
            return self.object.look(), None
        except ClientError as error:
            if not is_denied(error):
                raise
            # Without s3:ListBucket, S3 says so of an object that is not there, too; writing it will tell.
            with contextlib.suppress(LeaseError):  # but S3 may not be who has refused
                return Seen("", time_of(error.response)), error
            raise

    def _is_held(self, seen: Seen) -> bool:
        record = seen.record
        lasts = min(record.seconds, _LONGEST_LEASE) or self.seconds
        return bool(record.holder) and record.nonce not in self._left and seen.age < lasts + MARGIN

    def held_words(self, seen: Seen) -> str:
        """Tell people who holds the lease, and since when."""
        record = seen.record
        since = datetime.fromtimestamp(min(record.taken, seen.at), timezone.utc)
        return (
            f"{self._named} is held by {one_line(record.holder, 100)} since {since:%Y-%m-%d %H:%M:%S} UTC; "
            f"it was last written {max(0.0, seen.age):.0f} s ago"
        )


class HeldLease:
    """A lease that this process has taken. For one thread.

    :param lease: Whose it is.
    :param written: The object as the lease was taken.
    :param sent: When that was sent, by the lease's clock.
    :param pause: Waits some seconds between two tries of a call; gives True when the work is to stop.

    >>> held.remaining() > 0  # doctest: +SKIP
    True
    """

    def __init__(self, lease: PoolLease, written: Seen, sent: float, pause: Callable[[float], bool]) -> None:
        self._lease = lease
        self._pause = pause
        self._lost = ""
        self._ahead = float("-inf")
        self._note(written, sent)

    @property
    def now(self) -> float:
        """The time by S3's clock, in seconds since 1970."""
        return self._lease.clock() + self._ahead

    def remaining(self) -> float:
        """Give the seconds for which nobody else can take the lease; not above 0 when it is lost."""
        return 0.0 if self._lost else self._end - self._lease.clock()

    def check(self) -> None:
        """Make sure that the lease is still this process's.

        :raises LeaseLostError: when it is not, or may not be.
        """
        if self.remaining() <= 0:
            self._lose(self._lost or f"its {self._lease.seconds:.0f} seconds are up")

    def write(self, record: PoolRecord) -> None:
        """Write the record, and have the lease for longer (PutObject).

        :param record: Holder and fence stay what they are.
        :raises LeaseLostError: when the lease was lost; nothing is written, as far as can be found out.
        :raises LeaseError: when S3 refuses; nothing is written, and the lease is still held.
        """
        self.check()
        tries = some_tries(self._pause)
        self._store(self._own(record), lambda: self.remaining() > 0 and tries())

    def release(self, record: PoolRecord | None = None) -> None:
        """Give the lease back (PutObject). Idempotent.

        Where it was lost nothing is written; where S3 does not do it, the lease ends by itself.

        :param record: The last state; by default what was last read or written.
        """
        if self._lost:
            return
        # From now on: whether it is done is known later.
        self._lost = "it was given back"
        last = replace(self._own(record or self.record), holder="", taken=0.0)
        try:
            self._store(last, some_tries(self._pause))
        except LeaseLostError as error:
            log.info("%s", error)
        except LeaseError as error:
            log.warning("%s; it ends by itself in %.0f seconds", error, self._lease.seconds)
        self._lease.leave(self.record.nonce)

    def remove(self) -> None:
        """Remove the object with all that is in it, where it is as this process wrote it (DeleteObject).

        :raises LeaseLostError: when the lease was lost, or S3 does not tell what became of it.
        :raises LeaseError: when S3 refuses.
        """
        self.check()
        try:
            self._lease.object.remove(self._etag)
        except NotFirstError as error:
            self._lose("somebody else has written it meanwhile, or it is gone already", error)
        except Exception as error:
            if passes(error):
                self._lose(f"S3 does not tell whether it was removed: {one_line(str(error))}", error)
            raise self._lease.typed(error, "removed") from error
        self._lost = "it was removed"

    def _own(self, record: PoolRecord) -> PoolRecord:
        own = self.record
        return replace(
            record,
            holder=own.holder,
            fence=own.fence,
            nonce=uuid.uuid4().hex,
            taken=own.taken,
            seconds=own.seconds,
            others=record.others or own.others,
        )

    def _store(self, record: PoolRecord, once_more: Callable[[], bool]) -> None:
        sent = self._lease.clock()
        try:
            written = self._lease.object.put_surely(record, self._etag, once_more)
        except NotFirstError as error:
            self._lose(f"{one_line(str(error), 100) or 'somebody else'} has taken it meanwhile", error)
        except UnknownOutcomeError as error:
            self._lease.leave(record.nonce)
            self._lose(f"S3 does not tell what became of a write: {one_line(str(error))}", error)
        except Exception as error:
            raise self._lease.typed(error, "written") from error
        else:
            self._note(written, sent)

    def _note(self, written: Seen, sent: float) -> None:
        # From before it was sent: S3 dates it later. Of S3's times, the one that took least to arrive.
        self.record = written.record
        self._etag = written.etag
        self._end = sent + self._lease.seconds - MARGIN
        self._ahead = max(self._ahead, written.at - self._lease.clock())

    def _lose(self, why: str, cause: Exception | None = None) -> None:
        self._lost = why
        self._lease.leave(self.record.nonce)
        place = self._lease.place
        raise LeaseLostError(f"the lease of pool {place.name} ({place.uri}) was lost: {why}") from cause


def some_tries(pause: Callable[[float], bool]) -> Callable[[], bool]:
    """Give what waits between the tries of a write, and tells when it has been tried enough."""
    longest = iter(FIRST_PAUSE * 2**number for number in range(TRIES - 1))

    def once_more() -> bool:
        seconds = next(longest, None)
        return seconds is not None and not pause(seconds * random.uniform(0.5, 1.0))

    return once_more
