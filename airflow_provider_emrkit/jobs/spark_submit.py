"""A Spark job as an argument list.

No shell reads it, hence nothing is quoted: Spark receives what the author wrote, byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.jobs.spark_job import SparkJob

EXECUTOR_ENV = "spark.executorEnv."
DRIVER_ENV = "spark.yarn.appMasterEnv."


def spark_submit(job: SparkJob, name: str | None = None) -> list[str]:
    """Compile a job to the arguments of an EMR step that runs ``command-runner.jar``.

    :param job: The job, rendered and with its local files replaced by URIs.
    :param name: Name of the Spark application where the job has none.

    >>> from airflow_provider_emrkit.jobs.spark_job import SparkJob
    >>> spark_submit(SparkJob("s3://code/job.py", args=["a b"], conf={"spark.x": True}))
    ['spark-submit', '--deploy-mode', 'cluster', '--conf', 'spark.x=true', 's3://code/job.py', 'a b']
    """
    return [
        *_driver_environment(job),
        "spark-submit",
        *_options(job, name),
        job.entry_point,
        *map(str, job.args),
    ]


def spark_conf(job: SparkJob) -> Mapping[str, str]:
    """Give the Spark properties of a job on YARN: the author's, then those of ``env`` and ``docker``."""
    conf = {key: str(value) for key, value in job.conf.items()}
    prefixes = (DRIVER_ENV, EXECUTOR_ENV) if job.deploy_mode == "cluster" else (EXECUTOR_ENV,)
    variables = {**job.env, **(job.docker.variables() if job.docker else {})}
    for variable, value in variables.items():
        conf.update({prefix + variable: str(value) for prefix in prefixes})
    return conf


def _driver_environment(job: SparkJob) -> list[str]:
    """In client mode the driver is ``spark-submit`` itself, so that its environment is set by ``env``."""
    if job.deploy_mode == "cluster" or not job.env:
        return []
    return ["env", *(f"{variable}={value}" for variable, value in job.env.items())]


def _options(job: SparkJob, name: str | None) -> list[str]:
    options = ["--deploy-mode", job.deploy_mode]
    options += _option("--name", job.name or name)
    options += _option("--class", job.main_class)
    for key, value in spark_conf(job).items():
        options += ["--conf", f"{key}={value}"]
    options += _option("--py-files", ",".join(job.py_files))
    options += _option("--jars", ",".join(job.jars))
    options += _option("--files", ",".join(job.files))
    options += _option("--archives", ",".join(job.archives))
    return options + _option("--packages", ",".join(job.packages))


def _option(flag: str, value: str | None) -> list[str]:
    return [flag, value] if value else []
