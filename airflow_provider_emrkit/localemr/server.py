"""The HTTP server: one process, one port, every AWS API."""

from __future__ import annotations

import errno
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from airflow_provider_emrkit import __version__
from airflow_provider_emrkit.localemr.config import ServerConfig
from airflow_provider_emrkit.localemr.emr.context import Emr
from airflow_provider_emrkit.localemr.emr.events import StateEvents
from airflow_provider_emrkit.localemr.emr.journal import Journal
from airflow_provider_emrkit.localemr.emr.service import EmrApi, EmrService
from airflow_provider_emrkit.localemr.external_s3 import ExternalS3
from airflow_provider_emrkit.localemr.faults.active import Faults
from airflow_provider_emrkit.localemr.faults.page import FaultsPage
from airflow_provider_emrkit.localemr.faults.reading import read_file
from airflow_provider_emrkit.localemr.faults.requests import FaultyRequests
from airflow_provider_emrkit.localemr.moto_app import MotoApp
from airflow_provider_emrkit.localemr.persistence.state import KeptState
from airflow_provider_emrkit.localemr.record_file import JOURNAL_FILE
from airflow_provider_emrkit.localemr.router import Router, Service
from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.contract import AppUi, ClusterRunner, JobRunner
from airflow_provider_emrkit.localemr.s3_access import s3_access
from airflow_provider_emrkit.localemr.serverless.context import Serverless
from airflow_provider_emrkit.localemr.serverless.events import ServerlessEvents
from airflow_provider_emrkit.localemr.serverless.images import ImageDigests
from airflow_provider_emrkit.localemr.serverless.journal import ServerlessJournal
from airflow_provider_emrkit.localemr.serverless.service import ServerlessApi, ServerlessService
from airflow_provider_emrkit.localemr.spark_page import SPARK_PAGE, SparkPage, spark_page_url

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

access_log = logging.getLogger("airflow_provider_emrkit.localemr.access_log")

RunnerFactory = Callable[[ServerConfig], ClusterRunner]
JobRunnerFactory = Callable[[ServerConfig], JobRunner]
AppUiFactory = Callable[[ServerConfig], AppUi]


class PortTakenError(Exception):
    """Another process listens on the port."""


class AddressError(Exception):
    """The address can't be listened on, whoever else does; the message says why."""


@dataclass(frozen=True)
class Identity:
    """Who this server is, for its health page.

    :param instance: Random id of this start of the server.
    :param pid: Its process id.
    :param started: Its start time, ISO 8601.
    """

    instance: str
    pid: int
    started: str


