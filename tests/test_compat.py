from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import airflow
import pytest

from airflow_provider_emrkit import _compat

PACKAGE = Path(_compat.__file__).parent


def test_every_name_it_promises_is_there():
    assert all(getattr(_compat, name) is not None for name in _compat.__all__)


def test_a_release_candidate_counts_as_its_release():
    assert str(_compat.AIRFLOW_VERSION) == airflow.__version__.split("rc")[0]


def test_importing_from_it_warns_of_nothing():
    code = (
        "import warnings\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    import airflow_provider_emrkit.links, airflow_provider_emrkit.operators.spark\n"
        "    import airflow_provider_emrkit.hooks.emrkit, airflow_provider_emrkit.triggers.job_run\n"
        "print([str(one.message) for one in caught if 'airflow_provider_emrkit' in one.filename])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_nothing_else_imports_airflow_at_its_top():
    def imports(file: Path) -> list[str]:
        lines = file.read_text().splitlines()
        return [
            line for line in lines if line.startswith(("import airflow.", "from airflow.", "from airflow "))
        ]

    found = {file.name: imports(file) for file in PACKAGE.rglob("*.py") if file.name != "_compat.py"}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.fixture
def states(monkeypatch):
    """Airflow 3's answer to a question for states."""
    pytest.importorskip("airflow.sdk")
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    answer: dict[str, Any] = {}
    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(lambda **asked: answer))
    return answer


def task_instance(map_index: int) -> Any:
    return SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=map_index)


@pytest.mark.parametrize(
    ("map_index", "state"),
    [
        pytest.param(-1, "deferred", id="plain"),
        pytest.param(0, "failed", id="mapped"),
        pytest.param(7, None, id="gone"),
    ],
)
def test_the_state_of_a_mapped_task_is_its_own(states, map_index, state):
    states["r"] = {"t": "deferred", "t_0": "failed"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _compat.read_task_state(task_instance(map_index)) == state


def test_a_run_that_is_gone_has_no_state(states):
    assert _compat.read_task_state(task_instance(-1)) is None


def test_what_a_task_keeps_is_in_its_context_from_3_3_on():
    kept = object()
    there = kept if _compat.AIRFLOW_V_3_3_PLUS else None
    assert _compat.task_state_store({"task_state_store": kept}) is there
    assert _compat.task_state_store({}) is None


def test_a_thread_may_ask_where_the_line_to_airflow_has_a_lock_or_there_is_none():
    if not _compat.AIRFLOW_V_3_0_PLUS:
        assert _compat.CAN_ASK_IN_A_THREAD
        return
    from airflow.sdk.execution_time.comms import CommsDecoder

    assert _compat.CAN_ASK_IN_A_THREAD is hasattr(CommsDecoder, "_thread_lock")


@pytest.mark.parametrize("map_index", [-1, 3])
def test_a_trigger_stores_what_its_task_reads(monkeypatch, map_index):
    """By the arguments that Airflow's own XCom takes."""
    import inspect

    stored: list[dict[str, Any]] = []
    known = inspect.signature(_compat.XCom.set)

    def store(**given: Any) -> None:
        known.bind(**given)
        stored.append(given)

    monkeypatch.setattr(_compat.XCom, "set", store)
    _compat.push_xcom(task_instance(map_index), "emrkit_run", {"step_id": "s-1"})
    assert stored == [
        {
            "key": "emrkit_run",
            "value": {"step_id": "s-1"},
            "dag_id": "d",
            "task_id": "t",
            "run_id": "r",
            "map_index": map_index,
        }
    ]
