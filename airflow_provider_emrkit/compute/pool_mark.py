"""Which pool a cluster belongs to: told by its name, since EMR lists names and no tags."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from airflow_provider_emrkit.compute.tags import MAX_VALUE
from airflow_provider_emrkit.validation import InvalidValueError

PREFIX = " emrkit-pool:"
# Names of pools and teams: they stand in clusters' names, tags and S3 keys.
SHORT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)

# An address that a tag can hold, too.
_S3_URI = re.compile(r"s3[an]?://[\w.-]+(/[\w.:/=+@-]*)?")
_MARKED = re.compile(
    rf" emrkit-pool:(?P<pool>{SHORT_NAME.pattern})/(?P<place>[0-9a-f]{{8}})/(?P<spec>[0-9a-f]{{12}})"
    r"/(?P<capacity>\d+-\d+-\d+)/(?P<start>[0-9a-f]{12})\Z",
    re.ASCII,
)


@dataclass(frozen=True)
class PoolPlace:
    """Where a pool is kept. Airflow environments that name the same place share the pool.

    :param name: The pool.
    :param team: Whose it is; empty for everybody's.
    :param uri: The S3 object of its lease, ``s3://bucket/key``.

    >>> PoolPlace("medium", "", "s3://my-bucket/emrkit/pools/medium.json").key
    '30053d74'
    """

    name: str
    team: str
    uri: str

    @classmethod
    def below(cls, base: str, name: str, team: str = "") -> PoolPlace:
        """Give the place of a pool below an address.

        :param base: ``s3://bucket/prefix``; ``s3a://…`` and slashes at its end make no difference.
        :raises InvalidValueError: when it can't be one, or has what a cluster's tag can't have.

        >>> PoolPlace.below("s3a://my-bucket/emrkit/", "medium", "data").uri
        's3://my-bucket/emrkit/pools/data/medium.json'
        """
        if not _S3_URI.fullmatch(base):
            mend = "write it like s3://my-bucket/emrkit, with letters, digits and _ . : / = + - @"
            raise InvalidValueError("ClusterPool", "lease_uri", base, "can't be the place of a pool", mend)
        parts = urlsplit(base)
        folders = (parts.path.strip("/"), "pools", team)
        uri = f"s3://{parts.netloc}/{'/'.join(folder for folder in folders if folder)}/{name}.json"
        if len(uri) > MAX_VALUE:
            problem = f"is longer than the {MAX_VALUE} characters of a tag"
            raise InvalidValueError("ClusterPool", "lease_uri", uri, problem, "use a shorter lease_uri")
        return cls(name, team, uri)

    @property
    def key(self) -> str:
        """What stands for the place in the names of its clusters: 8 hex digits."""
        text = "\n".join((self.team, self.name, self.uri))
        return hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class PoolMark:
    """What the name of a pool's cluster tells.

    :param pool: Name of the pool.
    :param place: Where it is kept; see :attr:`PoolPlace.key`.
    :param spec: What its clusters are like but for their size: 12 hex digits.
    :param capacity: Primary, core and task instances (units, for fleets).
    :param start: Which start of a cluster it came from: 12 hex digits, chosen before the request was sent.

    >>> mark = PoolMark("medium", "0a1b2c3d", "0123456789ab", (1, 2, 8), "ba9876543210")
    >>> PoolMark.of(mark.marked()) == mark
    True
    """

    pool: str
    place: str
    spec: str
    capacity: tuple[int, int, int]
    start: str

    @classmethod
    def of(cls, name: str) -> PoolMark | None:
        """Read it from a cluster's name; None for one that is in no pool."""
        found = _MARKED.search(name)
        if found is None:
            return None
        primary, core, task = (int(part) for part in found["capacity"].split("-"))
        return cls(found["pool"], found["place"], found["spec"], (primary, core, task), found["start"])

    def marked(self) -> str:
        """Give a cluster's name: the pool's, and the mark. EMR takes 256 characters, which it never has."""
        return f"{self.pool}{PREFIX}{self}"

    def satisfies(self, spec: str, capacity: tuple[int, int, int]) -> bool:
        """Tell whether such a cluster does for a job: like what is wanted, and at least as big."""
        big_enough = all(has >= wanted for has, wanted in zip(self.capacity, capacity, strict=True))
        return self.spec == spec and big_enough

    def __str__(self) -> str:
        capacity = "-".join(map(str, self.capacity))
        return f"{self.pool}/{self.place}/{self.spec}/{capacity}/{self.start}"
