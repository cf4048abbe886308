"""What this server does about S3 when another one is used: it says so, and makes the staging bucket there."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from airflow_provider_emrkit.localemr.config import REGION
from airflow_provider_emrkit.localemr.http import Response
from airflow_provider_emrkit.localemr.run.clients import s3_client

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from airflow_provider_emrkit.localemr.http import Scope
    from airflow_provider_emrkit.localemr.s3_access import S3Access

log = logging.getLogger(__name__)

TRY_EVERY = 5.0
"""Seconds between two tries to make the bucket, until that S3 answers."""

_THERE = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


class ExternalS3:
    """Answers requests for S3 that came to the wrong place; one of the router's services.

    A second S3 behind this address would take what is written to it, and nobody would find it again.

    :param s3: How the S3 that is used is reached.
    :param bucket: A bucket to make there.

    >>> ExternalS3(S3Access("http://127.0.0.1:9000", is_external=True)).reset()
    """

    def __init__(self, s3: S3Access, bucket: str | None = None) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def claims(self, scope: Scope, environ: WSGIEnvironment) -> bool:  # noqa: ARG002 - the router's protocol
        """Tell whether a request is for S3."""
        return scope.service == "s3"

    def respond(self, scope: Scope, environ: WSGIEnvironment) -> Response:  # noqa: ARG002 - as above
        """Say where S3 is."""
        text = (
            f"S3 is not here: this local EMR uses the one at {self._s3.url}. Send requests for S3 there: set "
            f"AWS_ENDPOINT_URL_S3={self._s3.url}, as `emrkit local env` does."
        )
        return self._error("InvalidRequest", text, 400, environ)

    def failed(self, request_id: str) -> Response:
        """Give the answer to a request that could not be answered."""
        return self._error("InternalError", f"An internal error; request {request_id}.", 500, {})

    def reset(self) -> None:
        """Do nothing: what is in another S3 is not this server's to delete."""

    @staticmethod
    def _error(code: str, text: str, status: int, environ: WSGIEnvironment) -> Response:
        body = f"<Error><Code>{code}</Code><Message>{escape(text)}</Message></Error>".encode()
        is_head = environ.get("REQUEST_METHOD") == "HEAD"
        return Response(b"" if is_head else body, status, "application/xml")

    def start(self) -> None:
        """Make the bucket, as soon as that S3 answers, in a thread of its own."""
        if self._bucket is not None:
            arguments = (s3_client(self._s3, REGION), self._bucket)
            self._thread = threading.Thread(
                target=self._make, args=arguments, name="localemr-bucket", daemon=True
            )
            self._thread.start()

    def join(self) -> None:
        """Wait until the bucket is there, or :meth:`stop` was called."""
        if self._thread is not None:
            self._thread.join()

    def stop(self) -> None:
        """Try no more."""
        self._stopped.set()

    def _make(self, client: Any, bucket: str) -> None:
        while not self._stopped.is_set():
            problem = _make_bucket(client, bucket)
            if problem is None:
                return
            log.warning("the bucket %s can't be made on %s: %s", bucket, self._s3.url, problem)
            self._stopped.wait(TRY_EVERY)


def _make_bucket(client: Any, bucket: str) -> Exception | None:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client.create_bucket(Bucket=bucket)
    except ClientError as error:
        return None if error.response["Error"].get("Code") in _THERE else error
    except BotoCoreError as error:
        return error
    return None
