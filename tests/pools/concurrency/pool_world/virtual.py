"""Lets the code under test live in a simulated world: its clocks, its chance, its threads."""

from __future__ import annotations

import random
import time
import uuid
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from unittest import mock

from airflow_provider_emrkit.pools import clock, looking
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

    with ExitStack() as patches:
        for module, name, value in (
            (time, "time", world.clock),
            (time, "monotonic", world.clock),
            (uuid, "uuid4", some_uuid),
            (clock.elapsed, "_clocks", (world.clock,)),
            (clock.elapsed, "_seen", [world.clock()]),
            (looking, "ThreadPoolExecutor", _OneAfterTheOther),
            # Fifty processes read the same content over and over again.
            (PoolRecord, "from_json", lru_cache(maxsize=64)(PoolRecord.from_json)),
        ):
            patches.enter_context(mock.patch.object(module, name, value))
        try:
            yield
        finally:
            random.setstate(state)
