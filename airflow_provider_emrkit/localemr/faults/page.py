"""``/_emrkit/faults``: see, set and take away faults while the server runs.

Faults are kept in sets. ``/_emrkit/faults/NAME`` is one of them: whoever makes a set (``PUT``) can take it
away again (``DELETE``), and both may be repeated when an answer was lost. ``/_emrkit/faults`` is all of them:
``PUT`` replaces everything, ``POST`` adds a set with a new name, ``DELETE`` takes everything away.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.aws_json import ApiError, error_body
from airflow_provider_emrkit.localemr.faults.checks import InvalidFaultError
from airflow_provider_emrkit.localemr.faults.model import Fault
from airflow_provider_emrkit.localemr.faults.reading import as_json, fault_fields, read_text
from airflow_provider_emrkit.localemr.http import Response, request_body

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from airflow_provider_emrkit.localemr.faults.active import Active, Faults

EVERYTHING = "set"
"""Name of the set that a PUT to the page itself makes."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_METHODS = ("DELETE", "GET", "POST", "PUT")


class FaultsPage:
    """The page.

    :param faults: What it shows and changes.

    >>> FaultsPage(Faults())({"REQUEST_METHOD": "GET"}, "").status  # doctest: +SKIP
    200
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def __call__(self, environ: WSGIEnvironment, rest: str) -> Response:
        """Answer one request.

        :param rest: What follows the page's own path: nothing, or ``/`` and the name of a set.
        """
        name = rest.removeprefix("/")
        try:
            if name and not _NAME.fullmatch(name):
                raise ApiError("NotFound", "A set's name has letters, digits, - and _, at most 64.", 404)
            owner = self._change(environ, name)
        except InvalidFaultError as error:
            return Response(error_body(ApiError("ValidationException", str(error))), 400)
        except ApiError as error:
            return Response(error_body(error), error.status)
        return Response(json.dumps(self._shown(owner)).encode(), content_type="application/json")

    def _change(self, environ: WSGIEnvironment, name: str) -> str | None:
        """Do what is asked for; gives the set to show, None for all."""
        method = environ.get("REQUEST_METHOD")
        if method in ("GET", "HEAD"):
            return name or None
        if method == "DELETE":
            if name:
                self._faults.remove(name)
            else:
                self._faults.clear()
            return name or None
        if method not in _METHODS or (method == "POST" and name):
            raise ApiError("MethodNotAllowed", f"Use {', '.join(_METHODS)}; POST without a name.", 405)
        faults = read_text(request_body(environ) or b"{}")
        owner = name or (EVERYTHING if method == "PUT" else uuid.uuid4().hex)
        self._faults.put(owner, faults, alone=method == "PUT" and not name)
        return owner

    def _shown(self, owner: str | None) -> dict[str, Any]:
        active = self._faults.active(Fault, owner)
        shown: dict[str, Any] = {"faults": as_json(item.fault for item in active)}
        if owner is not None:
            shown["set"] = owner
        return {**shown, "active": [_details(item) for item in active]}


def _details(active: Active[Any]) -> dict[str, Any]:
    return {
        "set": active.owner,
        "kind": active.fault.kind,
        "fields": fault_fields(active.fault),
        "seen": active.seen,
        "struck": active.struck,
    }
