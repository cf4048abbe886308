"""Finding one file on a Python package index, as uv would: PEP 503 and 691, with the user's settings."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHA256 = re.compile(r"[0-9a-f]{64}")
_UV_SECONDS = 30
_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
TIMEOUT = (10.0, 60.0)
"""Seconds for a connection, and of silence within an answer."""


@dataclass(frozen=True)
class IndexFile:
    """A file of an index.

    :param name: e.g. ``pyspark-3.5.6.tar.gz``.
    :param url: Where it is; may hold a password, and is never shown.
    :param size: Its bytes; 0 when the index does not say.
    :param sha256: Its digest in hex; empty when the index does not say.
    """

    name: str
    url: str
    size: int = 0
    sha256: str = ""


def new_session(environ: Mapping[str, str]) -> requests.Session:
    """Make a session with the user's certificates; proxies and ``.netrc`` it reads itself."""
    session = requests.Session()
    bundle = environ.get("SSL_CERT_FILE")
    if bundle and Path(bundle).is_file():
        session.verify = bundle
    return session


def index_urls(uv: str, environ: Mapping[str, str]) -> list[str]:
    """Give the addresses of the user's indexes in the order in which uv asks them.

    uv itself says which ones they are: it has files and variables for them.

    :param uv: uv's program.
    :param environ: Variables as uv reads them.
    :returns: Nothing when there is to be no network.
    """
    if environ.get("UV_OFFLINE") or environ.get("UV_NO_INDEX"):
        return []
    argv = [uv, "pip", "compile", "--offline", "--no-header", "--emit-index-url", "--quiet"]
    # Of no requirements: nothing is asked of an index, or installed.
    argv += ["--python", sys.executable, "-"]
    done = subprocess.run(
        argv, input="", capture_output=True, text=True, check=False, env=dict(environ), timeout=_UV_SECONDS
    )
    options = [line.partition(" ") for line in done.stdout.splitlines()]
    more = [url for name, _, url in options if name == "--extra-index-url"]
    default = [url for name, _, url in options if name == "--index-url"]
    return [url for url in (*more, *default) if urlsplit(url).scheme in ("http", "https")]


def find_file(session: requests.Session, index: str, project: str, name: str) -> IndexFile | None:
    """Find a file of a project; None when the index does not have it.

    :param project: Name of the project, as indexes write it.
    :param name: Name of the file.
    :raises requests.RequestException: when the index can't be asked.
    """
    answer = session.get(f"{index.rstrip('/')}/{project}/", headers={"Accept": _ACCEPT}, timeout=TIMEOUT)
    if answer.status_code == requests.codes.not_found:
        return None
    answer.raise_for_status()
    is_json = "json" in answer.headers.get("Content-Type", "")
    files = _from_json(answer.text) if is_json else _from_html(answer.text)
    found = next((file for file in files if file.name == name), None)
    return replace(found, url=_with_password_of(index, urljoin(answer.url, found.url))) if found else None


def _from_json(text: str) -> list[IndexFile]:
    try:
        entries: list[dict[str, Any]] = json.loads(text)["files"]
        return [
            IndexFile(
                entry["filename"],
                entry["url"],
                int(entry.get("size") or 0),
                _checked(entry["hashes"].get("sha256", "")),
            )
            for entry in entries
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _from_html(text: str) -> list[IndexFile]:
    reader = _Links()
    reader.feed(text)
    files = []
    for link in reader.links:
        url, _, fragment = link.partition("#")
        digest = _checked(fragment.removeprefix("sha256="))
        files.append(IndexFile(unquote(urlsplit(url).path.rpartition("/")[2]), url, 0, digest))
    return files


def _checked(digest: str) -> str:
    return digest if _SHA256.fullmatch(digest) else ""


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]


def _with_password_of(index: str, url: str) -> str:
    """Put the user and password of an index into an address of the same server that has none."""
    ours, parts = urlsplit(index), urlsplit(url)
    if not ours.username or parts.username or (parts.scheme, parts.hostname) != (ours.scheme, ours.hostname):
        return url
    return urlunsplit(parts._replace(netloc=f"{ours.netloc.rpartition('@')[0]}@{parts.netloc}"))
