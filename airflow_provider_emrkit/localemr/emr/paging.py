"""Pages of EMR's lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from airflow_provider_emrkit.localemr.emr.errors import invalid_request
from airflow_provider_emrkit.localemr.paging import MarkerError, cut_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PAGE_SIZE = 50

T = TypeVar("T")


def page(
    items: Iterable[T],
    marker: str | None,
    key: Callable[[T], str],
    size: int = PAGE_SIZE,
    keep: Callable[[T], bool] = lambda _: True,
) -> tuple[list[T], str | None]:
    """Cut one page out of a list; see :func:`airflow_provider_emrkit.localemr.paging.cut_page`.

    :raises ApiError: ``InvalidRequestException`` for a marker that is none.
    """
    try:
        return cut_page(items, marker, key, size, keep)
    except MarkerError as error:
        raise invalid_request(f"Marker '{marker}' is not valid.") from error
