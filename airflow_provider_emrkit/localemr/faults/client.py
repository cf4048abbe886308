"""Asks a running local EMR for its faults, and sets them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.config import OWN_PAGES
from airflow_provider_emrkit.localemr.faults.checks import InvalidFaultError

if TYPE_CHECKING:
    from collections.abc import Mapping

FAULTS_PATH = f"{OWN_PAGES}faults"

_TIMEOUT = 10.0
_TRIES = 3


class FaultsError(Exception):
    """The local EMR could not be told; the message says why."""


class FaultsClient:
    """Sees and changes the faults of a local EMR.

    :param url: Its address.

    >>> FaultsClient("http://127.0.0.1:5005").show()["faults"]  # doctest: +SKIP
    {'throttle': {'operation': 'ListSteps'}}
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/") + FAULTS_PATH

    def show(self, name: str | None = None) -> Mapping[str, Any]:
        """Give the faults of a set, or of all of them.

        :raises FaultsError: when there is no answer.
        """
        return self._ask("GET", name)

    def put(self, faults: Mapping[str, Any], name: str | None = None) -> Mapping[str, Any]:
        """Set the faults of a set instead of those it has; without a name, these are all there are.

        :raises InvalidFaultError: when they can't be.
        :raises FaultsError: when there is no answer.
        """
        return self._ask("PUT", name, json.dumps(faults).encode())

    def remove(self, name: str | None = None) -> Mapping[str, Any]:
        """Take a set away; without a name, all of them.

        :raises FaultsError: when there is no answer.
        """
        return self._ask("DELETE", name)

    def _ask(self, method: str, name: str | None, body: bytes | None = None) -> Mapping[str, Any]:
        url = f"{self._url}/{name}" if name else self._url
        request = urllib.request.Request(url, data=body, method=method)  # noqa: S310 - the caller's own address
        request.add_header("Content-Type", "application/json")
        # Not through a proxy, whatever the environment says: the address is this machine, or one near it.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for _ in range(_TRIES):
            answer = _answer(opener, request)
            if not isinstance(answer, Exception):
                return answer
            # What was asked for may have been done; all of it may be done twice.
        raise FaultsError(f"the local EMR at {self._url} does not answer: {answer}")


def _answer(
    opener: urllib.request.OpenerDirector, request: urllib.request.Request
) -> Mapping[str, Any] | Exception:
    """Give the answer to a request, or why there is none.

    :raises InvalidFaultError: when the faults are refused.
    :raises FaultsError: when the request is.
    """
    try:
        with opener.open(request, timeout=_TIMEOUT) as response:
            return _object(response.read())
    except urllib.error.HTTPError as error:
        raise _refusal(error.code, error.read()) from error
    except (OSError, ValueError) as error:
        return error


def _object(text: bytes) -> Mapping[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("the answer is no JSON object")  # noqa: TRY004 - it is the text that is wrong
    return value


def _refusal(status: int, text: bytes) -> Exception:
    try:
        answer = _object(text)
    except ValueError:
        answer = {}
    message = str(answer.get("Message") or f"HTTP status {status}: is it a local EMR that knows faults?")
    return (
        InvalidFaultError.of(message)
        if answer.get("__type") == "ValidationException"
        else FaultsError(message)
    )
