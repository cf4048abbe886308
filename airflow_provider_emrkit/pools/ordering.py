"""Makes the order that a task places in a pool, and keeps it on S3 for whoever places it later."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_emrkit.exceptions import StagingError
from airflow_provider_emrkit.hooks.errors import is_aws_error, typed
from airflow_provider_emrkit.hooks.patience import patiently
from airflow_provider_emrkit.hooks.staging import stage_file
from airflow_provider_emrkit.jobs.staging import HASH_DIGITS, StagedFile
from airflow_provider_emrkit.logs.wishes import NO_WISHES
from airflow_provider_emrkit.pools.order import PoolOrder
from airflow_provider_emrkit.pools.pool_setup import PoolSetup

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.compute.pool import ClusterPool
    from airflow_provider_emrkit.hooks.settings import EmrKitSettings
    from airflow_provider_emrkit.jobs.spark_job import SparkJob
    from airflow_provider_emrkit.logs.wishes import LogWishes
    from airflow_provider_emrkit.runs.step_compiling import StepCompiling
    from airflow_provider_emrkit.runs.token import RunToken

log = logging.getLogger(__name__)

FILE_NAME = "pool-order.json"


def make_order(
    compiling: StepCompiling,
    pool: ClusterPool,
    job: SparkJob,
    token: RunToken,
    settings: EmrKitSettings,
    wishes: LogWishes = NO_WISHES,
    *,
    since: float,
) -> PoolOrder:
    """Make the order for a job whose files are all on S3.

    :param compiling: Makes the step: its image is pinned, and arguments that are too long for one are put to
        S3.
    :param pool: The pool, rendered.
    :param settings: What the connection says.
    :param wishes: What is wanted of its logs.
    :param since: Since when the job waits, in seconds since 1970.
    :raises InvalidValueError: when the pool has no place, or no program can have such long arguments.
    :raises StagingError: when they can't be put to S3.
    :raises SubmitRefusedError: when the pool's clusters can't run its image, or ECR does not know it.

    >>> make_order(compiling, pool, job, token, hook.settings, since=time.time()).spec  # doctest: +SKIP
    '0123456789ab'
    """
    setup = PoolSetup.of(pool, settings, compiling, executor_logs=wishes.executor_logs)
    job = compiling.suited(job, setup.cluster)
    command = compiling.command(job, token, setup.cluster["ReleaseLabel"])
    step = compiling.step(command, token, "CONTINUE")
    return PoolOrder(
        place=setup.place,
        bounds=setup.bounds,
        spec=setup.spec,
        capacity=setup.capacity,
        cluster=setup.cluster,
        step=step,
        token=token,
        since=since,
        driver_apart=job.deploy_mode == "cluster",
        executor_logs=wishes.executor_logs,
        log_streams=wishes.streams,
    )


def stage_order(
    order: PoolOrder, staging_uri: str | None, s3: Any, pause: Callable[[float], bool] | None = None
) -> str:
    """Put an order to S3 where it is not there yet (HeadObject, PutObject), below the hash of its content.

    A job's arguments may hold what must not stand in Airflow's database, where triggers are kept.

    :param staging_uri: ``s3://bucket/prefix`` to put it below.
    :param s3: boto3 client of S3.
    :param pause: Waits some seconds, while S3 can't be reached; gives True when the work is to stop.
    :return: Its URI.
    :raises StagingError: when there is no ``staging_uri``, or S3 refuses.
    """
    base = kept_below(staging_uri)
    content = json.dumps(order.to_dict(), sort_keys=True, separators=(",", ":")).encode()
    key = f"{hashlib.sha256(content).hexdigest()[:HASH_DIGITS]}/{FILE_NAME}"
    file = StagedFile(key, "the job's order", content)
    return stage_file(file, base, s3, log.debug, pause or threading.Event().wait)


def kept_below(staging_uri: str | None) -> str:
    """Give where orders are kept while their jobs wait in the triggerer.

    :raises StagingError: when the connection names no such place.
    """
    if staging_uri:
        return staging_uri
    raise StagingError(
        "the job may have to wait for its pool, and the emrkit connection has no staging_uri to keep it at "
        "until then; set it to s3://your-bucket/prefix, or wait on the worker (deferrable=False)"
    )


def read_order(s3: Any, uri: str, pause: Callable[[float], bool] | None = None) -> PoolOrder:
    """Read an order back (GetObject).

    :param s3: boto3 client of S3.
    :param uri: What :func:`stage_order` gave.
    :param pause: Waits some seconds, while S3 can't be reached; gives True when the work is to stop.
    :raises EmrKitError: when it is not there, or may not be read; the type says which.
    """
    where = urlsplit(uri)
    request = {"Bucket": where.netloc, "Key": where.path.lstrip("/")}
    try:
        content = patiently(lambda: s3.get_object(**request)["Body"].read(), pause or threading.Event().wait)
    except Exception as error:
        if not is_aws_error(error):
            raise
        raise typed(
            f"the order of a job that waits for its pool can't be read ({uri})", error, None
        ) from error
    return PoolOrder.from_dict(json.loads(content))
