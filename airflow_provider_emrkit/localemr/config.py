"""Where a local EMR listens and keeps its files, and the environment its processes get."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.localemr.s3_access import S3Access

JvmProfile = Literal["fast", "full"]
S3FileSystem = Literal["builtin", "s3a"]
ExecutorKind = Literal["threads", "processes"]
EngineName = Literal["docker", "podman"]

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 5005
ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
OWN_PAGES = "/_emrkit/"
HEALTH_PATH = f"{OWN_PAGES}health"
ACCESS_KEY = "localemr"
# Airflow masks a connection's password wherever it turns up in a log: it must be no word of a path.
SECRET_KEY = "worth-nothing-outside-of-localemr"  # noqa: S105 - it opens nothing
STAGING_BUCKET = "emrkit-local"
"""A bucket that is always there."""

# Prefixes of variables that could point a process at a real AWS account, or change what moto or botocore do.
_SCRUBBED = ("AWS_", "AMAZON_", "BOTO", "MOTO_", "AIRFLOW_CONN_", "AIRFLOW__")
_PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
# Of a client's own AWS settings, those that lead nowhere.
_HARMLESS_SETTINGS = ("AWS_CA_BUNDLE", "AWS_DEFAULT_OUTPUT", "AWS_PAGER")


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """One local EMR.

    :param host: Address to listen on.
    :param port: Port to listen on; 0 lets the system choose one.
    :param data_dir: Directory of this instance: its status file, log and clusters' files.
    :param cache_dir: Directory of the installed Sparks and Javas, shared by all instances.
    :param allowed_hosts: Names, besides loopback and addresses, that requests may use in their ``Host``
        header.
    :param ephemeral: Keep everything in memory only, and begin with nothing.
    :param jvm_profile: ``fast`` starts JVMs of steps quickly (class archive, first compiler only, serial
        collector), ``full`` leaves Java's own settings, which suit long jobs.
    :param s3_filesystem: What serves ``s3://`` in Spark: our own small file system, or Hadoop's S3A.
    :param s3_endpoint: Another S3 than the built-in one, e.g. ``http://127.0.0.1:9000``.
    :param s3_credentials: File with the key pair of ``s3_endpoint``; never the user's AWS files.
    :param faults: File with the faults to begin with.
    :param executors: Whether Spark's executors are threads of the driver, or processes with their own logs.
    :param engine: What runs the images of jobs, ``docker`` or ``podman``; None for the first that is there.

    >>> ServerConfig(data_dir=Path("/tmp/x")).url
    'http://127.0.0.1:5005'
    """

    data_dir: Path
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    cache_dir: Path = field(default_factory=lambda: default_cache_dir(os.environ))
    allowed_hosts: tuple[str, ...] = ()
    ephemeral: bool = False
    jvm_profile: JvmProfile = "fast"
    s3_filesystem: S3FileSystem = "builtin"
    s3_endpoint: str | None = None
    s3_credentials: Path | None = None
    faults: Path | None = None
    executors: ExecutorKind = "threads"
    engine: EngineName | None = None

    @property
    def url(self) -> str:
        """Address for clients on this machine."""
        return f"http://{client_host(self.host)}:{self.port}"


def client_host(host: str) -> str:
    """Give the address under which this machine reaches a server bound to ``host``."""
    if host in ("0.0.0.0", ""):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    if host == "::":
        return "[::1]"
    return f"[{host}]" if ":" in host else host


def default_data_dir(port: int, environ: Mapping[str, str]) -> Path:
    """Give the directory of the instance on a port: below ``XDG_DATA_HOME``, else ``~/.local/share``."""
    base = environ.get("XDG_DATA_HOME") or str(_home(environ) / ".local" / "share")
    return Path(base).absolute() / "emrkit" / "localemr" / str(port)


def default_cache_dir(environ: Mapping[str, str]) -> Path:
    """Give the directory of the installed Sparks.

    ``EMRKIT_CACHE_DIR``, else below ``XDG_CACHE_HOME``, else below ``~/.cache``.
    """
    chosen = environ.get("EMRKIT_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    base = environ.get("XDG_CACHE_HOME") or str(_home(environ) / ".cache")
    return Path(base).absolute() / "emrkit"


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def connections(url: str, s3: S3Access | None = None) -> dict[str, dict[str, Any]]:
    """Give the Airflow connections of a local EMR by their ids, as ``airflow connections import`` reads them.

    :param url: Its address.
    :param s3: How its S3 is reached, where that is not the built-in one.
    """
    if s3 is not None and s3.is_external:
        return _connections_with_external_s3(url, s3)
    region = {"region_name": REGION, "endpoint_url": url}
    places = {"staging_uri": f"s3://{STAGING_BUCKET}/staging", "log_uri": f"s3://{STAGING_BUCKET}/logs"}
    return {
        "aws_default": {"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET_KEY, "extra": region},
        "emrkit_default": {
            "conn_type": "emrkit",
            "extra": {"aws_conn_id": "aws_default", **region, **places},
        },
    }


def _connections_with_external_s3(url: str, s3: S3Access) -> dict[str, dict[str, Any]]:
    own = connections(url)
    aws, emrkit = own["aws_default"], own["emrkit_default"]
    token = {"aws_session_token": s3.session_token} if s3.session_token else {}
    service = {"service_config": {"s3": {"endpoint_url": s3.url}}}
    # An address of the emrkit connection would hold for S3 too.
    extra = {name: value for name, value in emrkit["extra"].items() if name != "endpoint_url"}
    keys = {"login": s3.access_key, "password": s3.secret_key}
    return {
        "aws_default": {**aws, **keys, "extra": {**aws["extra"], **service, **token}},
        "emrkit_default": {**emrkit, "extra": extra},
    }


def connection_uri(connection: Mapping[str, Any]) -> str:
    """Write a connection as a URI, which holds no character that a shell or an env file would change.

    :param connection: One of :func:`connections`.

    >>> connection_uri({"conn_type": "emrkit", "extra": {"staging_uri": "s3://b/p"}})
    'emrkit:///?staging_uri=s3%3A%2F%2Fb%2Fp'
    """
    keys = [quote(str(connection[name]), safe="") for name in ("login", "password") if name in connection]
    who = ":".join(keys) + "@" if keys else ""
    extra = connection["extra"]
    if not all(isinstance(value, str) for value in extra.values()):
        extra = {"__extra__": json.dumps(extra)}
    return f"{connection['conn_type']}://{who}/?{urlencode(extra, quote_via=quote, safe='')}"


def client_environment(
    url: str, environ: Mapping[str, str] | None = None, s3: S3Access | None = None
) -> dict[str, str]:
    """Give the variables that point the AWS CLI, boto3 and Airflow at a local EMR.

    :param url: Its address.
    :param environ: The client's environment; a proxy that it names is passed by.
    :param s3: How its S3 is reached, where that is not the built-in one.
    """
    named = {
        f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(one) for conn_id, one in connections(url, s3).items()
    }
    proxied = environ is not None and any(environ.get(name) for name in _PROXIES)
    direct = _direct(environ or {}) if proxied else {}
    return {**aws_environment(url, REGION), **(s3.environment if s3 else {}), **named, **direct}


def misleading(environ: Mapping[str, str]) -> list[str]:
    """Name the variables that could lead an AWS client elsewhere than :func:`client_environment` says.

    >>> misleading({"AWS_PROFILE": "production", "AWS_PAGER": "", "PATH": "/bin"})
    ['AWS_PROFILE']
    """
    kept = {*client_environment(""), *_HARMLESS_SETTINGS}
    return sorted(name for name in environ if name.startswith("AWS_") and name not in kept)


def directed_environment(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Give an environment whose AWS clients and Airflow use a local EMR, whatever they would have used.

    :param url: Its address.
    :param environ: The environment to take the rest from.
    """
    away = misleading(environ)
    kept = {name: value for name, value in environ.items() if name not in away}
    return {**kept, **client_environment(url, environ)}


def server_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of the server and of all it starts: nothing in it leads to the user's AWS.

    :param environ: The environment to take the rest from (``PATH``, proxies, locale, …).
    """
    kept = {name: value for name, value in environ.items() if not name.upper().startswith(_SCRUBBED)}
    return {
        **kept,
        **_credentials(REGION),
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
        # Requests to the own endpoint must not take the way of the user's proxy.
        **_direct(environ),
    }


def aws_environment(endpoint_url: str, region: str) -> dict[str, str]:
    """Give every AWS client the local endpoint and credentials that are worth nothing anywhere else."""
    return {**_credentials(region), "AWS_ENDPOINT_URL": endpoint_url}


def _credentials(region: str) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _direct(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        "NO_PROXY": _with_loopback(environ.get("NO_PROXY") or environ.get("no_proxy") or ""),
        "no_proxy": _with_loopback(environ.get("no_proxy") or environ.get("NO_PROXY") or ""),
    }


def _with_loopback(no_proxy: str) -> str:
    entries = [entry for entry in no_proxy.split(",") if entry.strip()]
    return ",".join([*entries, "127.0.0.1", "localhost", "::1"])
