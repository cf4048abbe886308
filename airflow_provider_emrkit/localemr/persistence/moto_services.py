"""moto's services as pickles: which are in use, which a request has used, their state out and in."""

from __future__ import annotations

import contextlib
import importlib
import pickle
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

from moto.core.base_backend import AccountSpecificBackend, BackendDict, BaseBackend

from airflow_provider_emrkit.localemr.persistence.log_events import LogEvents, read_events
from airflow_provider_emrkit.localemr.persistence.pickling import pickled
from airflow_provider_emrkit.localemr.persistence.reducers import reduced

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

# moto's own pages, and what is kept elsewhere.
_NOT_KEPT = ("core", "emr", "emrserverless", "instance_metadata", "moto_api", "s3")

State = dict[tuple[str, str, str], dict[str, Any]]
"""The attributes of each backend of a service, by the name of its class, account and region."""


def is_kept(service: str, *, also_s3: bool = False) -> bool:
    """Tell whether a service is one of those that are pickled.

    :param also_s3: Whether S3 is.
    """
    return service not in _NOT_KEPT or (also_s3 and service == "s3")


def in_use(*, also_s3: bool = False) -> set[str]:
    """Give the services that requests have reached so far, by the names of moto's packages."""
    services = {_service(backends.backend) for backends in _all_backends()}
    return {service for service in services if is_kept(service, also_s3=also_s3)}


def _all_backends() -> list[BackendDict[Any]]:
    """Give what moto resets: the services that are in use."""
    return list(vars(BackendDict)["_instances"])


def _service(backend: type) -> str:
    return _motos(backend).__module__.split(".")[1]


def _motos(backend: type) -> type:
    """Give moto's own class of a backend that may be one of ours."""
    return next(kind for kind in backend.__mro__ if kind.__module__.startswith("moto."))


@contextlib.contextmanager
def noting(note: Callable[[str], None], *, also_s3: bool = False) -> Iterator[None]:
    """Call ``note`` with a service's name whenever moto reaches for its state, also from another service.

    :param also_s3: See :func:`is_kept`.
    """
    original = AccountSpecificBackend.__getitem__
    # Looked up many times in each request.
    names: dict[type, str | None] = {}

    def noted(self: AccountSpecificBackend[Any], region_name: str) -> Any:
        kind = self.backend
        if kind not in names:
            name = _service(kind)
            names[kind] = name if is_kept(name, also_s3=also_s3) else None
        if (kept := names[kind]) is not None:
            note(kept)
        return original(self, region_name)

    AccountSpecificBackend.__getitem__ = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        AccountSpecificBackend.__getitem__ = original  # type: ignore[method-assign]


def dump(service: str, known: Container[str] = ()) -> tuple[bytes, dict[str, bytes | None]]:
    """Pickle the present state of a service.

    :param known: Names of parts that need no pickling any more.
    :return: The state and its parts, see :class:`~.service_file.ServiceFile`.
    :raises Exception: whatever pickling raises.
    """
    events = LogEvents(known)
    state = {
        (_motos(type(backend)).__name__, account, region): vars(backend)
        for backends in _all_backends()
        if _service(backends.backend) == service
        for account, region, backend in list(backends.iter_backends())
    }
    return pickled(state, lambda buffer: _Pickler(buffer, events)), events.parts


def load(service: str, state: bytes, part: Callable[[str], bytes]) -> None:
    """Put a pickled state into a service, all of it or nothing.

    :param part: Gives one of its parts.
    :raises Exception: whatever unpickling raises.
    """
    found: State = _Unpickler(BytesIO(state), part).load()
    targets = [(backend_of(service, *place), attributes) for place, attributes in found.items()]
    for backend, attributes in targets:
        # Over what moto itself has made: another version of it may have attributes more.
        vars(backend).update(attributes)
        _register_buckets(backend)


def backend_of(service: str, name: str, account: str, region: str) -> BaseBackend:
    """Find a backend by the name of its class; moto makes it when it is not there.

    :raises LookupError: when moto has none of that name.
    """
    module = importlib.import_module(f"moto.{service}.models")
    for found in vars(module).values():
        if isinstance(found, BackendDict) and _motos(found.backend).__name__ == name:
            backend: BaseBackend = found[account][region]
            return backend
    raise LookupError(f"moto has no {name} in {service}")


def _register_buckets(backend: Any) -> None:
    """Tell moto whose the buckets are: S3 keeps that beside its backends."""
    for bucket in getattr(backend, "buckets", {}).values() if _service(type(backend)) == "s3" else ():
        models = importlib.import_module("moto.s3.models")
        models.s3_backends.bucket_accounts[bucket.name] = (backend.partition, backend.account_id)


class _Pickler(pickle.Pickler):
    """Leaves out what a state only refers to: backends, of this service and of others, and log events."""

    def __init__(self, buffer: BytesIO, events: LogEvents) -> None:
        super().__init__(buffer, pickle.HIGHEST_PROTOCOL)
        self._events = events

    def reducer_override(self, obj: Any) -> Any:
        """See :mod:`pickle`."""
        kind = type(obj)
        if isinstance(obj, BaseBackend):
            return backend_of, (_service(kind), _motos(kind).__name__, obj.account_id, obj.region_name)
        found = self._events.reduced(obj)
        return reduced(obj) if found is NotImplemented else found


class _Unpickler(pickle.Unpickler):
    def __init__(self, buffer: BytesIO, part: Callable[[str], bytes]) -> None:
        super().__init__(buffer)
        self._part = part

    def find_class(self, module: str, name: str) -> Any:
        """See :mod:`pickle`."""
        found = super().find_class(module, name)
        return partial(read_events, part=self._part) if found is read_events else found
