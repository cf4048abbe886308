"""What Spark jobs do with ``s3://`` when it is Hadoop's S3A; some checks are those of our own file system."""

from __future__ import annotations

import json

from data_checks import (
    BUCKET,
    Job,
    check_dynamic_partition_overwrite,
    check_orc_reads_by_position,
    check_parquet,
    check_s3a_and_s3n,
    check_streaming_goes_on_from_its_checkpoint,
    check_the_job_and_its_files_came_from_s3,
)
from verdicts import run

SHARED = (
    check_dynamic_partition_overwrite,
    check_orc_reads_by_position,
    check_parquet,
    check_s3a_and_s3n,
    check_streaming_goes_on_from_its_checkpoint,
    check_the_job_and_its_files_came_from_s3,
)
S3A = "org.apache.hadoop.fs.s3a.S3AFileSystem"


def check_every_scheme_is_s3as(job: Job) -> None:
    jvm, conf = job.spark._jvm, job.spark._jsc.hadoopConfiguration()
    for scheme in ("s3", "s3a", "s3n"):
        path = jvm.org.apache.hadoop.fs.Path(f"{scheme}://{BUCKET}/x")
        assert path.getFileSystem(conf).getClass().getName() == S3A


def check_a_committer_of_s3a(job: Job) -> None:
    # Hadoop's own API: Spark's DataFrames need a module of Spark's for it that its package does not have.
    conf = {
        "fs.s3a.committer.name": "magic",
        "mapreduce.output.fileoutputformat.outputdir": f"{job.base}/out",
    }
    pairs = job.spark.sparkContext.parallelize([("a", 1), ("b", 2)], 2)
    pairs.saveAsNewAPIHadoopFile(
        f"{job.base}/out", "org.apache.hadoop.mapreduce.lib.output.TextOutputFormat", conf=conf
    )
    assert job.spark.sparkContext.textFile(f"{job.base}/out").count() == 2
    # Its _SUCCESS tells who committed; Hadoop's own committer leaves it empty.
    success = job.s3.get_object(Bucket=BUCKET, Key=f"{job.name}/out/_SUCCESS")["Body"].read()
    assert json.loads(success)["committer"] == "magic"


if __name__ == "__main__":
    own = (check_every_scheme_is_s3as, check_a_committer_of_s3a)
    run({check.__name__: check for check in (*own, *SHARED)}, Job)
