from __future__ import annotations

import os
import pty
import sys

import pytest

from environments import commands
from environments.problems import BootstrapError, Kind

PYTHON = [sys.executable, "-c"]


def test_what_a_command_writes_is_returned() -> None:
    code = "import sys; print('out'); sys.stdout.flush(); print('err', file=sys.stderr)"
    assert commands.run([*PYTHON, code], step="s", environ={}).split() == ["out", "err"]


def test_a_failing_command_raises_with_its_output() -> None:
    with pytest.raises(BootstrapError) as raised:
        commands.run([*PYTHON, "raise SystemExit('No space left on device')"], step="a step", environ={})
    assert raised.value.kind is Kind.NO_SPACE
    assert raised.value.what == "a step: no space left on the disk"


def test_a_program_that_is_not_there_is_an_error_with_its_name() -> None:
    with pytest.raises(BootstrapError) as raised:
        commands.run(["/nowhere/uv", "pip"], step="a step", environ={})
    assert raised.value.tried[0] == "/nowhere/uv pip"
    assert "No such file" in raised.value.tried[1]


def on_terminal(monkeypatch: pytest.MonkeyPatch, code: str, *, shown: bool = True) -> tuple[str, str]:
    """Run Python code with our standard error on a terminal; return what was kept and what was seen there."""
    ours, theirs = pty.openpty()
    with open(theirs, "w", buffering=1) as stream:  # noqa: PTH123
        monkeypatch.setattr(sys, "stderr", stream)
        kept = commands.run([*PYTHON, code], step="a step", environ={"TERM": "xterm"}, shown=shown)
        print("end", file=stream)
        seen = ""
        while "end" not in seen:
            seen += os.read(ours, 4096).decode()
    os.close(ours)
    return kept, seen


def test_on_a_terminal_a_command_has_one_too_and_is_seen_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, seen = on_terminal(monkeypatch, "import sys; print('terminal:', sys.stderr.isatty())")
    assert kept.strip() == "terminal: True"
    assert "terminal: True" in seen


def test_the_list_of_installed_packages_is_kept_but_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ("Resolved 2 packages", "Installed 2 packages in 1s", " + moto==5", " + uv==1")
    code = f"for line in {lines}: print(line)"
    kept, seen = on_terminal(monkeypatch, code)
    assert kept.splitlines() == list(lines)
    assert seen.splitlines() == ["Resolved 2 packages", "Installed 2 packages in 1s", "end"]


def test_a_question_to_a_command_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, seen = on_terminal(monkeypatch, "import sys; print('terminal:', sys.stderr.isatty())", shown=False)
    assert kept.strip() == "terminal: False"
    assert seen.strip() == "end"
