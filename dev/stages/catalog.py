"""What is checked, in which environment, with which commands."""

from __future__ import annotations

from dataclasses import dataclass

Command = tuple[str, ...]

_PYTEST: Command = ("python", "-m", "pytest", "--color=auto", "--durations=20", "--durations-min=5")
_UNIT: Command = (*_PYTEST, "-n", "auto", "-m", "not e2e and not chaos")
# Real Spark waits for its own start much of the time.
_TWO_FILES_AT_ONCE: Command = ("-n", "2", "--dist", "loadfile")
# What knows no Airflow, or takes the newest.
_NOT_ON_2_11 = (
    *("tests/localemr", "tests/dev", "tests/packaging", "tests/images", "tests/projects"),
    *("tests/e2e", "tests/pools/concurrency"),
)


@dataclass(frozen=True)
class Stage:
    """One row of the closing table.

    Example: ``Stage("lint", "ruff", "test", (("ruff", "check"),))``.

    :param title: What the user sees.
    :param environment: The environment its commands run in.
    :param commands: Each is run even when one before it failed; the stage is good when all end with 0.
    :param needs: Further environments that its tests start processes of.
    :param by_default: Whether it is run where no stage is named.
    """

    name: str
    title: str
    environment: str
    commands: tuple[Command, ...]
    needs: tuple[str, ...] = ()
    by_default: bool = True


_E2E_ON_2_11 = (
    *("tests/e2e/test_dag_test.py", "tests/e2e/test_application_group.py"),
    *("tests/e2e/test_kedro_serverless.py", "tests/ui"),
)

STAGES = {
    stage.name: stage
    for stage in (
        Stage(
            "lint",
            "ruff, mypy, the jar",
            "test",
            (
                ("ruff", "check"),
                ("ruff", "format", "--check"),
                ("mypy",),
                ("python", "dev/build_jar.py", "--check"),
            ),
        ),
        Stage("unit", "unit tests, Airflow 3.3", "test", ((*_UNIT, "tests"),)),
        Stage(
            "unit-2.11",
            "unit tests, Airflow 2.11",
            "airflow-2.11",
            ((*_UNIT, *(f"--ignore={path}" for path in _NOT_ON_2_11), "tests"),),
        ),
        Stage(
            "e2e-2.11",
            "DAGs through dag.test(), Airflow 2.11",
            "airflow-2.11",
            ((*_PYTEST, "-m", "e2e", *_E2E_ON_2_11),),
            needs=("localemr", "demo-data"),
        ),
        Stage(
            "e2e",
            "real Spark through localemr, Airflow 3.3",
            "test",
            (
                (
                    *_PYTEST,
                    *_TWO_FILES_AT_ONCE,
                    "-m",
                    "e2e and not alone",
                    "tests/e2e",
                    "tests/images",
                    "tests/ui",
                ),
                (*_PYTEST, "-m", "e2e and alone", "tests/e2e", "tests/pools/concurrency"),
            ),
            needs=("localemr", "airflow-3.3", "awscli", "demo-data", "bench", "kedro"),
        ),
        Stage(
            "chaos",
            "runs whose processes are killed, Airflow 3.3",
            "test",
            ((*_PYTEST, "-s", "-m", "chaos", "tests/chaos"),),
            needs=("localemr", "airflow-3.3"),
            by_default=False,
        ),
    )
}
