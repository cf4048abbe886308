from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from environments import relock

if TYPE_CHECKING:
    from tests.dev.conftest import Checkout


@pytest.fixture
def environ(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in checkout.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(relock, "ROOT", checkout.layout.root)


@pytest.mark.usefixtures("environ")
def test_a_lock_is_compiled_for_all_pythons_and_without_a_trace_of_this_machine(checkout: Checkout) -> None:
    relock.relock(checkout.layout, ["localemr"], upgrade=False)
    (call,) = checkout.calls
    lock = checkout.layout.lock("localemr")
    assert call == (
        "pip compile --universal --python-version 3.10 --no-emit-index-url --no-emit-find-links --no-annotate"
        f" --custom-compile-command make lock --quiet --output-file {lock} {lock.with_suffix('.in')}"
    )


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize(
    ("argv", "option", "given"),
    [
        pytest.param(["localemr"], "--upgrade", False, id="pins are kept"),
        pytest.param(["localemr", "--upgrade"], "--upgrade", True, id="unless newer ones are asked for"),
        pytest.param(["localemr"], "--no-deps", False, id="with dependencies"),
        pytest.param(["demo-data"], "--no-deps", True, id="the demo's data without"),
    ],
)
def test_options(checkout: Checkout, argv: list[str], option: str, given: bool) -> None:
    assert relock.main(argv) == 0
    assert (option in checkout.calls[0].split()) is given


@pytest.mark.usefixtures("environ")
def test_all_are_renewed_in_the_order_in_which_they_constrain_each_other(checkout: Checkout) -> None:
    assert relock.main([]) == 0
    inputs = [call.split("/")[-1].removesuffix(".in") for call in checkout.calls]
    assert inputs == list(relock.LOCKS)
    assert inputs.index("test") > max(inputs.index("airflow-3.3"), inputs.index("localemr"))


@pytest.mark.usefixtures("environ")
def test_versions_that_do_not_fit_are_reported(checkout: Checkout, capsys) -> None:
    checkout.let_uv_fail("No solution found when resolving dependencies", when="localemr")
    assert relock.main(["localemr"]) == 1
    assert "| No solution found" in capsys.readouterr().err


def test_an_unknown_name_lists_the_known(capsys) -> None:
    with pytest.raises(SystemExit):
        relock.main(["nothing"])
    assert "no lock file is called 'nothing'; there are uv, build" in capsys.readouterr().err
