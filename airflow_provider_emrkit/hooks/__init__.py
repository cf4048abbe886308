"""The ``emrkit`` connection, AWS clients, staging to S3 and reading logs. boto3 lives here."""

from __future__ import annotations
