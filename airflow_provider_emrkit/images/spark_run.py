"""Runs a small PySpark job in an image for EMR Serverless: driver, JVM and Python workers in one container.

AWS' own check of images starts a job as well, and does not look at how it ends.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.engine import EngineError
from airflow_provider_emrkit.images.probing import Program
from airflow_provider_emrkit.images.serverless_dockerfile import USER
from airflow_provider_emrkit.logs.text import clean_lines

if TYPE_CHECKING:
    from airflow_provider_emrkit.images.engine import ContainerEngine

SECONDS = 300.0
NAME = "spark-submit"

_DONE = "emrkit:sum=285"
_JOB = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
numbers = spark.sparkContext.parallelize(range(10), 2)
print("emrkit:sum=%d" % numbers.map(lambda one: one * one).sum())
spark.stop()
"""
# There is no network, and nothing of AWS: no event log, and no name of this host to look up.
_SCRIPT = """
printf '%s' "$2" > /tmp/emrkit_job.py || exit 126
export PYSPARK_PYTHON=$1 PYSPARK_DRIVER_PYTHON=$1 SPARK_LOCAL_IP=127.0.0.1 SPARK_LOCAL_HOSTNAME=localhost
exec "$SPARK_HOME/bin/spark-submit" --master 'local[2]' --deploy-mode client \\
  --conf spark.ui.enabled=false --conf spark.eventLog.enabled=false \\
  --conf spark.driver.bindAddress=127.0.0.1 --conf spark.driver.host=127.0.0.1 /tmp/emrkit_job.py
"""
_TELLING = re.compile(r"\b\w*(Error|Exception)\b|cannot|not found", re.ASCII)


def ran_spark(engine: ContainerEngine, image: str, python: str) -> Program:
    """Run the job as hadoop; give how it ended, with what it said last of an error.

    :param python: Path of the job's Python.
    """
    argv = ["sh", "-c", _SCRIPT, "sh", python, _JOB]
    try:
        ran = engine.run(image, argv, user=USER, entrypoint="", timeout=SECONDS)
    except EngineError as error:
        return Program(NAME, None, error.sentence)
    if ran.code == 0 and _DONE in ran.stdout.splitlines():
        return Program(NAME, 0)
    return Program(NAME, ran.code or 1, _words(f"{ran.stderr}\n{ran.stdout}"))


def _words(text: str) -> str:
    lines = [line.strip() for line in clean_lines(text) if line.strip()]
    telling = [line for line in lines if _TELLING.search(line)]
    return (telling or lines or [""])[-1]
