from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import bootstrap

BOOTSTRAP = Path(bootstrap.__file__)


@pytest.mark.parametrize("version", [(3, 9, 18), (3, 14, 0)], ids=["too old", "too new"])
def test_an_unsupported_python_goes_on_with_a_supported_one(version, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(sys, "argv", ["dev/bootstrap.py", "localemr"])
    monkeypatch.setattr(
        bootstrap.shutil, "which", lambda name: "/usr/bin/python3.11" if "3.11" in name else None
    )
    monkeypatch.setattr(os, "execv", lambda path, argv: started.append((path, argv)))
    with pytest.raises(SystemExit):  # only because the process was not really replaced
        bootstrap.ensure_supported_python()
    assert started == [("/usr/bin/python3.11", ["/usr/bin/python3.11", "dev/bootstrap.py", "localemr"])]


def test_without_a_supported_python_the_mend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit) as exited:
        bootstrap.ensure_supported_python()
    assert str(exited.value).splitlines() == [
        f"error: this needs Python 3.10, 3.11, 3.12 or 3.13, and {sys.executable} is Python 3.9.",
        "  tried: python3.13, python3.12, python3.11, python3.10 on PATH",
        "  mend:  install one of them, then name it: make PYTHON=/path/to/python3.12 demo",
    ]


def test_the_programs_start_with_the_standard_library_alone(tmp_path: Path) -> None:
    for program in ("bootstrap.py", "checks.py", "relock.py"):
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(BOOTSTRAP.parent)!r});"
             f" sys.argv = [{program!r}, '--help']; import runpy; runpy.run_path("
             f"{str(BOOTSTRAP.with_name(program))!r}, run_name='__main__')"],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert f"usage: {program}" in done.stdout


def test_an_interruption_ends_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def interrupted(argv: object) -> int:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as exited:
        bootstrap.end_with(interrupted)
    assert exited.value.code == 130
    assert capsys.readouterr().err == "\ninterrupted; the next run goes on from here\n"
