"""What Spark jobs do with ``s3://``, checked by value; run from ``s3://`` itself."""

from __future__ import annotations

import os
import time
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import boto3
from hello_from_s3 import GREETING
from pyspark import SparkFiles
from pyspark.sql import SparkSession
from pyspark.sql import functions as f
from verdicts import run

BUCKET = "data-bucket"
ODD = "a b/c%d=é+"


class Job:
    """A Spark and a directory of its own."""

    def __init__(self, spark: SparkSession, name: str) -> None:
        self.spark, self.name = spark, name
        self.base = f"s3://{BUCKET}/{name}"
        self.s3: Any = boto3.client("s3", endpoint_url=os.environ["TEST_S3_ENDPOINT"])

    def stored(self, below: str = "") -> list[str]:
        """The keys boto3 sees, without the directory."""
        prefix = f"{self.name}/{below}"
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [
            item["Key"].removeprefix(f"{self.name}/") for page in pages for item in page.get("Contents", ())
        ]

    def files(self) -> list[str]:
        """Those keys that are no marks of directories."""
        return [key for key in self.stored() if not key.endswith("/")]

    def message(self, action: Any) -> str:
        """What a failing action says."""
        try:
            action()
        except Exception as error:
            return str(error)
        raise AssertionError("no error")


def check_the_job_and_its_files_came_from_s3(job: Job) -> None:
    assert GREETING == "hello from a --py-files module"
    assert Path(SparkFiles.get("settings.txt")).read_text() == "settings from --files"
    on_worker = job.spark.sparkContext.parallelize([0], 1).map(lambda _: Path(SparkFiles.get("settings.txt")))
    assert on_worker.map(lambda path: path.read_text()).collect() == ["settings from --files"]


def check_parquet(job: Job) -> None:
    table = f"{job.base}/table"
    rows = job.spark.range(1000).withColumn("part", f.col("id") % 3)
    rows.write.partitionBy("part").parquet(table)
    rows.write.mode("append").partitionBy("part").parquet(table)
    assert job.spark.read.parquet(table).groupBy("part").count().orderBy("part").collect() == [
        (0, 668),
        (1, 666),
        (2, 666),
    ]
    rows.write.mode("overwrite").partitionBy("part").parquet(table)
    assert job.spark.read.parquet(table).where("part = 1").agg(f.sum("id")).collect() == [(166167,)]
    # Neither temporary files nor markers of directories are left beside the data.
    assert {key.split("/")[1].split("=")[0] for key in job.stored("table/")} == {"_SUCCESS", "part"}
    assert "exists" in job.message(lambda: rows.write.parquet(table))


def check_dynamic_partition_overwrite(job: Job) -> None:
    job.spark.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")
    try:
        for part, value in ((1, "old"), (2, "old"), (2, "new")):
            row = job.spark.createDataFrame([(part, value)], "part int, value string")
            row.write.mode("overwrite").partitionBy("part").parquet(job.base)
    finally:
        job.spark.conf.unset("spark.sql.sources.partitionOverwriteMode")
    assert job.spark.read.parquet(job.base).orderBy("part").collect() == [("old", 1), ("new", 2)]


def check_orc_reads_by_position(job: Job) -> None:
    job.spark.range(50_000).selectExpr("id", "cast(id * 7 as string) as text").write.orc(job.base)
    assert job.spark.read.orc(job.base).where("id = 49999").collect() == [(49999, "349993")]


def check_odd_partition_values(job: Job) -> None:
    at = datetime(2026, 3, 1, 12, 30, 1, tzinfo=timezone.utc).replace(tzinfo=None)
    rows = [(1, ODD, at), (2, "plain", at), (3, None, at)]
    frame = job.spark.createDataFrame(rows, "id int, name string, at timestamp")
    for table in ("first", "second"):
        frame.write.partitionBy("name", "at").parquet(f"{job.base}/{table}")
        frame = job.spark.read.parquet(f"{job.base}/{table}").select("id", "name", "at")
        assert frame.orderBy("id").collect() == rows


def check_csv_and_text(job: Job) -> None:
    job.spark.createDataFrame([(1, "a,b"), (2, 'c"d')], "id int, text string").write.csv(
        f"{job.base}/csv", header=True
    )
    assert job.spark.read.csv(f"{job.base}/csv", header=True).orderBy("id").collect() == [
        ("1", "a,b"),
        ("2", 'c"d'),
    ]
    context = job.spark.sparkContext
    context.parallelize([f"line {i}" for i in range(100)], 4).saveAsTextFile(f"{job.base}/text")
    assert context.textFile(f"{job.base}/text").count() == 100
    assert context.textFile(f"{job.base}/text/part-*[01]").count() == 50


def check_text_of_many_blocks(job: Job) -> None:
    # 20 MB of lines, split anywhere: no line is lost or read twice at a border.
    body = "".join(f"{i:09}\n" for i in range(2_000_000)).encode()
    job.s3.put_object(Bucket=BUCKET, Key=f"{job.name}/lines", Body=body)
    lines = job.spark.sparkContext.textFile(f"{job.base}/lines", 7)
    assert lines.getNumPartitions() >= 7
    assert lines.map(int).sum() == 2_000_000 * 1_999_999 // 2


