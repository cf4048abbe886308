from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from environments import command_line
from environments.catalog import ENVIRONMENTS
from environments.problems import BootstrapError, SkippedError

if TYPE_CHECKING:
    from environments.catalog import Environment
    from tests.dev.conftest import Checkout


class ScriptedBuilder:
    """Ends each environment as it is told."""

    def __init__(self, errors: dict[str, Exception]) -> None:
        self._errors = errors

    def ensure(self, environment: Environment) -> None:
        if environment.name in self._errors:
            raise self._errors[environment.name]


@pytest.fixture
def run(checkout: Checkout, monkeypatch: pytest.MonkeyPatch):
    def run(*argv: str, **errors: Exception) -> int:
        named = {name.replace("_", "-"): error for name, error in errors.items()}
        monkeypatch.setattr(command_line, "ROOT", checkout.layout.root)
        monkeypatch.setattr(command_line, "Builder", lambda *_: ScriptedBuilder(named))
        return command_line.main(argv)

    return run


def test_the_folders_of_the_executables_are_printed(run, checkout: Checkout, capsys) -> None:
    assert run("test", "localemr") == 0
    venvs = checkout.layout.root / ".venv"
    assert capsys.readouterr().out == f"{venvs}/test/bin\n{venvs}/localemr/bin\n"


def test_the_first_environment_that_fails_is_explained_and_is_the_last(
    run, checkout: Checkout, capsys
) -> None:
    broken = BootstrapError("no network", "mend it")
    assert run("localemr", "test", "demo-data", test=broken, demo_data=broken) == 1
    captured = capsys.readouterr()
    assert captured.err == "error: no network\n  mend:  mend it\n"
    assert captured.out == f"{checkout.layout.bin('localemr')}\n"


def test_a_skipped_environment_has_an_exit_code_of_its_own(run, capsys) -> None:
    assert run("test", "localemr", localemr=SkippedError("no Python fits")) == 3
    assert "[bootstrap] localemr: skipped because no Python fits\n" in capsys.readouterr().err


def test_a_failure_counts_more_than_a_skip(run) -> None:
    assert run("test", "localemr", localemr=SkippedError("x"), test=BootstrapError("y", "z")) == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param(
            ("tset",), "no environment is called 'tset'; there are airflow-3.3, localemr, test", id="typo"
        ),
        pytest.param((), "name at least one environment: airflow-3.3, localemr", id="none"),
    ],
)
def test_wrong_arguments_name_what_there_is(run, capsys, argv: tuple[str, ...], message: str) -> None:
    with pytest.raises(SystemExit) as exited:
        run(*argv)
    assert exited.value.code == 2
    assert message in capsys.readouterr().err


def test_help_lists_the_environments_and_examples(run, capsys) -> None:
    with pytest.raises(SystemExit) as exited:
        run("--help")
    assert exited.value.code == 0
    text = capsys.readouterr().out
    assert all(environment.purpose in text for environment in ENVIRONMENTS.values())
    assert "python3 dev/bootstrap.py airflow-3.3 localemr" in text


def test_clean_removes_our_environments_and_nothing_else(run, checkout: Checkout) -> None:
    for name in ("localemr", "mine"):
        (checkout.layout.directory(name) / "bin").mkdir(parents=True)
    assert run("--clean") == 0
    assert not checkout.layout.directory("localemr").exists()
    assert not checkout.layout.directory("uv").exists()
    assert checkout.layout.directory("mine").exists()
