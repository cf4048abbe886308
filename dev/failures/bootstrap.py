"""Bootstrap actions that fail, run on a local EMR."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.testing.waiting import wait_for_state
from failures.case import REAL, SPARK_33, SPARK_35
from failures.command import DATA
from failures.corpus import Entry
from failures.excerpt import excerpt
from failures.running import FailureRuns, UnexpectedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from failures.server import Server

CODE = "BOOTSTRAP_FAILURE"
HOW = f"{REAL}, with EMR's words"
# The local EMR says more than that.
SAYS = "On the master instance (i-0a1b2c3d4e5f67890), bootstrap action 1 returned a non-zero return code"
_TIMEOUT = 300.0


@dataclass(frozen=True)
class Action:
    """A bootstrap action that fails.

    :param name: Its name.
    :param release: The cluster's release.
    :param script: Its text.
    :param contains: What its output says.
    :param place: The file and line in it.
    :param about: What that is about.

    >>> Action("bootstrap-script", "emr-7.11.0", "exit 1", "").name
    'bootstrap-script'
    """

    name: str
    release: str
    script: str
    contains: str
    place: str = ""
    about: str = ""


ACTIONS = (
    Action(
        "bootstrap-missing-file",
        SPARK_35,
        """\
#!/bin/bash
set -euo pipefail
echo "installing the libraries of the sales team"
mkdir -p libs
tar -xzf sales-libs.tar.gz -C libs
echo "done"
""",
        "sales-libs.tar.gz: Cannot open: No such file or directory",
        about="not_found",
    ),
    Action(
        "bootstrap-python",
        SPARK_33,
        """\
#!/bin/bash
set -e
echo "writing the team's settings"
cat > settings.py <<'END'
import os

team = os.environ["TEAM"]
with open("team.conf", "w") as file:
    file.write(team)
END
python3 settings.py
""",
        "KeyError: 'TEAM'",
        "settings.py line 3",
    ),
    Action(
        "bootstrap-command",
        SPARK_35,
        """\
#!/bin/bash
set -e
echo "tuning the node"
apply-team-tuning --profile memory
echo "tuned"
""",
        "apply-team-tuning: command not found",
    ),
)


def entries(runs: FailureRuns) -> Iterator[Entry]:
    """Start a cluster with each of them, and make an entry of how it ended."""
    for action in ACTIONS:
        key = f"bootstrap/{action.name}.sh"
        runs.emr.client("s3").put_object(Bucket=DATA, Key=key, Body=action.script.encode())
        script = {"Name": action.name, "ScriptBootstrapAction": {"Path": f"s3://{DATA}/{key}"}}
        cluster = _ended(runs.emr, runs.emr.request(action.release, BootstrapActions=[script]))
        status = cluster["Status"]
        if status["StateChangeReason"].get("Code") != CODE:
            raise UnexpectedError(f"{action.name}: {status['StateChangeReason']}")
        truth = {
            "spark": runs.software(action.release).spark.version,
            "release": action.release,
            "deploy_mode": "cluster",
            "emr_says": SAYS,
            "contains": action.contains,
            "about": action.about,
            "error": "BootstrapError",
            "place": action.place,
            "how": HOW,
            "state": "NEVER_RAN",
            "cluster_state": status["State"],
            "cluster_code": CODE,
            "cluster_message": SAYS,
        }
        logs = {"bootstrap.log": excerpt(_output(runs.emr, cluster["Id"]), runs.names(action.release))}
        yield Entry(action.name, truth, logs)


def _ended(emr: Server, request: Mapping[str, Any]) -> Mapping[str, Any]:
    client = emr.client("emr")
    cluster_id = client.run_job_flow(**request)["JobFlowId"]

    def describe() -> dict[str, Any]:
        found: dict[str, Any] = client.describe_cluster(ClusterId=cluster_id)["Cluster"]
        return found

    return wait_for_state(describe, ("TERMINATED", "TERMINATED_WITH_ERRORS"), _TIMEOUT, cluster_id)


def _output(emr: Server, cluster_id: str) -> str:
    """Read what the action wrote to stderr, from where EMR archives it."""
    s3 = emr.client("s3")
    bucket, _, root = emr.log_uri.removeprefix("s3://").partition("/")
    found = s3.list_objects_v2(Bucket=bucket, Prefix=f"{root}/{cluster_id}/node/").get("Contents", [])
    key = next(item["Key"] for item in found if item["Key"].endswith("/bootstrap-actions/1/stderr.gz"))
    return gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).decode(errors="replace")