def check_s3a_and_s3n(job: Job) -> None:
    for scheme in ("s3a", "s3n"):
        table = f"{scheme}://{BUCKET}/{job.name}/{scheme}"
        job.spark.range(10).write.parquet(table)
        assert job.spark.read.parquet(table).count() == 10
        assert job.spark.read.parquet(f"{job.base}/{scheme}").count() == 10


def check_many_small_files(job: Job) -> None:
    for i in range(1500):
        job.s3.put_object(Bucket=BUCKET, Key=f"{job.name}/day={i % 30:02}/{i:04}.json", Body=b'{"n": %d}' % i)
    frame = job.spark.read.schema("n long, day int").json(job.base)
    assert frame.agg(f.count("*"), f.sum("n"), f.countDistinct("day")).collect() == [(1500, 1124250, 30)]


def check_a_file_larger_than_a_part(job: Job) -> None:
    # Random text does not compress: one object above the 64 MiB from which parts are sent.
    rows = job.spark.range(2_200_000).selectExpr("uuid() as text").coalesce(1)
    rows.write.option("compression", "none").parquet(job.base)
    part = next(key for key in job.stored() if key.endswith(".parquet"))
    head = job.s3.head_object(Bucket=BUCKET, Key=f"{job.name}/{part}")
    assert head["ContentLength"] > 64 * 1024 * 1024
    read = job.spark.read.parquet(job.base).select(f.countDistinct(f.length("text")), f.count("*"))
    assert read.collect() == [(1, 2_200_000)]


def check_missing_things_are_named(job: Job) -> None:
    assert f"{job.base}/gone" in job.message(lambda: job.spark.read.parquet(f"{job.base}/gone"))
    assert "s3://no-such-bucket/x" in job.message(lambda: job.spark.read.parquet("s3://no-such-bucket/x"))
    said = job.message(lambda: job.spark.range(1).write.parquet("s3://no-such-bucket/x"))
    assert "Bucket 'no-such-bucket' does not exist" in said


def check_a_failed_job_leaves_no_data(job: Job) -> None:
    assert _left_by_a_failed_job(job, tasks=1) == []


def check_a_failed_job_of_many_tasks_leaves_no_data(job: Job) -> None:
    # A task that ends after the job was given up leaves its file with the committer, where no reader looks.
    _left_by_a_failed_job(job, tasks=2)
    # One that has not ended yet takes back what it writes when it does.
    deadline = time.monotonic() + 60
    while left := [key for key in job.files() if not key.startswith("table/_temporary/0/task_")]:
        assert all(key.startswith("table/_temporary/") for key in left), left
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def _left_by_a_failed_job(job: Job, tasks: int) -> list[str]:
    def broken(i: int) -> int:
        if i == 900:
            raise ValueError("on purpose")
        return i

    rows = job.spark.sparkContext.range(1000, numSlices=tasks).map(lambda i: (broken(i),))
    said = job.message(lambda: job.spark.createDataFrame(rows, "id long").write.parquet(f"{job.base}/table"))
    assert "on purpose" in said
    return job.files()


def check_tables(job: Job) -> None:
    name = "s3_" + uuid.uuid4().hex[:8]
    job.spark.sql(f"CREATE DATABASE {name} LOCATION '{job.base}'")
    job.spark.sql(f"CREATE TABLE {name}.t (id long, part string) USING parquet PARTITIONED BY (part)")
    job.spark.sql(f"INSERT INTO {name}.t VALUES (1, 'x y'), (2, 'z')")
    job.spark.sql(f"INSERT OVERWRITE {name}.t PARTITION (part = 'z') VALUES (3)")
    assert job.spark.sql(f"SELECT id FROM {name}.t ORDER BY id").collect() == [(1,), (3,)]
    job.spark.sql(f"DROP DATABASE {name} CASCADE")
    assert job.stored("t/") == []


def check_streaming_goes_on_from_its_checkpoint(job: Job) -> None:
    for scheme in ("s3", "s3a"):
        base = f"{scheme}://{BUCKET}/{job.name}/{scheme}"
        for batch in (1, 2):
            job.spark.range(batch * 10).write.mode("append").parquet(f"{base}/in")
            stream = job.spark.readStream.schema("id long").parquet(f"{base}/in")
            query = (
                stream.groupBy("id")
                .count()
                .writeStream.outputMode("complete")
                .foreachBatch(lambda frame, _: frame.write.mode("overwrite").parquet(f"{base}/out"))  # noqa: B023
                .option("checkpointLocation", f"{base}/checkpoint")
                .trigger(once=True)
                .start()
            )
            query.awaitTermination()
        counts = job.spark.read.parquet(f"{base}/out")
        assert counts.agg(f.count("*"), f.sum("count")).collect() == [(20, 30)]


if __name__ == "__main__":
    run(globals(), Job)
