"""Count the words of a text with Spark: ``count_words.py --input s3://… --output s3://…``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str]) -> None:
    """Write a row for each word, with how often it occurs, as JSON lines.

    :param argv: The job's arguments.
    """
    # Spark brings it where the job runs.
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as f

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True, help="text file")
    parser.add_argument("--output", required=True, help="folder of the result, replaced when it is there")
    given = parser.parse_args(argv)

    spark = SparkSession.builder.appName("count words").getOrCreate()
    words = spark.read.text(given.input).select(f.explode(f.split("value", r"\s+")).alias("word"))
    counts = words.where("word != ''").groupBy("word").count().orderBy("word").coalesce(1)
    counts.write.mode("overwrite").json(given.output)
    print(f"words counted: {counts.count()}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
