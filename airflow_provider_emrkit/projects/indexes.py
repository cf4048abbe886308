"""The indexes that a project takes its libraries from, besides PyPI. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from airflow_provider_emrkit.images.pyproject import table
from airflow_provider_emrkit.images.requirements import INDEXES, options_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Poetry's priorities of a source that is asked for what the others lack; the second is an older word for it.
_BEHIND = ("supplemental", "secondary")


def indexes_of(tables: Mapping[str, Any]) -> tuple[str, ...]:
    """Give those that a pyproject.toml names for uv or Poetry to look for all libraries, without logins."""
    uv = table(dict(tables), "tool", "uv")
    urls = [one.get("url") for one in _named(tables) if not _is_explicit(one) and not _is_behind(one)]
    return without_logins([*urls, uv.get("index-url"), *_list(uv.get("extra-index-url"))])


def indexes_behind(tables: Mapping[str, Any]) -> tuple[str, ...]:
    """Give those that Poetry asks for what all the others lack, without logins."""
    return without_logins(one.get("url") for one in _named(tables) if _is_behind(one))


def explicit_indexes_of(tables: Mapping[str, Any]) -> tuple[str, ...]:
    """Give those that it names for some libraries alone: a lock says which these are."""
    return without_logins(one.get("url") for one in _named(tables) if _is_explicit(one))


def indexes_in(requirements: str) -> tuple[str, ...]:
    """Give those that the text of a requirements.txt names, without logins.

    >>> indexes_in("--extra-index-url https://bob:hunter2@pypi.example.com/simple")
    ('https://pypi.example.com/simple',)
    """
    return without_logins(options_in(requirements, INDEXES))


def without_logins(urls: Iterable[Any]) -> tuple[str, ...]:
    """Give what others can look at of some URLs, each once: without its login, and not what is none."""
    found = dict.fromkeys(_without_login(url) for url in urls if isinstance(url, str))
    return tuple(url for url in found if url)


def _named(tables: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the tables that uv and Poetry have of an index each."""
    uv, poetry = (table(dict(tables), "tool", tool) for tool in ("uv", "poetry"))
    return [one for one in (*_list(uv.get("index")), *_list(poetry.get("source"))) if isinstance(one, dict)]


def _is_explicit(index: Mapping[str, Any]) -> bool:
    return index.get("explicit") is True or index.get("priority") == "explicit"


def _is_behind(index: Mapping[str, Any]) -> bool:
    return index.get("priority") in _BEHIND


def _without_login(url: str) -> str:
    """Give an index without its login, which installers find in their settings; empty for what is no URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))
    whole = parts.scheme in ("http", "https") and not re.search(r"[$\s\x00-\x1f]", bare)
    return bare if whole else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
