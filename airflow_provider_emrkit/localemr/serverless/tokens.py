"""Requests that are repeated with the same ``clientToken`` have the same answer, and are done once."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.serverless.errors import token_conflict
from airflow_provider_emrkit.localemr.serverless.model import ApplicationRecord, RunRecord, Token

if TYPE_CHECKING:
    from collections.abc import Mapping


def token_of(params: Mapping[str, Any]) -> Token:
    """Give a request's token."""
    rest = {name: value for name, value in params.items() if name != "clientToken"}
    text = json.dumps(rest, sort_keys=True, ensure_ascii=False)
    return Token(params["clientToken"], hashlib.sha256(text.encode()).hexdigest())


def repeated(
    token: Token, found: ApplicationRecord | RunRecord | None
) -> ApplicationRecord | RunRecord | None:
    """Give what an earlier request with the same token made; None for the first one.

    :raises ApiError: ``ConflictException`` when that request was another one.
    """
    if found is not None and found.token.digest != token.digest:
        raise token_conflict(token.value)
    return found
