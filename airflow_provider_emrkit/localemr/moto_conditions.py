"""moto's S3 with conditional writes that are one act.

moto looks whether the condition holds, and then writes: of two threads that look at once, both would write.
On S3 one of them is refused. So writes of one object go one after the other, with a condition or without.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from moto.s3.responses import S3Response

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

# moto calls it when it has read all of the request: no client that sends slowly holds others up.
_METHOD = "_key_response"
_WRITES = ("PUT", "POST", "DELETE")

_moto_answers = getattr(S3Response, _METHOD)
_locks: WeakValueDictionary[tuple[str, str], Any] = WeakValueDictionary()
_locks_lock = threading.Lock()


def use() -> None:
    """Let moto answer like this from now on. Idempotent."""
    setattr(S3Response, _METHOD, _answer)


def _answer(self: S3Response, request: Any, *args: Any) -> Any:
    with _alone(self, request):
        return _moto_answers(self, request, *args)


def _alone(response: S3Response, request: Any) -> AbstractContextManager[Any]:
    # The parts of an upload are no object yet, and are sent many at once.
    if request.method not in _WRITES or "partNumber" in request.args:
        return contextlib.nullcontext()
    with _locks_lock:
        # Reentrant: a write may notify somebody who writes, too.
        lock: AbstractContextManager[Any] = _locks.setdefault(
            (response.bucket_name, response.parse_key_name()), threading.RLock()
        )
        return lock
