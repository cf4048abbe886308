from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from environments.catalog import ENVIRONMENTS
from environments.problems import BootstrapError, SkippedError
from stages import command_line
from stages.catalog import STAGES, Stage
from stages.running import Outcome, closing_line, run_stage

if TYPE_CHECKING:
    from environments.catalog import Environment
    from tests.dev.conftest import Checkout


class Environments:
    """Notes which environments are asked for; may refuse."""

    def __init__(self, error: Exception | None = None) -> None:
        self.made: list[str] = []
        self._error = error

    def ensure(self, environment: Environment) -> None:
        self.made.append(environment.name)
        if self._error:
            raise self._error


@pytest.fixture
def program(checkout: Checkout) -> str:
    """A program in the test environment: prints its arguments and ends with the code of its last one."""
    file = checkout.layout.bin("test") / "program"
    file.parent.mkdir(parents=True)
    file.write_text(f"#!{sys.executable}\nimport sys\nprint(*sys.argv[1:-1])\nsys.exit(int(sys.argv[-1]))\n")
    file.chmod(0o755)
    return "program"


def run(checkout: Checkout, *commands: tuple[str, ...], needs: tuple[str, ...] = ()) -> Outcome:
    stage = Stage("x", "a stage", "test", commands, needs)
    return run_stage(stage, checkout.layout, Environments(), checkout.environ)


def test_a_stage_passes_when_all_its_commands_do(checkout: Checkout, program: str) -> None:
    outcome = run(checkout, (program, "a", "0"), (program, "b", "0"))
    assert (outcome.result, outcome.detail) == ("passed", "")


def test_what_a_command_writes_is_shown(checkout: Checkout, program: str, capfd) -> None:
    run(checkout, (program, "hello", "0"))
    assert "[x] program hello 0\nhello\n" in capfd.readouterr().out


def test_after_a_failing_command_the_next_one_is_run_and_the_stage_fails(
    checkout: Checkout, program: str, capfd
) -> None:
    outcome = run(checkout, (program, "a", "1"), (program, "b", "0"))
    assert (outcome.result, outcome.detail) == ("FAILED", "program a 1: exit code 1")
    assert "\nb\n" in capfd.readouterr().out


def test_pytest_without_a_single_test_is_a_failure(checkout: Checkout, program: str) -> None:
    outcome = run(checkout, (program, "=== no tests ran in 0.01s ===", "5"))
    assert outcome.result == "FAILED"
    assert outcome.detail == "program === no tests ran in 0.01s === 5: exit code 5 (no tests ran in 0.01s)"


def test_pytests_closing_line_is_the_detail(checkout: Checkout, program: str) -> None:
    outcome = run(checkout, (program, "\x1b[32m===== \x1b[1m3 passed\x1b[0m in 1.20s =====\x1b[0m", "0"))
    assert outcome.detail == "3 passed in 1.20s"


@pytest.mark.parametrize(
    ("output", "line"),
    [
        pytest.param(
            "= 812 passed, 3 skipped in 81.20s (0:01:21) =",
            "812 passed, 3 skipped in 81.20s (0:01:21)",
            id="long",
        ),
        pytest.param(
            "= 1 failed in 1.00s =\n= 2 passed in 2.00s =\n", "2 passed in 2.00s", id="the last one"
        ),
        pytest.param("=== test session starts ===\nno end", None, id="none"),
    ],
)
def test_pytests_closing_line_is_found(output: str, line: str | None) -> None:
    assert closing_line(output) == line


def test_all_environments_are_made_first(checkout: Checkout, program: str) -> None:
    environments = Environments()
    stage = Stage("x", "a stage", "test", ((program, "0"),), needs=("localemr", "awscli"))
    run_stage(stage, checkout.layout, environments, checkout.environ)
    assert environments.made == ["test", "localemr", "awscli"]


def test_a_stage_no_python_here_can_run_is_skipped_and_says_so(checkout: Checkout) -> None:
    refusing = Environments(SkippedError("no Python fits"))
    outcome = run_stage(STAGES["unit-2.11"], checkout.layout, refusing, checkout.environ)
    assert (outcome.result, outcome.detail) == ("skipped", "because no Python fits")


def test_a_stage_whose_environment_cannot_be_made_fails(checkout: Checkout, capsys) -> None:
    refusing = Environments(BootstrapError("no network", "mend it"))
    outcome = run_stage(STAGES["unit"], checkout.layout, refusing, checkout.environ)
    assert (outcome.result, outcome.detail) == ("FAILED", "no network")
    assert "mend:  mend it" in capsys.readouterr().err


def test_the_closing_table_has_a_line_for_each_stage() -> None:
    outcomes = [
        Outcome(STAGES["lint"], "passed", 12.34, ""),
        Outcome(STAGES["unit"], "FAILED", 100.0, "1 failed in 90.00s"),
    ]
    assert command_line.table(outcomes).splitlines() == [
        "ruff, mypy, the jar      passed     12.3 s",
        "unit tests, Airflow 3.3  FAILED    100.0 s  1 failed in 90.00s",
    ]


@pytest.mark.parametrize(("result", "code"), [("passed", 0), ("skipped", 0), ("FAILED", 1)])
def test_the_exit_code_tells_of_a_failure(monkeypatch: pytest.MonkeyPatch, result: str, code: int) -> None:
    monkeypatch.setattr(command_line, "run_stage", lambda stage, *_: Outcome(stage, result, 0.0, ""))
    assert command_line.main(["lint"]) == code


def test_an_unknown_stage_names_what_there_is(capsys) -> None:
    with pytest.raises(SystemExit):
        command_line.main(["untit"])
    assert "no stage is called 'untit'; there are lint, unit" in capsys.readouterr().err


def test_stages_run_in_environments_that_exist() -> None:
    named = {name for stage in STAGES.values() for name in (stage.environment, *stage.needs)}
    assert named <= set(ENVIRONMENTS)
