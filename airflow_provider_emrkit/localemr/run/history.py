"""The pages of finished and running Spark applications: one Spark history server for the instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.config import ServerConfig


class HistoryServer:
    """Spark's history server, started when it is first asked for; implements the contract's ``AppUi``.

    :param config: The server's configuration.

    >>> history = HistoryServer(ServerConfig(data_dir=Path("data")))  # doctest: +SKIP
    >>> history.url("application_1700000000000_0001")  # doctest: +SKIP
    'http://127.0.0.1:40123/history/application_1700000000000_0001/jobs/'
    """

    def __init__(self, config: ServerConfig) -> None:
        self._config = config

    def url(self, application_id: str | None = None) -> str:
        """Give the address of an application's page, or of the list of all; starts the server when needed.

        :param application_id: Id in its event log (see ``event_logs.job_application_id``), or None.
        :raises ClusterStartError: when the server can't be started, with the mend.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """End the server. Idempotent."""
