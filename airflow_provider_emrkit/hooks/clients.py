"""AWS clients: one for each connection, region and service in a process, shared by all its threads."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from airflow_provider_emrkit import __version__
from airflow_provider_emrkit._compat import conf
from airflow_provider_emrkit.exceptions import ConnectionFieldError
from airflow_provider_emrkit.hooks.quotas import Quotas, install, read_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_emrkit.hooks.settings import EmrKitSettings

Service = Literal["cloudwatch", "ecr", "emr", "emr-serverless", "logs", "s3", "sqs", "sts"]

# Seconds after which a changed connection is noticed in a process that lives long, such as the triggerer.
MAX_AGE = 900.0
# Attempts at a call where not five: logs are looked at again anyhow, and whoever waits for a minute with each
# attempt holds up the logs of others.
ATTEMPTS: Mapping[str, int] = {"logs": 3}
USER_AGENT = f"emrkit/{__version__}"

# Where AWS's own quotas hold, private endpoints in a VPC included.
_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


@dataclass
class AwsClients:
    """The clients of one connection in one region. Thread-safe.

    :param session: boto3 session with the credentials, refreshed by boto3 itself.
    :param region_name: AWS region.
    :param endpoint_for: Gives the endpoint URL of a service, or None for AWS's own.
    :param config: botocore configuration of the AWS connection.
    :param verify: The AWS connection's ``verify``.
    :param quotas: What the calls of all these clients together are held to.

    >>> EmrKitHook().clients.client("emr").list_clusters()  # doctest: +SKIP
    """

    session: Any
    region_name: str
    endpoint_for: Callable[[str], str | None]
    config: Any = None
    verify: bool | str | None = None
    quotas: Quotas = field(default_factory=lambda: Quotas({}))
    _made: dict[tuple[str, bool, str], Any] = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def client(self, service: Service, *, retries: bool = True, region: str | None = None) -> Any:
        """Give the client of a service, made at its first use.

        :param retries: False for calls that must not be sent twice, because AWS has no way to tell.
        :param region: AWS region, where it is another one than that of these clients.
        """
        with self._lock:  # making a client of a session is not thread-safe, using it is
            key = (service, retries, region or self.region_name)
            if key not in self._made:
                self._made[key] = self._make(*key)
            return self._made[key]

    @property
    def has_own_endpoint(self) -> bool:
        """Whether EMR is reached at another address than AWS's, where no AWS console shows anything."""
        return not _is_of_aws(self.endpoint_for("emr"))

    def _make(self, service: Service, retries: bool, region: str) -> Any:
        from botocore.config import Config

        endpoint = self.endpoint_for(service)
        config = Config(
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS.get(service, 5)},
            user_agent_extra=USER_AGENT,
            connect_timeout=10,
            read_timeout=60,
        )
        if endpoint and service == "s3":
            # A bucket's name in front of a local address resolves to nothing.
            config = config.merge(Config(s3={"addressing_style": "path"}))
        if self.config is not None:
            config = config.merge(self.config)
        if not retries:
            config = config.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
        client = self.session.client(
            service, region_name=region, endpoint_url=endpoint, config=config, verify=self.verify
        )
        install(client, self.quotas)
        return client


@dataclass
class _Registry:
    """The clients of this process, made again when they are old."""

    entries: dict[tuple[str, str | None], tuple[float, AwsClients]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: tuple[str, str | None], make: Callable[[], AwsClients]) -> AwsClients:
        now = time.monotonic()
        with self.lock:
            found = self.entries.get(key)
            if found and now - found[0] < MAX_AGE:
                return found[1]
        # Outside the lock: making them asks Airflow for a connection, which may wait for another thread.
        clients = make()
        with self.lock:
            current = self.entries.get(key)
            if current is not None and current is not found:
                return current[1]  # another thread was quicker
            if found and found[1].quotas.limits == clients.quotas.limits:
                clients.quotas = found[1].quotas  # what was used up is used up for new clients too
            self.entries[key] = (now, clients)
        return clients

    def clear(self) -> None:
        with self.lock:
            self.entries.clear()

    def expire(self, key: tuple[str, str | None]) -> None:
        with self.lock:
            if found := self.entries.get(key):
                self.entries[key] = (float("-inf"), found[1])


_registry = _Registry()


def shared_clients(
    emrkit_conn_id: str, region_name: str | None, make: Callable[[], AwsClients]
) -> AwsClients:
    """Give this process's clients of a connection and region.

    :param make: Makes them, when there are none or they are older than :data:`MAX_AGE` seconds.
    """
    return _registry.get((emrkit_conn_id, region_name), make)


def forget_clients() -> None:
    """Drop all clients of this process, for instance because a test changed a connection."""
    _registry.clear()


def renew_clients(emrkit_conn_id: str, region_name: str | None) -> None:
    """Have the clients of a connection and region made again at their next use: AWS refuses these."""
    _registry.expire((emrkit_conn_id, region_name))


def make_clients(settings: EmrKitSettings, conn_id: str, region_name: str | None = None) -> AwsClients:
    """Build the clients of a connection on the amazon provider, so that all its credentials work.

    Roles to assume, profiles, SAML, secrets backends and per-service endpoints come from the AWS connection.

    :param region_name: Region, where it must not be the connection's.
    :raises ConnectionFieldError: when there is no region.
    """
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook

    region = region_name or settings.region_name
    hook: Any = AwsGenericHook(aws_conn_id=settings.aws_conn_id, client_type="emr", region_name=region)
    session = hook.get_session(region_name=region)
    if not session.region_name:
        raise ConnectionFieldError(
            f"connection {conn_id}, field region_name: no AWS region is set; "
            "put it there or into the AWS connection"
        )

    def endpoint_for(service: str) -> str | None:
        own: str | None = hook.conn_config.get_service_endpoint_url(service)
        return settings.endpoint_url or own

    quotas = _quotas(endpoint_for("emr"))
    return AwsClients(session, session.region_name, endpoint_for, hook.config, hook.verify, quotas)


def _quotas(endpoint: str | None) -> Quotas:
    """Give AWS's quotas; another address than AWS's, such as a local EMR, has those that are set, if any."""
    configured = conf.get("emrkit", "api_quotas", fallback="") or ""
    return Quotas(read_limits(configured) if configured or _is_of_aws(endpoint) else {})


def _is_of_aws(endpoint: str | None) -> bool:
    """Tell AWS's own addresses, those of a VPC included, from a local EMR's."""
    return endpoint is None or (urlsplit(endpoint).hostname or "").endswith(_AWS_HOSTS)
