"""Spark's examples: Spark's package on PyPI brings those in Python, not the jar of the others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.spark.submit import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

_PACKAGE = "org.apache.spark.examples."
_FOLDER = "examples/src/main/python"
_JAR = re.compile(r"(?:(?:file|local)://)?/usr/lib/spark/examples/jars/spark-examples[^/]*\.jar")

# What computes the same in Python, by the name of the Scala or Java class.
_TWINS = {
    "JavaPageRank": "pagerank.py",
    "JavaSparkPi": "pi.py",
    "JavaTC": "transitive_closure.py",
    "JavaWordCount": "wordcount.py",
    "SparkALS": "als.py",
    "SparkKMeans": "kmeans.py",
    "SparkPageRank": "pagerank.py",
    "SparkPi": "pi.py",
    "SparkTC": "transitive_closure.py",
}


class NoSuchExampleError(Exception):
    """An example that can't run here; the message names those that can."""


def example_arguments(args: Sequence[str], spark_home: str) -> list[str]:
    """Turn the arguments of ``run-example`` (EMR's ``spark-example``) into those of ``spark-submit``.

    :param spark_home: Where the examples are.
    :raises NoSuchExampleError: for an example that can't run here.
    """
    line = parse(args)
    if not line.rest:
        raise NoSuchExampleError(f"run-example: name an example; here run {_known()}.")
    return [*_options(line.options), _twin(line.rest[0], spark_home), *line.rest[1:]]


def without_examples_jar(args: Sequence[str], spark_home: str) -> list[str]:
    """Replace EMR's own jar of examples in the arguments of ``spark-submit`` by the same example in Python.

    :raises NoSuchExampleError: for an example that can't run here.
    """
    line = parse(args)
    if not line.rest or not _JAR.fullmatch(line.rest[0]):
        return list(args)
    kept = [(name, value) for name, value in line.options if name != "--class"]
    return [*_options(kept), _twin(line.last("--class") or "", spark_home), *line.rest[1:]]


def _twin(name: str, spark_home: str) -> str:
    twin = _TWINS.get(name.removeprefix(_PACKAGE))
    path = Path(spark_home) / _FOLDER / (twin or "")
    if twin is None or not path.is_file():
        raise NoSuchExampleError(
            f"run-example: {name or 'no class'} can't run here: Spark comes from the Python package index, "
            f"without the jar of its Scala examples. Here run {_known()}, as the same programs in Python; "
            "bring a jar for others."
        )
    return str(path)


def _known() -> str:
    return ", ".join(sorted(_TWINS))


def _options(options: Sequence[tuple[str, str | None]]) -> list[str]:
    return [word for name, value in options for word in (name, value) if word is not None]
