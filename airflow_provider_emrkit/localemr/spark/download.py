"""A large file from a package index, which goes on where it was interrupted.

uv begins a download again when it was killed; Spark's are hundreds of megabytes. What is here of a file is in
a ``.part`` beside it, and is checked against the index's digest when it is whole.
"""

from __future__ import annotations

import hashlib
import threading
import time
from typing import TYPE_CHECKING

import requests

from airflow_provider_emrkit.localemr.spark.package_index import (
    TIMEOUT,
    IndexFile,
    find_file,
    index_urls,
    new_session,
)
from airflow_provider_emrkit.localemr.spark.transfer import Progress, Transfer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CHUNK = 256 * 1024
_TELL_EVERY = 1.0
_MOST_FAILURES = 5
"""Failures in a row, none of which brought anything, after which nothing is tried any more."""
_PAUSE = 2.0


class DownloadError(Exception):
    """A file that did not arrive; the message says why."""


def locate(uv: str, project: str, name: str, environ: Mapping[str, str]) -> IndexFile | None:
    """Find a file on the user's package index.

    :param uv: uv's program, which knows where that is.
    :param environ: Variables as uv reads them.
    :returns: None when it is not where we look: uv knows more places, and more ways to ask.
    """
    with new_session(environ) as session:
        for index in index_urls(uv, environ):
            try:
                found = find_file(session, index, project, name)
            except requests.RequestException:
                return None
            if found:
                return found
    return None


def download(
    file: IndexFile, directory: Path, title: str, progress: Progress, environ: Mapping[str, str]
) -> Path:
    """Have a file in a directory, going on with what an earlier attempt left there.

    :param title: What the user calls it.
    :param progress: Hears every second how far it is.
    :raises DownloadError: when it does not arrive, or not as the index says.
    """
    target = directory / file.name
    if target.is_file():
        return target
    directory.mkdir(parents=True, exist_ok=True)
    part = directory / f"{file.name}.{file.sha256[:16]}.part"
    with new_session(environ) as session:
        _receive(session, file, part, _Meter(title, file.size, progress))
    if file.sha256 and _digest(part) != file.sha256:
        part.unlink()
        raise DownloadError("what arrived is not what the index says (SHA-256); try again")
    part.replace(target)
    return target


def _receive(session: requests.Session, file: IndexFile, part: Path, meter: _Meter) -> None:
    """Fill the part, over as many connections as it takes."""
    pause, failures = threading.Event(), 0
    while True:
        before = _size(part)
        try:
            _receive_once(session, file, part, meter)
        except requests.RequestException as error:
            failures = 0 if _size(part) > before else failures + 1
            if failures >= _MOST_FAILURES or _is_final(error):
                raise DownloadError(_reason(error, _size(part))) from error
            pause.wait(_PAUSE * failures)
        else:
            return


def _receive_once(session: requests.Session, file: IndexFile, part: Path, meter: _Meter) -> None:
    there = _size(part)
    if file.size and there == file.size:
        return
    # Without identity a server may pack it once more, and offsets would mean something else.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={there}-"} if there else {})}
    with session.get(file.url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            if _total(answer) == there:
                return
            part.unlink()
            raise requests.ConnectionError("the file on the index is another one now")
        answer.raise_for_status()
        goes_on = answer.status_code == requests.codes.partial_content
        length = int(answer.headers.get("Content-Length") or 0)
        meter.begin(there if goes_on else 0, length)
        with part.open("ab" if goes_on else "wb") as out:
            # iter_content raises requests' own errors; an identity encoding is left as it is.
            for chunk in answer.iter_content(_CHUNK):
                out.write(chunk)
                meter.add(len(chunk))
    whole = file.size or meter.total
    if whole and _size(part) != whole:
        raise requests.ConnectionError(f"only {_size(part)} of {whole} bytes came")


class _Meter:
    """Tells a listener how far a download is."""

    def __init__(self, title: str, total: int, progress: Progress) -> None:
        self.total = total
        self._title = title
        self._progress = progress
        self._done = self._began_with = 0
        self._started = self._told = 0.0

    def begin(self, done: int, more: int) -> None:
        self.total = self.total or (done + more if more else 0)
        self._done = self._began_with = done
        self._started = time.monotonic()
        self._tell()

    def add(self, count: int) -> None:
        self._done += count
        if time.monotonic() - self._told >= _TELL_EVERY or self._done == self.total:
            self._tell()

    def _tell(self) -> None:
        self._told = time.monotonic()
        seconds = self._told - self._started
        speed = (self._done - self._began_with) / seconds if seconds > 0 else 0.0
        self._progress(Transfer(self._title, self._done, self.total, speed))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _total(answer: requests.Response) -> int:
    """Read the whole size from a refused range: ``bytes */123``."""
    text = answer.headers.get("Content-Range", "").rpartition("/")[2]
    return int(text) if text.isdecimal() else -1


def _is_final(error: requests.RequestException) -> bool:
    status = error.response.status_code if error.response is not None else 0
    return 400 <= status < 500 and status != requests.codes.too_many_requests


def _reason(error: requests.RequestException, arrived: int) -> str:
    if error.response is not None:
        what = f"the index answers {error.response.status_code}"
    else:
        # Not the error's own text: it may hold the address, and that a password.
        what = f"the connection breaks ({type(error).__name__})"
    return f"{what}; {arrived // (1024 * 1024)} MB are kept, and the next attempt goes on from there"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        found = hashlib.sha256()
        while chunk := file.read(1 << 20):
            found.update(chunk)
    return found.hexdigest()
