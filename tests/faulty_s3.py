"""S3's client in a time of its own: its calls fail, answers get lost, requests arrive late."""

from __future__ import annotations

import contextlib
from datetime import datetime, timezone
from email.utils import format_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = ("get_object", "put_object", "delete_object")
START = 1_800_000_000.0


class VirtualTime:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = START + 0.3

    def __call__(self) -> float:
        """Give the time."""
        return self.now

    def wait(self, seconds: float) -> bool:
        """Let time pass; False, as for a wait that nobody has ended."""
        self.now += seconds
        return False


class FaultyS3:
    """S3's client; what is not told to fail works. Its times are those of a virtual clock, in whole seconds.

    :param client: boto3 client, or what does as one.
    :param time: What the server goes by.
    """

    def __init__(self, client: Any, time: VirtualTime) -> None:
        self._client = client
        self._time = time
        self.calls: list[str] = []
        self.before: dict[str, Callable[[], object]] = {}
        self.late: list[Callable[[], Any]] = []
        self._failures: dict[str, list[tuple[BaseException, str]]] = {}
        self._written: dict[str, int] = {}

    def fail(self, call: str, *errors: BaseException, done: bool = False, late: bool = False) -> None:
        """Let the next calls fail.

        :param done: S3 has done what was asked; only its answer is lost.
        :param late: S3 will get the request only when :meth:`arrive` is called.
        """
        how = "late" if late else "done" if done else ""
        self._failures.setdefault(call, []).extend((error, how) for error in errors)

    def arrive(self) -> None:
        """Let the requests arrive that were held up; nobody waits for their answers."""
        from botocore.exceptions import ClientError

        while self.late:
            with contextlib.suppress(ClientError):
                self.late.pop(0)()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return partial(self._call, name, found) if name in CALLS else found

    def _call(self, name: str, really: Callable[..., Any], **request: Any) -> Any:
        from botocore.exceptions import ClientError

        self.calls.append(name)
        if name in self.before:
            self.before.pop(name)()
        failures = self._failures.get(name)
        error, how = failures.pop(0) if failures else (None, "done")
        if how == "late":
            self.late.append(partial(self.really, really, request))
        answer = self.really(really, request) if how == "done" else None
        if error:
            if isinstance(error, ClientError):
                self._date(error.response)
            raise error
        return answer

    def really(self, call: Callable[..., Any], request: dict[str, Any]) -> Any:
        """Do what is asked, and date it."""
        from botocore.exceptions import ClientError

        try:
            answer = call(**request)
        except ClientError as error:
            self._date(error.response)
            raise
        self._date(answer)
        if "Body" in request:
            self._written[request["Key"]] = int(self._time.now)
        elif request["Key"] in self._written:
            seconds = self._written[request["Key"]]
            answer["LastModified"] = datetime.fromtimestamp(seconds, timezone.utc)
        return answer

    def _date(self, answer: Any) -> None:
        date = datetime.fromtimestamp(int(self._time.now), timezone.utc)
        answer["ResponseMetadata"].setdefault("HTTPHeaders", {})["date"] = format_datetime(date, usegmt=True)
