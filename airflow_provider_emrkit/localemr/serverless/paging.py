"""Pages of EMR Serverless' lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from airflow_provider_emrkit.localemr.paging import MarkerError, cut_page
from airflow_provider_emrkit.localemr.serverless.errors import validation_error
from airflow_provider_emrkit.localemr.serverless.model import ApplicationRecord, AttemptRecord, RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_emrkit.localemr.call import Call

PAGE_SIZE = 50

T = TypeVar("T", ApplicationRecord, RunRecord, AttemptRecord)


def listed(items: Iterable[T], call: Call, keep: Callable[[T], bool]) -> tuple[list[T], str | None]:
    """Cut the page out of a list that a request asks for.

    :param keep: Which items are shown.
    :return: The page's items, and the next page's token.
    :raises ApiError: ``ValidationException`` for a token that is none.
    """
    token, size = call.params.get("nextToken"), call.params.get("maxResults", PAGE_SIZE)
    try:
        return cut_page(items, token, _key, size, keep)
    except MarkerError as error:
        raise validation_error(f"nextToken '{token}' is not valid") from error


def _key(item: ApplicationRecord | RunRecord | AttemptRecord) -> str:
    return str(item.number) if isinstance(item, AttemptRecord) else item.id
