"""What the processes that use a pool tell each other, beside what EMR knows: the content of the lease."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Deed = Literal["start", "place"]

log = logging.getLogger(__name__)

VERSION = 1
# Seconds after which what a process has told of its waiting jobs does not count any more.
WAITING_LIFE = 60.0
# Seconds that a placed job is remembered: those who wait look several times meanwhile.
PLACED_MEMORY = 600.0
# Of a record that is read: a longer one was not written by emrkit.
MAX_BYTES = 16 * 1024 * 1024
MAX_WAITING = 500
# Seconds after which a claimed request can't take effect any more: AWS refuses what was signed more than five
# minutes ago, and lists late.
CLAIM_LIFE = 420.0
# Of the seconds since when something waits.
DIGITS = 3
_MAX_PROCESSES = 1_000
_MAX_CLAIMS = 10_000
_MAX_PLACED = 1_000
_MAX_DRAINING = 10_000
_MAX_SPECS = 1_000
_MAX_TEXT = 200
_MAX_FENCE = 2**53
# Of what a later version has written beside what is known here.
_MAX_OTHERS = 64 * 1024


@dataclass(frozen=True)
class Claim:
    """What a holder of the lease is about to do, or may have done without an answer.

    EMR can't be told to do a thing once, and a process may stall or die between any two lines. So what is
    to be done is written down first, by a write that only the holder of the lease can make. Whoever holds the
    lease later counts it as done until EMR lists it, or until it can't take effect any more.

    :param deed: ``start`` a cluster, or ``place`` a job on one.
    :param id: The start's id (:attr:`PoolMark.start`), or the job's run token.
    :param cluster_id: The cluster, where it is known.
    :param until: When it can't take effect any more, in seconds since 1970 by S3's clock.

    >>> Claim("place", "c66c9179a54ad449-0-1", "j-1", 1_000.0).deed
    'place'
    """

    deed: Deed
    id: str
    cluster_id: str
    until: float


@dataclass(frozen=True)
class Waiting:
    """The jobs that one process has waiting for the pool.

    :param seen: When it told so, in seconds since 1970 by S3's clock; of a process that is gone it gets old.
    :param since: Since when each of them waits, in seconds since 1970, the oldest first; at most 500.

    >>> len(Waiting(1_000.0, since=(990.0, 995.5)).since)
    2
    """

    seen: float
    since: tuple[float, ...]


@dataclass(frozen=True)
class PoolRecord:
    """What is known about a pool that EMR does not know. Plain JSON both ways.

    :param holder: Who holds the lease; empty for nobody.
    :param fence: Counts how often the lease was taken.
    :param claims: What may be under way.
    :param draining: Clusters that get no more work, and are ended when they have none.
    :param placed: Claims of jobs that are over, since EMR has listed the job, or can't get it any more. Two
        processes may wait with the same job, when one was taken for dead: the other one looks there first.
    :param waiting: Jobs that wait, by process.
    :param specs: When each spec was last used for a job, in seconds since 1970 by S3's clock.
    :param nonce: Tells one write of the record from any other.
    :param taken: Since when the lease is held, in seconds since 1970 by S3's clock.
    :param seconds: How long after its last write it is the holder's.
    :param others: What a later version of emrkit has written; kept as it is.

    >>> PoolRecord.from_json(PoolRecord(fence=3).to_json()).fence
    3
    """

    holder: str = ""
    fence: int = 0
    claims: tuple[Claim, ...] = ()
    draining: frozenset[str] = frozenset()
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    specs: Mapping[str, float] = field(default_factory=dict)
    placed: tuple[Claim, ...] = ()
    nonce: str = field(default="", compare=False)
    taken: float = field(default=0.0, compare=False)
    seconds: float = field(default=0.0, compare=False)
    others: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def by(self, now: float) -> PoolRecord:
        """Give the record with no time in it that no process can have written by now.

        What is damaged, or was written by a clock that is ahead, must not block a pool for ever.

        :param now: Seconds since 1970 by S3's clock.
        """

        def ending(claims: Iterable[Claim], life: float) -> tuple[Claim, ...]:
            return tuple(replace(claim, until=min(claim.until, now + life)) for claim in claims)

        return replace(
            self,
            claims=ending(self.claims, CLAIM_LIFE),
            placed=ending(self.placed, PLACED_MEMORY),
            waiting={name: replace(one, seen=min(one.seen, now)) for name, one in self.waiting.items()},
            specs={spec: min(at, now) for spec, at in self.specs.items()},
        )

    def claims_to(self, deed: Deed) -> tuple[Claim, ...]:
        """Give the claims of one kind."""
        return tuple(claim for claim in self.claims if claim.deed == deed)

    def remembering(self, over: Iterable[Claim], now: float) -> PoolRecord:
        """Give the record with claims of jobs that are over, so that nobody places these jobs again.

        :param now: Seconds since 1970 by S3's clock.
        """
        ended = {
            claim.id: replace(claim, until=now + PLACED_MEMORY) for claim in over if claim.deed == "place"
        }
        placed = [claim for claim in self.placed if claim.until > now and claim.id not in ended]
        claims = tuple(claim for claim in self.claims if claim.deed != "place" or claim.id not in ended)
        return replace(self, claims=claims, placed=(*placed, *ended.values()))

    def to_json(self) -> str:
        """Write it, within its bounds: of too much, what matters least is left out."""
        waiting = sorted(self.waiting.items(), key=lambda item: item[1].seen, reverse=True)
        specs = sorted(self.specs.items(), key=lambda item: item[1], reverse=True)
        claims = self.claims
        if len(claims) > _MAX_CLAIMS:
            claims = tuple(sorted(claims, key=lambda claim: claim.until, reverse=True)[:_MAX_CLAIMS])
        own = {
            "holder": self.holder,
            "fence": self.fence,
            "claims": [vars(claim) for claim in claims],
            "placed": [vars(claim) for claim in self.placed[-_MAX_PLACED:]],
            "draining": sorted(self.draining)[:_MAX_DRAINING],
            "waiting": {process: _waiting_json(jobs) for process, jobs in waiting[:_MAX_PROCESSES]},
            "specs": dict(specs[:_MAX_SPECS]),
            "nonce": self.nonce,
            "taken": self.taken,
            "seconds": self.seconds,
        }
        return json.dumps({"version": VERSION, **self.others, **own}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> PoolRecord:
        """Read it; what can't be right is left out.

        The log warns of it, and no more: nobody can mend it, and the pool must not stand still for ever.
        """
        data = _parsed(text)
        reader = _Reader()
        record = cls(
            holder=reader.text(data.get("holder", "")),
            fence=int(reader.number(data.get("fence", 0), _MAX_FENCE)),
            claims=tuple(reader.claims(data.get("claims", []))),
            placed=tuple(reader.claims(data.get("placed", []))),
            draining=frozenset(reader.texts(data.get("draining", []), _MAX_DRAINING)),
            waiting=dict(reader.waiting(data.get("waiting", {}))),
            specs=dict(reader.specs(data.get("specs", {}))),
            nonce=reader.text(data.get("nonce", "")),
            taken=reader.number(data.get("taken", 0.0)),
            seconds=reader.number(data.get("seconds", 0.0)),
            others=reader.others(data, cls.__dataclass_fields__),
        )
        if reader.strange:
            log.warning(
                "%d parts of a pool's record can't be read, and are left out: other things than emrkit "
                "write to it, or a version that is not compatible",
                reader.strange,
            )
        return record


def _waiting_json(waiting: Waiting) -> dict[str, Any]:
    return {
        "seen": round(waiting.seen, DIGITS),
        "since": [round(since, DIGITS) for since in sorted(waiting.since)[:MAX_WAITING]],
    }


def _parsed(text: str | bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(text) if len(text) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        log.warning("a pool's record is no JSON object of at most %d bytes, and counts as empty", MAX_BYTES)
        return {}
    return data


class _Reader:
    """Reads what may be anything; counts what was not as it should be."""

    def __init__(self) -> None:
        self.strange = 0

    def text(self, value: object) -> str:
        if isinstance(value, str) and len(value) <= _MAX_TEXT and value.isprintable():
            return value
        self.strange += 1
        return ""

    def number(self, value: object, maximum: float = 1e12) -> float:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_number and 0 <= value <= maximum and math.isfinite(value):  # type: ignore[operator,arg-type]
            return float(value)  # type: ignore[arg-type]
        self.strange += 1
        return 0.0

    def texts(self, value: object, maximum: int) -> Iterable[str]:
        return filter(None, map(self.text, self._list(value, maximum)))

    def claims(self, value: object) -> Iterable[Claim]:
        for item in self._list(value, _MAX_CLAIMS):
            data = self._dict(item)
            claim_id, deed = self.text(data.get("id")), data.get("deed")
            if claim_id and (deed == "start" or deed == "place"):
                until = self.number(data.get("until"))
                yield Claim(deed, claim_id, self.text(data.get("cluster_id", "")), until)
            else:
                self.strange += 1

    def waiting(self, value: object) -> Iterable[tuple[str, Waiting]]:
        for process, item in list(self._dict(value).items())[:_MAX_PROCESSES]:
            data = self._dict(item)
            since = sorted(map(self.number, self._list(data.get("since"), MAX_WAITING)))
            if self.text(process):
                yield process, Waiting(self.number(data.get("seen")), tuple(since))

    def specs(self, value: object) -> Iterable[tuple[str, float]]:
        for spec, used in list(self._dict(value).items())[:_MAX_SPECS]:
            if self.text(spec):
                yield spec, self.number(used)

    def others(self, data: Mapping[str, Any], known: Iterable[str]) -> Mapping[str, Any]:
        others = {name: value for name, value in data.items() if name not in known}
        if others.get("version") == VERSION:
            del others["version"]
        if not others or len(json.dumps(others)) <= _MAX_OTHERS:
            return others
        self.strange += 1
        return {}

    def _list(self, value: object, maximum: int) -> list[Any]:
        if isinstance(value, list) and len(value) <= maximum:
            return value
        self.strange += 1
        return value[:maximum] if isinstance(value, list) else []

    def _dict(self, value: object) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self.strange += 1
        return {}
