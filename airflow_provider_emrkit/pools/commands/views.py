"""Pools as people and programs read them. All names are hostile text."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.logs.text import one_line
from airflow_provider_emrkit.pools.commands.listing import under_way, waiting
from airflow_provider_emrkit.pools.words import duration_words
from airflow_provider_emrkit.runs.token import MARK, Mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table
    from rich.text import Text

    from airflow_provider_emrkit.compute.pool import ClusterPool
    from airflow_provider_emrkit.pools.commands.listing import ListedCluster, ListedPool
    from airflow_provider_emrkit.pools.lease_object import Seen
    from airflow_provider_emrkit.pools.survey import PoolStep

UNKNOWN = "?"


# --- many pools -------------------------------------------------------------------------------------------


def pools_table(pools: Sequence[ListedPool], defined: Sequence[ClusterPool | None] | None = None) -> Table:
    """Lay out pools, one in a row.

    :param defined: How each of them is defined, where that is known; None where nobody asked.
    """
    # Two Airflow environments may each have a pool of the same name.
    named = Counter((pool.name, pool.team) for pool in pools)
    twins = any(number > 1 for number in named.values())
    columns = ["pool", "team", "clusters", "running", "pending", "waiting", "oldest", "spec"]
    columns[3:3] = ["bounds"] if defined is not None else []
    table = _table(*columns, *(["lease"] if twins else []))
    for number, pool in enumerate(pools):
        cells = _pool_cells(pool)
        cells[3:3] = [_bounds_text(defined[number])] if defined is not None else []
        if twins:
            cells.append(_lease_text(pool) if named[pool.name, pool.team] > 1 else "")
        table.add_row(*map(_text, cells))
    return table


def _pool_cells(pool: ListedPool) -> list[str]:
    created = [one.cluster.created_at for one in pool.clusters if one.cluster.created_at is not None]
    return [
        pool.name,
        UNKNOWN if pool.team is None else pool.team,
        _clusters_text(pool),
        _running_text(pool.count("RUNNING", "CANCEL_PENDING"), pool.at_once),
        str(pool.count("PENDING")),
        UNKNOWN if pool.record is None else str(len(waiting(pool.record))),
        _since(min(created, default=None)),
        ", ".join(dict.fromkeys(_spec_text(one) for one in pool.clusters)),
    ]


def _clusters_text(pool: ListedPool) -> str:
    states = Counter(one.cluster.state for one in pool.clusters)
    text = ", ".join(f"{number} {state}" for state, number in states.items()) or "none"
    draining = sum(one.is_draining for one in pool.clusters)
    return f"{text} ({draining} draining)" if draining else text


def _bounds_text(defined: ClusterPool | None) -> str:
    if defined is None:
        return ""
    return f"{defined.min_clusters} to {defined.max_clusters}, {defined.steps_per_cluster} steps"


def _running_text(running: int, at_once: int | None) -> str:
    return f"{running} of {UNKNOWN if at_once is None else at_once}"


def _spec_text(listed: ListedCluster) -> str:
    return f"{listed.release} {listed.cluster.mark.spec}".strip()


def _lease_text(pool: ListedPool) -> str:
    return pool.place.uri if pool.place else f"unknown ({pool.key})"


# --- one pool ---------------------------------------------------------------------------------------------


def facts_of(pool: ListedPool) -> Table:
    """Lay out what is known of a pool as a whole."""
    facts = {
        "pool": pool.name,
        "team": UNKNOWN if pool.team is None else pool.team or "none",
        "owner": pool.owner,
        "lease": _lease_text(pool),
        "clusters": _clusters_text(pool),
        "steps": f"{_running_text(pool.count('RUNNING', 'CANCEL_PENDING'), pool.at_once)} running, "
        f"{pool.count('PENDING')} pending",
        **_record_facts(pool),
    }
    table = _table()
    for name, value in facts.items():
        if value:
            table.add_row(_text(name, style="bold"), _text(value))
    return table


def _record_facts(pool: ListedPool) -> dict[str, str]:
    seen = pool.record
    if seen is None:
        return {"record": f"not known: {pool.problem}"}
    since = waiting(seen)
    oldest = f", the oldest for {duration_words(seen.at - since[0])}" if since else ""
    deeds = Counter(claim.deed for claim in under_way(seen))
    return {
        "waiting": f"{len(since)} jobs{oldest}",
        "under way": ", ".join(f"{number} to {deed}" for deed, number in deeds.items()),
        "held by": _holder_text(seen),
    }


def _holder_text(seen: Seen) -> str:
    if not seen.record.holder:
        return ""
    over = ", whose time is over" if seen.age > seen.record.seconds else ""
    return f"{seen.record.holder}, written {duration_words(seen.age)} ago{over}"


def clusters_table(pool: ListedPool) -> Table:
    """Lay out the clusters of a pool, one in a row."""
    table = _table("cluster", "state", "age", "running", "pending", "instances", "spec")
    for listed in pool.clusters:
        one = listed.cluster
        cells = (
            one.id,
            f"{one.state} (draining)" if listed.is_draining else one.state,
            _since(one.created_at),
            _running_text(len(listed.steps("RUNNING", "CANCEL_PENDING")), listed.at_once),
            str(len(listed.steps("PENDING"))),
            "-".join(map(str, one.mark.capacity)),
            _spec_text(listed),
        )
        table.add_row(*map(_text, cells))
    return table


def steps_table(pool: ListedPool) -> Table:
    """Lay out the steps of a pool that wait or run, one in a row, the oldest of each cluster first."""
    table = _table("step", "cluster", "state", "for", "name")
    for listed in pool.clusters:
        for step in listed.cluster.steps:
            begun = step.created_at if step.started_at is None else step.started_at
            cells = (step.id, listed.cluster.id, step.state, _since(begun), shown_name(step.name))
            table.add_row(*map(_text, cells))
    return table


def shown_name(name: str) -> str:
    """Give a step's name without emrkit's mark, safe to show.

    >>> shown_name("sales.load emrkit:c66c9179a54ad449-0-1")
    'sales.load'
    """
    mark = Mark.of(name)
    return one_line(name[: name.rindex(MARK)] if mark else name)


def _table(*titles: str) -> Table:
    from rich.table import Table

    table = Table(*titles, box=None, show_header=bool(titles), header_style="bold", pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    return table


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(one_line(text), style=style)


def _since(when: float | None) -> str:
    return "" if when is None else duration_words(time.time() - when)


# --- for programs -----------------------------------------------------------------------------------------


def pool_json(pool: ListedPool, defined: ClusterPool | None = None) -> dict[str, Any]:
    """Give a pool as plain JSON; what is not known is null."""
    bounds = ("min_clusters", "max_clusters", "steps_per_cluster")
    return {
        "name": pool.name,
        "team": pool.team,
        "owner": pool.owner or None,
        "lease_uri": pool.place.uri if pool.place else None,
        "place": pool.key or None,
        "clusters": [_cluster_json(one) for one in pool.clusters],
        "record": _record_json(pool.record),
        "record_problem": pool.problem or None,
        "bounds": {name: getattr(defined, name) for name in bounds} if defined else None,
    }


def _cluster_json(listed: ListedCluster) -> dict[str, Any]:
    one = listed.cluster
    return {
        "id": one.id,
        "name": one.name,
        "state": one.state,
        "draining": listed.is_draining,
        "created_at": _iso(one.created_at),
        "ready_at": _iso(one.ready_at),
        "release_label": listed.release or None,
        "spec": one.mark.spec,
        "capacity": dict(zip(("primary", "core", "task"), one.mark.capacity, strict=True)),
        "steps_at_once": listed.at_once,
        "steps": [_step_json(step) for step in one.steps],
    }


def _step_json(step: PoolStep) -> dict[str, Any]:
    times = {"created_at": _iso(step.created_at), "started_at": _iso(step.started_at)}
    return {"id": step.id, "name": step.name, "state": step.state, **times}


def _record_json(seen: Seen | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {
        "written_at": _iso(seen.at - seen.age) if seen.etag else None,
        "holder": seen.record.holder or None,
        "waiting_since": [_iso(since) for since in waiting(seen)],
        "draining": sorted(seen.record.draining),
        "claims": [
            {"deed": claim.deed, "id": claim.id, "cluster_id": claim.cluster_id, "until": _iso(claim.until)}
            for claim in under_way(seen)
        ],
    }


def _iso(when: float | None) -> str | None:
    if when is None:
        return None
    return datetime.fromtimestamp(when, timezone.utc).isoformat(timespec="seconds")
