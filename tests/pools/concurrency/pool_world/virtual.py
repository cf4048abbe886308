"""Lets the code under test live in a simulated world: its clocks, its chance, its threads."""

from __future__ import annotations

import gc
import logging
import random
import secrets
import time
import uuid
from contextlib import ExitStack, contextmanager
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from unittest import mock

from airflow_provider_emrkit.pools import clock, lease_object, looking
from airflow_provider_emrkit.pools.record import PoolRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pool_world.scheduler import World


class _OneAfterTheOther:
    """A pool of threads without threads: those of a simulated process must not run by themselves."""

    def __init__(self, *_: Any) -> None:
        pass

    def __enter__(self) -> _OneAfterTheOther:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        return [function(item) for item in items]


@contextmanager
def virtual(world: World) -> Iterator[None]:
    """Let everybody's clock be the world's, and chance the seed's."""
    state = random.getstate()
    random.seed(world.seed)
    chance = random.Random(world.seed)

    def some_uuid() -> uuid.UUID:
        return uuid.UUID(int=chance.getrandbits(128), version=4)

    def some_hex(length: int) -> str:
        return chance.randbytes(length).hex()

    with ExitStack() as patches:
        for module, name, value in (
            (time, "time", world.clock),
            (time, "monotonic", world.clock),
            (uuid, "uuid4", some_uuid),
            (secrets, "token_hex", some_hex),
            (clock.elapsed, "_clocks", (world.clock,)),
            (clock.elapsed, "_seen", [world.clock()]),
            (looking, "ThreadPoolExecutor", _OneAfterTheOther),
            # Fifty processes read the same content over and over again.
            (PoolRecord, "from_json", lru_cache(maxsize=64)(PoolRecord.from_json)),
            (lease_object, "parsedate_to_datetime", lru_cache(maxsize=64)(parsedate_to_datetime)),
        ):
            patches.enter_context(mock.patch.object(module, name, value))
        _spare(patches)
        try:
            yield
        finally:
            random.setstate(state)


def _spare(patches: ExitStack) -> None:
    """Leave out what only costs time: a failure shows the trace, and a day's memory goes at its end."""
    patches.callback(logging.disable, logging.root.manager.disable)
    logging.disable(logging.CRITICAL)
    if gc.isenabled():
        patches.callback(gc.enable)
        gc.disable()
