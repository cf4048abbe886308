"""moto's S3 kept at the answer: who is told that a request was done may rely on it."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.aside import put_aside
from airflow_provider_emrkit.localemr.persistence import moto_s3, s3_records
from airflow_provider_emrkit.localemr.persistence.contents import KeptError
from airflow_provider_emrkit.localemr.persistence.marks import Marks
from airflow_provider_emrkit.localemr.persistence.s3_store import S3Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from airflow_provider_emrkit.localemr.persistence.s3_store import Place

log = logging.getLogger(__name__)


class MisfitError(Exception):
    """S3 of this moto is not what is expected; the message says where."""


class KeptS3:
    """All buckets of this process, in a directory.

    :param directory: Theirs alone.
    :param on_others: Called when something changes outside of a request.
    :raises KeptError: when the directory can't be used.

    >>> kept = KeptS3(Path("/tmp/s3"), print)  # doctest: +SKIP
    >>> kept.attach()  # doctest: +SKIP
    """

    def __init__(self, directory: Path, on_others: Callable[[], None]) -> None:
        self._directory = directory
        self._store = S3Store(directory)
        self.marks = Marks(on_others)
        self._attachment = contextlib.ExitStack()
        self._is_failing = False

    def attach(self) -> None:
        """Read what there is into moto, and note what changes from now on.

        :raises MisfitError: when this moto can't be attached to; nothing is read then.
        """
        with contextlib.ExitStack() as stack:
            stack.enter_context(moto_s3.attached(self.marks, self._store.contents))
            why = s3_records.misfit()
            if why is not None:
                raise MisfitError(why)
            self._load(stack)
            self._attachment = stack.pop_all()
        # What reading has noted is on disk.
        self.marks.take_others()

    def keep(self, places: Iterable[Place]) -> None:
        """Write the present state of places.

        :raises KeptError: when that is not possible now; it is tried again with :meth:`keep_others`.
        """
        wanted = list(places)
        if not wanted:
            return
        try:
            self._store.keep(wanted, s3_records.body_of)
        except KeptError as error:
            if not self._is_failing:
                log.error("%s; requests that write to S3 fail until it can", error)
            self._is_failing = True
            self.marks.later(wanted)
            raise
        if self._is_failing:
            log.info("S3 can be kept again")
        self._is_failing = False

    def keep_others(self) -> None:
        """Write what has changed outside of requests, and what could not be written before."""
        for place in self.marks.take_others():
            # One by one: what can't be written must not hinder the others.
            with contextlib.suppress(KeptError):
                self.keep([place])

    def clear(self) -> None:
        """Remove everything from disk that is not in moto any more.

        :raises KeptError: when that is not possible.
        """
        self._store.clear(s3_records.body_of)

    def close(self) -> None:
        """Leave moto as it was before, with nothing in it. Idempotent."""
        self._attachment.close()
        self._store.close()

    def _load(self, stack: contextlib.ExitStack) -> None:
        try:
            self._store.load(s3_records.take_in)
        except KeptError as error:
            log.error("%s", error)
            self._store.close()
            put_aside(self._directory)
            self._store = S3Store(self._directory)
            stack.close()
            stack.enter_context(moto_s3.attached(self.marks, self._store.contents))
