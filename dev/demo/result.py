"""What the demo says at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from demo.environment import BUCKET, REGION

if TYPE_CHECKING:
    from demo.environment import Places
    from demo.examples import Example, Result
    from demo.follow import Outcome
    from demo.screen import Screen


def show(screen: Screen, places: Places, outcome: Outcome, example: Example, result: Result) -> None:
    """Print the table and, when the run has failed or its rows are wrong, why."""
    screen.say("")
    screen.table([_row(task, outcome, example, result) for task in outcome.tasks])
    if result.says:
        screen.say(result.says)
    if result.problem:
        screen.say(f"The result is wrong: {result.problem}", "red")
    if not outcome.succeeded:
        cause = outcome.errors[-1] if outcome.errors else f"see {places.folder / 'airflow.log'}"
        screen.say(f"The run has {outcome.state}: {cause}", "red")


def _row(task: dict[str, Any], outcome: Outcome, example: Example, result: Result) -> dict[str, str]:
    cluster = outcome.cluster
    logs = f"s3://{BUCKET}/logs/{cluster.cluster_id}/steps/{cluster.step_id}/" if cluster else "none"
    return {
        "task": str(task["task_id"]),
        "compute": f"dynamic cluster, {cluster.release}" if cluster else "none",
        "id": f"{cluster.cluster_id} {cluster.step_id}" if cluster else "none",
        "state": str(task["state"]),
        "seconds": f"{outcome.seconds:.1f}",
        "rows written": result.rows,
        "output": f"s3://{BUCKET}/{example.output}/",
        "logs": logs,
    }


def show_kept(screen: Screen, places: Places, user: str, password: str) -> None:
    """Say how to reach what was left running, and how to stop it."""
    screen.say("")
    screen.say(f"Airflow:   {places.airflow_url}  (login {user}, password {password})")
    screen.say(f"AWS:       {places.endpoint}  (any credentials, region {REGION})")
    screen.say("Stop both: make demo-stop")
