"""The programs that a step may name because every EMR machine has them."""

from __future__ import annotations

from typing import Final

_FOLDERS = frozenset(
    {
        "/bin", "/usr/bin", "/usr/lib/hadoop-hdfs/bin", "/usr/lib/hadoop/bin", "/usr/lib/spark/bin",
        "/usr/local/bin",
    }
)  # fmt: skip
# Those that are here under the same name, wherever EMR has them.
_HERE = frozenset(
    {
        "hadoop", "hdfs", "pip", "pip3", "pyspark", "python", "python3", "run-example", "s3-dist-cp",
        "spark-example", "spark-shell", "spark-sql", "spark-submit", "sudo", "yarn",
    }
)  # fmt: skip

EXAMPLES: Final = frozenset({"run-example", "spark-example"})
"""Names of the program that runs Spark's examples."""

NOTHING_TO_DO: Final = {
    "state-pusher-script": "state-pusher-script: nothing to do, no console shows logs here",
}
"""Programs whose work has no meaning here: what to say instead."""

_RUNS_SPARK = "is not part of localemr, which runs Spark"
_ABSENT = {
    "beeline": f"HiveServer2 {_RUNS_SPARK}; use spark-sql -e or spark-sql -f",
    "flink": f"Flink {_RUNS_SPARK}",
    "flink-yarn-session": f"Flink {_RUNS_SPARK}",
    "hadoop-streaming": f"MapReduce {_RUNS_SPARK}; use a PySpark job, whose RDD.pipe runs the same programs",
    "hbase": f"HBase {_RUNS_SPARK}",
    "hive": f"Hive {_RUNS_SPARK}; use spark-sql -e or spark-sql -f, which take most of its SQL",
    "hive-script": f"Hive {_RUNS_SPARK}; use spark-sql -f, which takes most of its SQL",
    "mapred": f"MapReduce {_RUNS_SPARK}",
    "oozie": f"Oozie {_RUNS_SPARK}",
    "pig": f"Pig {_RUNS_SPARK}",
    "pig-script": f"Pig {_RUNS_SPARK}",
    "presto-cli": f"Presto {_RUNS_SPARK}; use spark-sql",
    "sqoop": f"Sqoop {_RUNS_SPARK}; use Spark's JDBC source",
    "trino-cli": f"Trino {_RUNS_SPARK}; use spark-sql",
}


def name_here(program: str) -> str:
    """Give the name under which a program is found in a cluster's PATH; any other comes back as it is.

    >>> name_here("/usr/lib/spark/bin/spark-sql")
    'spark-sql'
    """
    folder, _, name = program.rpartition("/")
    return name if folder in _FOLDERS and (name in _HERE or name in _ABSENT) else program


def absence(program: str) -> str | None:
    """Say why a program of EMR is not here, and what to use; None for any other."""
    reason = _ABSENT.get(program)
    return f"{program}: {reason}." if reason else None
