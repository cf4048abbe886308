"""What is inside an EMR release: a table of labels, and the features that came with a release.

``releases.json`` holds the "Spark release history", "Hadoop release history" and "Application versions"
tables of the EMR Release Guide (vendor suffixes such as ``-amzn-1`` dropped; ``python`` is the one PySpark
uses by default). The Hadoop versions of the ``emr-spark-8`` labels are those their Spark is built with.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Path(__file__).with_name("releases.json")

Feature = Literal[
    "auto_termination",
    "cloudwatch_logs",
    "docker",
    "instance_fleets",
    "managed_scaling",
    "serverless",
    "serverless_digest_per_run",
    "serverless_images",
    "serverless_merging",
    "serverless_queue",
    "serverless_retries",
    "serverless_shuffle_disks",
    "step_concurrency",
]

_LABEL = re.compile(r"(emr|emr-spark)-(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})", re.ASCII)
_PREVIEW = re.compile(r"(emr-spark)-(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})-preview", re.ASCII)

# Ranges [from, before) of labels; a family without a range does not document the feature.
_FEATURES: Mapping[Feature, tuple[tuple[str, str | None], ...]] = {
    "auto_termination": (("emr-5.30.0", "emr-6.0.0"), ("emr-6.1.0", None), ("emr-spark-8.0-preview", None)),
    "cloudwatch_logs": (("emr-7.11.0", None),),
    "docker": (("emr-6.0.0", "emr-7.0.0"),),
    # Fleets are older, but not their allocation strategies, which every fleet here has.
    "instance_fleets": (("emr-5.12.1", None), ("emr-spark-8.0-preview", None)),
    "managed_scaling": (("emr-5.30.0", "emr-6.0.0"), ("emr-6.1.0", None), ("emr-spark-8.0-preview", None)),
    # EMR Serverless has not every release that EMR has.
    "serverless": (
        ("emr-6.6.0", "emr-6.8.1"),
        ("emr-6.9.0", "emr-6.9.1"),
        ("emr-6.10.0", "emr-6.10.1"),
        ("emr-6.11.0", "emr-6.11.1"),
        ("emr-6.12.0", None),
        ("emr-spark-8.0-preview", None),
    ),
    # A tag of an image is resolved when a run is submitted, where nothing else is said.
    "serverless_digest_per_run": (("emr-7.14.0", None), ("emr-spark-8.1.0", None)),
    "serverless_images": (("emr-6.9.0", None), ("emr-spark-8.0-preview", None)),
    # A run's classification is merged into its application's; else it takes its place.
    "serverless_merging": (("emr-spark-8.1.0", None),),
    "serverless_queue": (("emr-7.0.0", None), ("emr-spark-8.0-preview", None)),
    "serverless_retries": (("emr-7.1.0", None), ("emr-spark-8.0-preview", None)),
    "serverless_shuffle_disks": (("emr-7.1.0", None), ("emr-spark-8.0-preview", None)),
    "step_concurrency": (("emr-5.28.0", None), ("emr-spark-8.0-preview", None)),
}


@functools.total_ordering
@dataclass(frozen=True)
class ReleaseLabel:
    """An EMR release label, taken apart. Labels of one family can be compared, those of two can't.

    :param family: ``emr`` or ``emr-spark``.
    :param major: First number.
    :param minor: Second number.
    :param patch: Third number; 0 for a preview, which has none.
    :param preview: True for ``emr-spark-X.Y-preview``, which comes before ``emr-spark-X.Y.0``.

    >>> parse_label("emr-7.11.0") > parse_label("emr-7.9.0")
    True
    """

    family: str
    major: int
    minor: int
    patch: int = 0
    preview: bool = False

    def __str__(self) -> str:
        end = "-preview" if self.preview else f".{self.patch}"
        return f"{self.family}-{self.major}.{self.minor}{end}"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, ReleaseLabel) or other.family != self.family:
            return NotImplemented
        return self._rank < other._rank

    @property
    def _rank(self) -> tuple[int, int, int, bool]:
        return self.major, self.minor, self.patch, not self.preview


@dataclass(frozen=True)
class Release:
    """The versions inside one EMR release.

    :param label: The label that was asked for.
    :param exact: False when the table does not know the label; the versions are the nearest lower release's
        then.

    >>> release("emr-7.11.0").spark
    '3.5.6'
    >>> release("emr-7.11.0").supports("cloudwatch_logs")
    True
    """

    label: ReleaseLabel
    spark: str
    hadoop: str
    java: str
    python: str
    scala: str
    exact: bool = True

    @property
    def is_older_linux(self) -> bool:
        """Whether its machines and images are Amazon Linux 2, and not Amazon Linux 2023."""
        return self.label.family == "emr" and self.label.major < 7

    def supports(self, feature: Feature) -> bool:
        """Tell whether EMR documents a feature for this release.

        :param feature: One of the names in :data:`Feature`.
        :raises InvalidValueError: for any other name.
        """
        if feature not in _FEATURES:
            raise InvalidValueError("Release", "feature", feature, "is not known", allowed=get_args(Feature))
        return any(_in_range(self.label, start, before) for start, before in _FEATURES[feature])


def _in_range(label: ReleaseLabel, start: str, before: str | None) -> bool:
    first = parse_label(start)
    if label.family != first.family or label < first:
        return False
    return before is None or label < parse_label(before)


@functools.lru_cache(maxsize=512)
def parse_label(label: str) -> ReleaseLabel:
    """Take a release label apart.

    :param label: ``emr-X.Y.Z``, ``emr-spark-X.Y.Z`` or ``emr-spark-X.Y-preview``.
    :raises InvalidValueError: for anything else.
    """
    found = _LABEL.fullmatch(label) if isinstance(label, str) else None
    if found:
        family, major, minor, patch = found.groups()
        return ReleaseLabel(family, int(major), int(minor), int(patch))
    found = _PREVIEW.fullmatch(label) if isinstance(label, str) else None
    if found:
        family, major, minor = found.groups()
        return ReleaseLabel(family, int(major), int(minor), preview=True)
    mend = "write it like emr-7.11.0, emr-spark-8.0.0 or emr-spark-8.0-preview"
    raise InvalidValueError("releases", "label", label, "is not an EMR release label", mend)


def known_labels() -> tuple[str, ...]:
    """Give the labels of the table, oldest first inside each family."""
    return tuple(_table())


def release(label: str) -> Release:
    """Look a release up.

    A label the table does not know gets the versions of the nearest lower release of its major version, so
    that the package does not have to be updated on the day AWS publishes one; ``exact`` is False then.

    :param label: See :func:`parse_label`.
    :raises InvalidValueError: when the label is malformed, or of a major version the table does not know.
    """
    wanted = parse_label(label)
    versions = _table().get(str(wanted))
    if versions is not None:
        return Release(wanted, **versions)
    lower = [known for known in map(parse_label, _table()) if _same_major(known, wanted) and known < wanted]
    if not lower:
        majors = sorted({f"{known.family}-{known.major}.x" for known in map(parse_label, _table())})
        raise InvalidValueError("releases", "label", label, "is not a known EMR release", allowed=majors)
    return Release(wanted, **_table()[str(max(lower))], exact=False)


def known_release(label: str) -> Release | None:
    """Look a release up; None for a label that is malformed, or of a major version the table does not know.

    >>> known_release("emr-9.0.0") is None
    True
    """
    try:
        return release(label)
    except InvalidValueError:
        return None


def _same_major(one: ReleaseLabel, other: ReleaseLabel) -> bool:
    return (one.family, one.major) == (other.family, other.major)


@functools.cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    return MappingProxyType(json.loads(TABLE.read_text(encoding="utf-8")))
