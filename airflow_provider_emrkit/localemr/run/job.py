"""One attempt of an EMR Serverless job run: its process, its logs and how it ended."""

from __future__ import annotations

from airflow_provider_emrkit.localemr.run.contract import JobRunResult


class SparkJob:
    """An attempt that runs, or could not be started; implements the contract's ``RunningJob``."""

    def wait(self) -> JobRunResult:
        """Block until the driver and all its processes are gone and its logs are written."""
        raise NotImplementedError

    def cancel(self, *, force: bool = False) -> None:
        """Ask the driver to end (SIGTERM), or kill it with ``force``. Idempotent."""
        raise NotImplementedError
