"""All services but S3, each in a file of its own."""

from __future__ import annotations

import hashlib
import logging
import threading
from typing import TYPE_CHECKING

import moto

from airflow_provider_emrkit.localemr.aside import put_aside
from airflow_provider_emrkit.localemr.persistence import moto_services
from airflow_provider_emrkit.localemr.persistence.contents import KeptError
from airflow_provider_emrkit.localemr.persistence.service_file import ServiceFile

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

_SUFFIX = ".db"


class KeptServices:
    """The services' states as files of a directory.

    :param directory: Theirs alone; made when it is not there.
    :raises KeptError: when it can't be made.

    >>> services = KeptServices(Path("/tmp/services"))  # doctest: +SKIP
    >>> services.load()  # doctest: +SKIP
    >>> services.save("sqs")  # doctest: +SKIP
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._files: dict[str, ServiceFile] = {}
        self._digests: dict[str, bytes] = {}
        self._complaints: set[str] = set()
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise KeptError(f"{directory} can't be made: {error.strerror or error}") from error

    def load(self) -> None:
        """Read all services; one that can't be read is put aside."""
        for path in sorted(self._directory.glob(f"*{_SUFFIX}")):
            self._load_or_put_aside(path)

    def names(self) -> set[str]:
        """Give the services that are on disk."""
        return set(self._files)

    def save(self, service: str) -> bool:
        """Write a service if it has changed; what hinders that is logged once.

        :return: False when it may go better the next time.
        """
        with self._lock:
            try:
                self._save(service)
            except Exception as error:  # pickling may raise anything
                self._complain(service, error)
                return not isinstance(error, KeptError)
            self._complaints.discard(service)
            return True

    def clear(self) -> None:
        """Remove everything."""
        with self._lock:
            self._files.clear()
            self._digests.clear()
            for path in self._directory.glob(f"*{_SUFFIX}"):
                path.unlink(missing_ok=True)

    def _load_or_put_aside(self, path: Path) -> None:
        try:
            self._load(path)
        except Exception as error:  # unpickling may raise anything
            log.warning("%s: %s: %s", path.stem, type(error).__name__, error)
            put_aside(path)
            path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
            self._files.pop(path.stem, None)

    def _load(self, path: Path) -> None:
        file = self._files[path.stem] = ServiceFile(path)
        state, made_by = file.read()
        if made_by != moto.__version__:
            log.info("%s was kept by moto %s, this is %s", path.stem, made_by, moto.__version__)
        moto_services.load(path.stem, state, file.part)

    def _save(self, service: str) -> None:
        if service not in moto_services.in_use(also_s3=True):
            # A reset came in between.
            return
        file = self._files.get(service) or ServiceFile(self._directory / f"{service}{_SUFFIX}")
        state, parts = moto_services.dump(service, file.names)
        digest = hashlib.sha256(state).digest()
        if self._digests.get(service) == digest:
            return
        file.write(state, moto.__version__, parts)
        self._files[service] = file
        self._digests[service] = digest

    def _complain(self, service: str, error: Exception) -> None:
        if service not in self._complaints:
            log.error(
                "%s can't be kept, a restart would not know of it: %s: %s",
                service,
                type(error).__name__,
                error,
            )
        self._complaints.add(service)
