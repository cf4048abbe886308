"""The event logs of Spark applications: where they are, whose they are, and which are kept. No processes."""

from __future__ import annotations


def job_application_id(run_id: str, attempt: int) -> str:
    """Give the id by which Spark knows an attempt of an EMR Serverless job run.

    >>> job_application_id("00f1a2b3c4d5e6f7", 1), job_application_id("00f1a2b3c4d5e6f7", 3)
    ('00f1a2b3c4d5e6f7', '00f1a2b3c4d5e6f7-3')
    """
    return run_id if attempt == 1 else f"{run_id}-{attempt}"
