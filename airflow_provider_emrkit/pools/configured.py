"""The pools that the ``[emrkit]`` configuration names a file of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emrkit.compute import pools_file
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.compute.pool import ClusterPool


def load_pools(path: str | Path | None = None) -> Mapping[str, ClusterPool]:
    """Read the cluster pools of a YAML file.

    :param path: The file; by default that of ``[emrkit] pools_file`` in Airflow's configuration.
    :return: The pools by name; asked for one that is not there, the error names those that are.
    :raises InvalidValueError: naming the file, the line, the place and the mend, when its content is wrong;
        or when no file is set, or the one that is can't be read.
    :raises OSError: when the file that was given can't be read.

    >>> EmrSparkOperator(task_id="load", job=job, compute=load_pools()["medium"])  # doctest: +SKIP
    """
    return pools_file.load_pools(path) if path is not None else _configured()


def _configured() -> Mapping[str, ClusterPool]:
    # Only here, so that a DAG that names its file needs no configuration.
    from airflow_provider_emrkit._compat import conf

    path = (conf.get("emrkit", "pools_file", fallback="") or "").strip()
    if not path:
        mend = "set it to the whole path of a YAML file of pools, or give load_pools a path"
        raise InvalidValueError("[emrkit]", "pools_file", path, "names no file", mend)
    if not Path(path).is_absolute():
        # Airflow's processes are started in different folders.
        raise InvalidValueError("[emrkit]", "pools_file", path, "is not a whole path", "begin it with /")
    try:
        return pools_file.load_pools(path)
    except OSError as error:
        problem = f"can't be read: {error.strerror}"
        mend = "correct it, or put the file where every process of Airflow finds it"
        raise InvalidValueError("[emrkit]", "pools_file", path, problem, mend) from None
