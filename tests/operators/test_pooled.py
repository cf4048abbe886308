"""How a worker waits for room in a pool."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from airflow_provider_emrkit.exceptions import StagingError, SubmitRefusedError
from airflow_provider_emrkit.logs.wishes import NO_WISHES
from airflow_provider_emrkit.operators import pooled
from airflow_provider_emrkit.pools.outcomes import Waits

PAUSES = 5


class SlowPlacing:
    """Never has room; each of its rounds takes a while."""

    clock = 0.0
    takes = 40.0

    def __init__(self, clients, process, pause):
        pass

    def round(self, orders, patience):
        type(self).clock += self.takes
        return {str(order.token): Waits("pool medium has 1 of 1 cluster") for order in orders}

    def leave(self, place):
        pass


@pytest.mark.parametrize(("takes", "least", "most"), [(40.0, 80.0, 96.0), (1.0, 10.0, 12.0)])
def test_a_worker_whose_rounds_take_long_leaves_most_of_emrs_quota_to_others(monkeypatch, takes, least, most):
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        return len(pauses) == PAUSES

    monkeypatch.setattr(SlowPlacing, "takes", takes)
    monkeypatch.setattr(pooled, "Placing", SlowPlacing)
    monkeypatch.setattr(pooled, "elapsed", lambda: SlowPlacing.clock)
    order = SimpleNamespace(token="t", since=2_000_000_000.0, place=None)
    monkeypatch.setattr(pooled.PlacingHere, "_order", lambda *_: order)
    pool = SimpleNamespace(name="medium", wait_seconds=3_600.0)
    here = pooled.PlacingHere(SimpleNamespace(clients=None), logging.getLogger("test"), pause, NO_WISHES)
    with pytest.raises(SubmitRefusedError):
        here.place(None, pool, None, waits=True)
    assert len(pauses) == PAUSES
    assert all(least <= seconds <= most for seconds in pauses)


def test_a_deferrable_job_that_could_not_be_kept_while_it_waits_is_refused_though_there_is_room(monkeypatch):
    monkeypatch.setattr(pooled.PlacingHere, "_order", lambda *_: pytest.fail("it was made an order"))
    hook = SimpleNamespace(settings=SimpleNamespace(staging_uri=None))
    here = pooled.PlacingHere(hook, logging.getLogger("test"), lambda _: False, NO_WISHES)
    with pytest.raises(StagingError, match="has no staging_uri to keep it at until then; set it to s3://"):
        here.place(None, SimpleNamespace(name="medium"), None, waits=False)
