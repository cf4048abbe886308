"""A local EMR in a process of its own, whose clusters and steps take some tenths of a second.

``python server.py DIRECTORY`` prints its address and serves until its standard input ends. Every new state of
a cluster or step is a line of ``DIRECTORY/news.jsonl``, in the order in which they came; a line of input is
answered by one when all news so far are written, and ``forget`` begins anew.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

TESTS = Path(__file__).parents[3]

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.config import ServerConfig
    from airflow_provider_emrkit.localemr.server import LocalEmr

# Seconds, from and to.
START = (0.2, 0.8)
STEP = (0.1, 0.6)
# No step ends before so many clusters were started, unless it takes too long.
CLUSTERS, LONGEST_STEP = 3, 300.0


def make_server(directory: Path) -> LocalEmr:
    from localemr_fixtures import _load_scripted, scripted_server

    from airflow_provider_emrkit.localemr.config import ServerConfig

    scripted = _load_scripted()
    chance = Random(1)

    class PacedRunner(scripted.ScriptedRunner):  # type: ignore[misc,name-defined]
        """Steps end by themselves, after a while."""

        def __init__(self, config: ServerConfig) -> None:
            super().__init__(config)
            self.script("", hold=True)

        def forget(self) -> None:
            super().forget()
            self.script("", hold=True)

        def start(self, request: Any, progress: Any) -> Any:
            time.sleep(chance.uniform(*START))
            return super().start(request, progress)

        def run(self, step: Any) -> None:
            super().run(step)
            threading.Timer(chance.uniform(*STEP), self._end, [step, time.monotonic()]).start()

        def _end(self, step: Any, began: float) -> None:
            # The pool has work for all of its clusters until they are there.
            if len(self.clusters) < CLUSTERS and time.monotonic() - began < LONGEST_STEP:
                threading.Timer(0.1, self._end, [step, began]).start()
            else:
                step.gate.opened.set()

    scripted.ScriptedRunner = PacedRunner
    scripted.LIMIT = 2 * LONGEST_STEP
    config = ServerConfig(data_dir=directory / "data", port=0, ephemeral=True)
    return scripted_server(config, hold_seconds=5.0)


def main(directory: Path) -> None:
    server = make_server(directory)
    with (directory / "news.jsonl").open("w", buffering=1) as news:

        def write(cluster: Any, step: Any) -> None:
            about = {"at": time.time(), "cluster": cluster.id, "name": cluster.name, "state": cluster.state}
            if step is not None:
                about |= {"step": step.id, "step_name": step.name, "step_state": step.state}
            news.write(json.dumps(about) + "\n")

        server.emr.store.changes.subscribe(write)
        with server:
            print(server.config.url, flush=True)
            for line in sys.stdin:
                if line.strip() == "forget":
                    server.runner.forget()
                print(server.emr.store.changes.settle(120), flush=True)


if __name__ == "__main__":
    sys.path[:0] = [str(TESTS), str(TESTS.parent)]
    main(Path(sys.argv[1]))
