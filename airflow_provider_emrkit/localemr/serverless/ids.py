"""Ids and ARNs of EMR Serverless."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.config import ACCOUNT_ID

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.serverless.model import RunRecord

_ALPHABET = "0123456789abcdefghijklmnopqrstuv"
_ARN = re.compile(r"arn:[^:]+:emr-serverless:([^:]+):(\d+):/applications/(\w+)(?:/(jobruns|sessions)/(\w+))?")

CREATED_BY = f"arn:aws:iam::{ACCOUNT_ID}:user/localemr"
"""Who makes job runs here."""


def new_id() -> str:
    """Make an id such as ``00f1a2b3c4d5e6f7``, for an application or a job run."""
    return "00" + "".join(secrets.choice(_ALPHABET) for _ in range(14))


def application_arn(region: str, application_id: str) -> str:
    """Give an application's ARN."""
    return f"arn:aws:emr-serverless:{region}:{ACCOUNT_ID}:/applications/{application_id}"


def run_arn(run: RunRecord) -> str:
    """Give a job run's ARN."""
    return f"{application_arn(run.region, run.application_id)}/jobruns/{run.id}"


def parse_arn(arn: str) -> tuple[str, str, str, str | None, str | None]:
    """Take the ARN of a resource apart.

    :return: Region, account, application id, and kind (``jobruns`` or ``sessions``) and id of what belongs
        to it.
    :raises ValueError: for a text that is none.

    >>> parse_arn("arn:aws:emr-serverless:us-east-1:123456789012:/applications/00a/jobruns/00b")
    ('us-east-1', '123456789012', '00a', 'jobruns', '00b')
    """
    found = _ARN.fullmatch(arn)
    if found is None:
        raise ValueError(f"{arn!r} is no ARN of EMR Serverless")
    return found[1], found[2], found[3], found[4], found[5]
