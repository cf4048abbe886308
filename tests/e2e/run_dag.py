"""Run one DAG with ``dag.test()`` and print how it ended: a program, so that each run has a fresh Airflow.

``python run_dag.py DAG_ID`` with ``AIRFLOW__CORE__DAGS_FOLDER`` set.
"""

from __future__ import annotations

import json
import os
import sys

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # before Airflow 3.2
    from airflow.models.dagbag import DagBag


def main(dag_id: str) -> None:
    bag = DagBag(dag_folder=os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    if bag.import_errors:
        sys.exit(f"import errors: {bag.import_errors}")
    run = bag.dags[dag_id].test()
    print("ENDED " + json.dumps({"state": str(getattr(run.state, "value", run.state))}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
