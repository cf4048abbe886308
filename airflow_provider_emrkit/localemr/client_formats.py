"""What points clients at a local EMR, in the forms that ``emrkit local env`` prints."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.config import (
    REGION,
    aws_environment,
    client_environment,
    connection_uri,
    connections,
    misleading,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.localemr.s3_access import S3Access


def shell(url: str, environ: Mapping[str, str], s3: S3Access | None = None) -> list[str]:
    """Give the commands for a POSIX shell.

    :param url: The local EMR's address.
    :param environ: AWS settings in here that could lead elsewhere are unset.
    :param s3: How its S3 is reached, where that is not the built-in one.
    """
    return [
        *(f"unset {shlex.quote(name)}" for name in misleading(environ)),
        *(
            f"export {name}={shlex.quote(value)}"
            for name, value in client_environment(url, environ, s3).items()
        ),
    ]


def as_json(url: str, environ: Mapping[str, str], s3: S3Access | None = None) -> list[str]:
    """Give one JSON object of the variables."""
    return json.dumps(client_environment(url, environ, s3), indent=1).splitlines()


def dotenv(url: str, environ: Mapping[str, str], s3: S3Access | None = None) -> list[str]:  # noqa: ARG001 - a file is for any environment
    """Give the lines of an env file; no value needs quotes, which its readers don't agree on."""
    uris = {
        f"AIRFLOW_CONN_{conn_id.upper()}": connection_uri(one)
        for conn_id, one in connections(url, s3).items()
    }
    keys = {**aws_environment(url, REGION), **(s3.environment if s3 else {})}
    return [f"{name}={value}" for name, value in {**keys, **uris}.items()]


def airflow(url: str, environ: Mapping[str, str], s3: S3Access | None = None) -> list[str]:  # noqa: ARG001 - a file is for any environment
    """Give a file for ``airflow connections import``."""
    return json.dumps(connections(url, s3), indent=1).splitlines()


FORMATS = {"shell": shell, "json": as_json, "dotenv": dotenv, "airflow": airflow}
