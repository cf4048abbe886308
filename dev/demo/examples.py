"""The example DAGs that the demo can run, and what each leaves in S3."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demo.environment import BUCKET

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

# A great circle from airport to airport and the way the airlines count may differ by so much.
_MILES, _SHARE = 1.0, 0.01
_ROUTES = 217


@dataclass(frozen=True)
class Result:
    """What a run has left.

    :param rows: How many rows it wrote, for the table; ``none`` when it did not get that far.
    :param says: What is worth a line of its own.
    :param problem: What is wrong with the rows; empty for nothing.

    Example: ``Result(rows="217")``.
    """

    rows: str = "none"
    says: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Example:
    """One example DAG.

    :param output: Where in the demo's bucket its job writes.
    :param left: What in the bucket tells of an earlier run.
    :param read: Reads what a run has left there.
    :param image: Whether its job brings the example's image.

    Example: ``FLIGHTS.file`` is ``example_dynamic_cluster.py``.
    """

    dag_id: str
    output: str
    left: str
    read: Callable[[S3Client], Result]
    image: bool = False

    @property
    def file(self) -> str:
        """Name of the DAG's file."""
        return f"{self.dag_id}.py"

    def clear(self, s3: S3Client) -> None:
        """Remove what an earlier run has left, so that it isn't taken for this one's."""
        for key in _keys(s3, self.left):
            s3.delete_object(Bucket=BUCKET, Key=key)


def _keys(s3: S3Client, prefix: str) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", ())]


def _summary(s3: S3Client) -> Result:
    try:
        body = s3.get_object(Bucket=BUCKET, Key="flights_summary.metrics.json")["Body"].read()
    except s3.exceptions.NoSuchKey:
        return Result()
    return Result(str(json.loads(body)["rows_written"]))


def _great_circles(s3: S3Client) -> Result:
    keys = [key for key in _keys(s3, "great_circles/") if key.endswith(".json")]
    bodies = [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode() for key in keys]
    rows = [json.loads(line) for body in bodies for line in body.splitlines()]
    if not rows:
        return Result()
    longest = max(rows, key=lambda row: float(row["great_circle_miles"]))
    return Result(str(len(rows)), f"The longest route: {_route(longest)}", _problem(rows))


def _problem(rows: list[dict[str, Any]]) -> str:
    off = [
        row
        for row in rows
        if not abs(row["great_circle_miles"] - row["miles"]) <= _MILES + _SHARE * row["miles"]
    ]
    if off:
        return f"the length of {len(off)} routes can't be right: {_route(off[0])}"
    return "" if len(rows) == _ROUTES else f"{len(rows)} routes were measured, there are {_ROUTES}"


def _route(row: dict[str, Any]) -> str:
    way = f"{row['origin']}-{row['dest']}, {row['great_circle_miles']} miles along the great circle"
    return f"{way}, {row['miles']} as the airlines count"


FLIGHTS = Example("example_dynamic_cluster", "flights_summary", "flights_summary.metrics.json", _summary)
IMAGE = Example("example_docker_step", "great_circles", "great_circles/", _great_circles, image=True)
