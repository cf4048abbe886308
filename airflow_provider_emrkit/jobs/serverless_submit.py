"""A Spark job as the job driver of a job run of EMR Serverless.

EMR Serverless takes the options of ``spark-submit`` as one text, which it cuts into words as a shell does.
Every word is quoted with single and double quotes alone, so that whoever reads quotes at all gives Spark what
the author wrote.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.jobs.spark_submit import EXECUTOR_ENV
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.jobs.spark_job import SparkJob

OWNER = "SparkJob"
DRIVER_ENV = "spark.emr-serverless.driverEnv."
# Limits of the API's sparkSubmit.
MAX_PARAMETERS = 102_400
MAX_ARGUMENTS = 1_024
MAX_ENTRY_POINT = 4_096
_OTHER_MANAGERS = ("spark.yarn.", "spark.kubernetes.", "spark.mesos.", "spark.shuffle.service.")


def serverless_conf(job: SparkJob) -> dict[str, str]:
    """Give the Spark properties of a job on EMR Serverless: the author's, then those of ``env``."""
    conf = {key: str(value) for key, value in job.conf.items()}
    for variable, value in job.env.items():
        conf.update({prefix + variable: str(value) for prefix in (DRIVER_ENV, EXECUTOR_ENV)})
    return conf


def spark_submit_parameters(
    job: SparkJob, name: str | None = None, conf: Mapping[str, str] | None = None
) -> str:
    """Compile a job's options to ``sparkSubmitParameters``.

    EMR Serverless has no deploy mode: the driver is always a worker of its own.

    :param job: The job, rendered and with its local files replaced by URIs.
    :param name: Name of the Spark application where the job has none.
    :param conf: The properties to say here; by default all of :func:`serverless_conf`.

    >>> from airflow_provider_emrkit.jobs.spark_job import SparkJob
    >>> spark_submit_parameters(SparkJob("s3://code/job.py", conf={"spark.x": "a b"}, env={"DAY": 1}))
    "--conf 'spark.x=a b' --conf spark.emr-serverless.driverEnv.DAY=1 --conf spark.executorEnv.DAY=1"
    """
    words = _option("--name", job.name or name) + _option("--class", job.main_class)
    for key, value in (serverless_conf(job) if conf is None else conf).items():
        words += ["--conf", f"{key}={value}"]
    words += _option("--py-files", ",".join(job.py_files))
    words += _option("--jars", ",".join(job.jars))
    words += _option("--files", ",".join(job.files))
    words += _option("--archives", ",".join(job.archives))
    words += _option("--packages", ",".join(job.packages))
    return shlex.join(words)


def job_driver(
    job: SparkJob, name: str | None = None, conf: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Compile a job to StartJobRun's ``jobDriver``.

    :param job: The job, rendered and with its local files replaced by URIs.
    :param name: Name of the Spark application where the job has none.
    :param conf: The properties to say here; by default all of :func:`serverless_conf`.
    :raises InvalidValueError: when EMR Serverless would not take it: too many arguments, or too long options.
    """
    check_argument_count(job)
    if len(job.entry_point) > MAX_ENTRY_POINT:
        problem = f"is longer than {MAX_ENTRY_POINT:,} characters"
        raise InvalidValueError(OWNER, "entry_point", job.entry_point, problem, "give it a shorter path")
    parameters = spark_submit_parameters(job, name, conf)
    if characters(parameters) > MAX_PARAMETERS:
        problem = f"characters of options are more than the {MAX_PARAMETERS:,} that EMR Serverless takes"
        properties = serverless_conf(job) if conf is None else conf
        longest = max(properties, key=lambda key: len(properties[key]), default="none")
        mend = f"shorten them ({longest} is the longest property), or put them into a file and pass its URI"
        raise InvalidValueError(OWNER, "conf", characters(parameters), problem, mend)
    driver = {
        "entryPoint": job.entry_point,
        "entryPointArguments": list(map(str, job.args)),
        "sparkSubmitParameters": parameters,
    }
    return {"sparkSubmit": {member: value for member, value in driver.items() if value}}


def check_argument_count(job: SparkJob) -> None:
    """Check that a job has no more arguments than EMR Serverless takes.

    :raises InvalidValueError: when it has.
    """
    if len(job.args) > MAX_ARGUMENTS:
        mend = "write them to a file and pass its URI"
        problem = f"arguments are more than the {MAX_ARGUMENTS:,} that EMR Serverless takes"
        raise InvalidValueError(OWNER, "args", len(job.args), problem, mend)


def unused_options(job: SparkJob) -> tuple[str, ...]:
    """Name what a job says that means nothing on EMR Serverless, which has no deploy mode and no YARN.

    >>> from airflow_provider_emrkit.jobs.spark_job import SparkJob
    >>> unused_options(SparkJob("s3://code/job.py", conf={"spark.yarn.queue": "q"}, deploy_mode="client"))
    ("deploy_mode='client'", "conf['spark.yarn.queue']")
    """
    found = [f"deploy_mode={job.deploy_mode!r}"] if job.deploy_mode != "cluster" else []
    found += [f"conf[{key!r}]" for key in job.conf if key.startswith(_OTHER_MANAGERS)]
    if job.docker is not None:
        given = {"client_config": job.docker.client_config, "ecr_login": job.docker.ecr_login}
        found += [f"docker.{name}" for name, value in given.items() if value is not None]
    return tuple(found)


def characters(text: str) -> int:
    """Count characters as EMR does, in whose Java one beyond U+FFFF counts twice."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _option(flag: str, value: str | None) -> list[str]:
    return [flag, value] if value else []
