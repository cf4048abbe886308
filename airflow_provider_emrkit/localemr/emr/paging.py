"""Pages of a list, with markers as EMR gives them: opaque, and good for the list they came from."""

from __future__ import annotations

import base64
from itertools import dropwhile, islice
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_emrkit.localemr.emr.errors import invalid_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PAGE_SIZE = 50

T = TypeVar("T")


def page(
    items: Iterable[T], marker: str | None, key: Callable[[T], str], size: int = PAGE_SIZE
) -> tuple[list[T], str | None]:
    """Cut one page out of a list.

    :param marker: The marker of the page before, or None for the first page.
    :param key: Gives an item's id; the marker names the last item that was shown.
    :return: The page's items and the next page's marker.
    :raises ApiError: ``InvalidRequestException`` for a marker that is none.
    """
    rest = iter(items)
    if marker is not None:
        last = _decoded(marker)
        rest = dropwhile(lambda item: key(item) != last, rest)
        next(rest, None)
    found = list(islice(rest, size + 1))
    more = len(found) > size
    return found[:size], _encoded(key(found[size - 1])) if more else None


def _encoded(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _decoded(marker: str) -> str:
    try:
        return base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise invalid_request(f"Marker '{marker}' is not valid.") from error
