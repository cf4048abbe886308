"""The jobs of real processes, and the times of a pool made short for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pool_world.jobs import make_order

from airflow_provider_emrkit.compute.pool_mark import PoolPlace
from airflow_provider_emrkit.pools.order import PoolBounds

if TYPE_CHECKING:
    from airflow_provider_emrkit.pools.order import PoolOrder

BUCKET = "team-bucket"


def order_of(seed: int, number: int, plan: dict[str, Any]) -> PoolOrder:
    """Give the order of a job of a round; each round has a pool of its own."""
    bounds = PoolBounds(plan["max_clusters"], 0, plan["steps_per_cluster"])
    order = make_order(number, bounds, since=plan["since"], idle=120)
    place = PoolPlace(f"round-{seed}", "", f"s3://{BUCKET}/pools/round-{seed}.json")
    token = replace(order.token, run_id=f"round-{seed}")
    return replace(order, place=place, token=token, step={**order.step, "Name": token.marked()})


def shorten(lease: float, margin: float, claim: float, waiting: float) -> None:
    """Make the times of pools short, so that what takes minutes with AWS takes seconds; in this process.

    :param lease: Seconds that a lease lasts.
    :param margin: Seconds by which holders stop earlier, and others take over later: S3 tells its times to
        the second.
    :param claim: Seconds after which a request can't take effect any more.
    :param waiting: Seconds for which a process that is gone is reckoned with.
    """
    from airflow_provider_emrkit.pools import acts, decision, patient, placing
    from airflow_provider_emrkit.pools import lease as leases

    defaults = leases.PoolLease.__init__.__kwdefaults__
    assert defaults["seconds"] == leases.SECONDS
    defaults["seconds"] = lease
    for module, name, value in (
        (leases, "MARGIN", margin),
        (leases, "FIRST_PAUSE", 0.05),
        (patient, "PAUSES", (0.1, 0.2, 0.4)),
        (placing, "PAUSES", (0.1, 0.2, 0.4)),
        (acts, "CLAIM_LIFE", claim),
        (acts, "THROTTLED_LIFE", claim / 2),
        (acts, "STARTED_LIFE", claim / 2),
        (acts, "PLACED_LIFE", claim / 2),
        (acts, "KEEP", lease / 2),
        (decision, "WAITING_LIFE", waiting),
    ):
        assert hasattr(module, name), name
        setattr(module, name, value)