class LocalEmr:
    """A running local EMR.

    :param config: Where to listen; a port 0 is replaced by the one the system chose.
    :param make_runner: Makes what runs clusters.
    :param identity: What the health page says of this server.
    :param make_job_runner: Makes what runs EMR Serverless jobs.
    :param make_app_ui: Makes what shows Spark applications.
    :param hold_seconds: How long a waiter's request is held back for news.
    :param bucket: A bucket that is always there, for staging and logs.
    :raises PortTakenError: when another process listens on the port.
    :raises AddressError: when this machine can't listen on the address.
    :raises S3AccessError: when the settings of an external S3 can't be used.
    :raises InvalidFaultError: when the configured faults can't be.
    :raises JournalError: when the clusters of an earlier start can't be read, or none be kept.
    :raises KeptError: when the content of S3 and other services can't be.

    >>> parts = {"make_job_runner": SparkJobRunner, "make_app_ui": HistoryServer}  # doctest: +SKIP
    >>> with LocalEmr(config, SparkClusterRunner, identity, **parts) as server:  # doctest: +SKIP
    ...     print(server.config.url)
    """

    def __init__(
        self,
        config: ServerConfig,
        make_runner: RunnerFactory,
        identity: Identity,
        *,
        make_job_runner: JobRunnerFactory,
        make_app_ui: AppUiFactory,
        hold_seconds: float = 20.0,
        bucket: str | None = None,
    ) -> None:
        self.faults = Faults(read_file(config.faults))
        s3_access(config)
        listener = _listen(config)
        self.config = replace(config, port=listener.getsockname()[1])
        self._identity = identity
        self.runner = make_runner(self.config)
        self.job_runner = make_job_runner(self.config)
        # After the runners, which have ended what an earlier process left running.
        self.app_ui = make_app_ui(self.config)
        journal = None if config.ephemeral else Journal(config.data_dir / JOURNAL_FILE)
        self.emr = Emr(
            self.runner, self._page_url, hold_seconds=hold_seconds, journal=journal, faults=self.faults
        )
        self.emr.store.changes.subscribe(StateEvents(self._own_client("events"), self.emr.now))
        s3 = s3_access(self.config)
        self._external_s3 = ExternalS3(s3, bucket) if s3.is_external else None
        state = None if config.ephemeral else KeptState(config.data_dir)
        self._others = MotoApp(None if self._external_s3 else bucket, state)
        self.serverless = self._make_serverless(hold_seconds)
        services: list[Service] = [
            EmrService(EmrApi(self.emr)),
            ServerlessService(ServerlessApi(self.serverless)),
        ]
        if self._external_s3:
            services.append(self._external_s3)
        router = Router(
            services,
            self._others,
            self.health,
            config.allowed_hosts,
            pages={"faults": FaultsPage(self.faults), SPARK_PAGE: SparkPage(self.app_ui)},
            resets=[self.faults.reset],
        )
        self._server = _http_server(self.config, FaultyRequests(router, self.faults), listener)
        self._thread = threading.Thread(target=self._server.serve_forever, name="localemr-http", daemon=True)

    def _make_serverless(self, hold_seconds: float) -> Serverless:
        journal = None if self.config.ephemeral else ServerlessJournal(self.config.data_dir / JOURNAL_FILE)
        serverless = Serverless(
            self.job_runner,
            self._page_url,
            hold_seconds=hold_seconds,
            journal=journal,
            digests=ImageDigests(self._own_client("ecr")),
            faults=self.faults,
        )
        serverless.store.changes.subscribe(ServerlessEvents(self._own_client("events"), serverless.now))
        return serverless

    def __enter__(self) -> LocalEmr:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Answer requests, in threads of their own."""
        self._thread.start()
        threading.Thread(target=self._others.warm_up, name="localemr-warm-up", daemon=True).start()
        if self._external_s3:
            self._external_s3.start()

    def stop(self) -> bool:
        """End all clusters and job runs, then the server; False when one did not end."""
        # In this order: steps and jobs write their last logs through this very server.
        with ThreadPoolExecutor(2) as pool:
            clean = all(pool.map(lambda end: end(), (self.emr.stop, self.serverless.stop)))
        self.app_ui.stop()
        if self._external_s3:
            self._external_s3.stop()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._others.close()
        self.emr.store.close()
        self.serverless.store.close()
        return clean

    def _page_url(self, application_id: str | None) -> str:
        return spark_page_url(self.config.url, application_id)

    def _own_client(self, service: str) -> Callable[[str], Any]:
        return lambda region: aws_client(service, self.config.url, region)

    def health(self) -> Mapping[str, Any]:
        """Give what ``/_emrkit/health`` shows."""
        clusters, steps = self.emr.store.count()
        applications, runs = self.serverless.store.count()
        return {
            "status": "ok",
            "version": __version__,
            "pid": self._identity.pid,
            "instance": self._identity.instance,
            "started": self._identity.started,
            "url": self.config.url,
            "s3": s3_access(self.config).url,
            "data_dir": str(self.config.data_dir),
            "clusters": clusters,
            "steps": steps,
            "applications": applications,
            "job_runs": runs,
        }


class _RequestHandler(MotoRequestHandler):
    """HTTP/1.1, and an access log that goes to a logger instead of the terminal."""

    protocol_version = "HTTP/1.1"

    def handle_expect_100(self) -> bool:
        """Leave ``100 Continue`` to werkzeug, which sends it; twice would be once too often."""
        return True

    def connection_dropped(self, error: BaseException, environ: WSGIEnvironment | None = None) -> None:
        """Close the connection: what is left of a request's body would be taken for the next request."""
        self.close_connection = True
        super().connection_dropped(error, environ)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Write one line of the access log."""
        level = logging.ERROR if type == "error" else logging.INFO
        access_log.log(level, "%s " + message.rstrip(), self.address_string(), *args)


def _listen(config: ServerConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((config.host, config.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        wrong = PortTakenError if error.errno == errno.EADDRINUSE else AddressError
        raise wrong(f"{config.host}:{config.port}: {error.strerror or error}") from error
    return listener


def _http_server(config: ServerConfig, app: WSGIApplication, listener: socket.socket) -> BaseWSGIServer:
    with listener:
        return make_server(
            config.host,
            config.port,
            app,
            threaded=True,
            request_handler=_RequestHandler,
            fd=listener.fileno(),
        )
