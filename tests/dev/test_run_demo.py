"""The command line of the demo."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import run_demo

MAKEFILE = Path(run_demo.__file__).parents[1] / "Makefile"


def test_the_ports_can_be_chosen():
    chosen = run_demo.options(["--airflow-port", "8081", "--localemr-port", "65535"])
    assert (chosen.airflow_port, chosen.localemr_port) == (8081, 65535)


@pytest.mark.parametrize("text", ["0", "65536", "-1", "http", "8080.5", "٣"])
def test_what_is_no_port_is_refused_with_what_is_one(text, capsys):
    with pytest.raises(SystemExit) as exited:
        run_demo.options([f"--airflow-port={text}"])
    assert exited.value.code == 2
    assert f"{text!r} is no port; use a number from 1 to 65535" in capsys.readouterr().err


def test_stopping_makes_no_environment(tmp_path):
    """Another Python than the demo's would replace the environment that the demo's programs run in."""
    shutil.copy(MAKEFILE, tmp_path)
    stop = ["make", "--directory", str(tmp_path), "--no-print-directory", "demo-stop", "PYTHON=false"]
    done = subprocess.run(stop, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "no demo is running\n", "")
