"""Tags, as EMR and EMR Serverless take them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import InvalidValueError, check_mapping, check_sendable, check_text

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_TAGS = 50
MAX_KEY = 128
MAX_VALUE = 256
OWN_PREFIX = "emrkit:"
RESERVED_PREFIXES = ("aws:", OWN_PREFIX)

_NOT_SERVERLESS = re.compile(r"[^A-Za-z0-9 /_.:=+@-]")


def checked_tags(owner: str, field: str, value: Any) -> dict[str, str]:
    """Check a DAG author's tags against EMR's limits, and copy them.

    :raises InvalidValueError: when there are too many, one is too long, or a key is reserved.
    """
    checked = {}
    for key, text in check_mapping(owner, field, value).items():
        check_text(owner, f"{field} key", key, maximum=MAX_KEY)
        if key.lower().startswith(RESERVED_PREFIXES):
            mend = f"use keys that do not start with {' or '.join(RESERVED_PREFIXES)}"
            raise InvalidValueError(owner, f"{field} key", key, "is reserved", mend)
        check_sendable(owner, f"{field}[{key!r}]", text)
        if len(text) > MAX_VALUE and not is_template(text):
            problem = f"is longer than {MAX_VALUE} characters"
            raise InvalidValueError(owner, f"{field}[{key!r}]", text, problem, "shorten it")
        checked[key] = text
    check_tag_count(owner, field, checked)
    return checked


def checked_serverless_tags(owner: str, field: str, value: Any) -> dict[str, str]:
    """Check a DAG author's tags against the limits of EMR Serverless, and copy them.

    :raises InvalidValueError: as :func:`checked_tags`; also for characters that only EMR takes.
    """
    checked = checked_tags(owner, field, value)
    for key, text in checked.items():
        for where, part in ((f"{field} key", key), (f"{field}[{key!r}]", text)):
            if not is_template(part) and _NOT_SERVERLESS.search(part):
                mend = "use ASCII letters, digits, spaces and / _ . : = + @ -"
                problem = "holds characters that EMR Serverless does not take"
                raise InvalidValueError(owner, where, part, problem, mend)
    return checked


def serverless_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Give tags with a ``_`` for each character that EMR Serverless does not take.

    >>> serverless_tags({"emrkit:dag_id": "Zürich"})
    {'emrkit:dag_id': 'Z_rich'}
    """
    return {key: _NOT_SERVERLESS.sub("_", text) for key, text in tags.items()}


def check_tag_count(owner: str, field: str, tags: Mapping[str, str]) -> None:
    """Check that a cluster does not get more tags than EMR allows."""
    if len(tags) > MAX_TAGS:
        raise InvalidValueError(owner, field, len(tags), "tags are too many", f"keep it to {MAX_TAGS} in all")
