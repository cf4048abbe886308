"""EC2 tags, as EMR takes them."""

from __future__ import annotations

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


def check_tag_count(owner: str, field: str, tags: Mapping[str, str]) -> None:
    """Check that a cluster does not get more tags than EMR allows."""
    if len(tags) > MAX_TAGS:
        raise InvalidValueError(owner, field, len(tags), "tags are too many", f"keep it to {MAX_TAGS} in all")
