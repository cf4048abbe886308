"""What the demo says at its end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from demo.environment import BUCKET, REGION
from demo.localemr import s3_client

if TYPE_CHECKING:
    from demo.environment import Places
    from demo.follow import Outcome
    from demo.screen import Screen

_KEY = "flights_summary"


def show(screen: Screen, places: Places, outcome: Outcome) -> None:
    """Print the table and, when the run has failed, why."""
    rows = rows_written(places.endpoint)
    screen.say("")
    screen.table([_row(task, outcome, rows) for task in outcome.tasks])
    if not outcome.succeeded:
        cause = outcome.errors[-1] if outcome.errors else f"see {places.folder / 'airflow.log'}"
        screen.say(f"The run has {outcome.state}: {cause}", "red")


def _row(task: dict[str, Any], outcome: Outcome, rows: str) -> dict[str, str]:
    cluster = outcome.cluster
    logs = f"s3://{BUCKET}/logs/{cluster.cluster_id}/steps/{cluster.step_id}/" if cluster else "none"
    return {
        "task": str(task["task_id"]),
        "compute": f"dynamic cluster, {cluster.release}" if cluster else "none",
        "id": f"{cluster.cluster_id} {cluster.step_id}" if cluster else "none",
        "state": str(task["state"]),
        "seconds": f"{outcome.seconds:.1f}",
        "rows written": rows,
        "output": f"s3://{BUCKET}/{_KEY}/",
        "logs": logs,
    }


def rows_written(endpoint: str) -> str:
    """Read what the job has written beside its output; ``none`` when it didn't get that far."""
    s3 = s3_client(endpoint)
    try:
        body = s3.get_object(Bucket=BUCKET, Key=f"{_KEY}.metrics.json")["Body"].read()
    except s3.exceptions.NoSuchKey:
        return "none"
    return str(json.loads(body)["rows_written"])


def clear(endpoint: str) -> None:
    """Remove an earlier run's numbers, so that they aren't taken for this one's."""
    s3_client(endpoint).delete_object(Bucket=BUCKET, Key=f"{_KEY}.metrics.json")


def show_kept(screen: Screen, places: Places, user: str, password: str) -> None:
    """Say how to reach what was left running, and how to stop it."""
    screen.say("")
    screen.say(f"Airflow:   {places.airflow_url}  (login {user}, password {password})")
    screen.say(f"AWS:       {places.endpoint}  (any credentials, region {REGION})")
    screen.say("Stop both: make demo-stop")
