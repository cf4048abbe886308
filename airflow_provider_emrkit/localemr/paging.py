"""Pages of a list, with markers as AWS gives them: opaque, and good for the list they came from."""

from __future__ import annotations

import base64
from itertools import dropwhile, islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")

_NOTHING = object()


class MarkerError(ValueError):
    """A marker that none of our pages gave."""


def cut_page(
    items: Iterable[T],
    marker: str | None,
    key: Callable[[T], str],
    size: int,
    keep: Callable[[T], bool] = lambda _: True,
) -> tuple[list[T], str | None]:
    """Cut one page out of a list.

    :param marker: The marker of the page before, or None for the first page.
    :param key: Gives an item's id; the marker names the last item that was shown.
    :param keep: Which items are shown. The marker's item may have ceased to be one of them since: whoever
        cancels what a page shows before asking for the next one still gets the rest.
    :return: The page's items and the next page's marker.
    :raises MarkerError: for a marker that is none.

    >>> cut_page(["a", "b", "c"], None, str, 2)
    (['a', 'b'], 'Yg==')
    """
    rest = iter(items)
    if marker is not None:
        last = _decoded(marker)
        rest = dropwhile(lambda item: key(item) != last, rest)
        if next(rest, _NOTHING) is _NOTHING:
            raise MarkerError(marker)
    found = list(islice(filter(keep, rest), size + 1))
    more = len(found) > size
    return found[:size], _encoded(key(found[size - 1])) if more else None


def _encoded(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _decoded(marker: str) -> str:
    try:
        return base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise MarkerError(marker) from error
