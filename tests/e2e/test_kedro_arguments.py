"""What Kedro reads of the arguments that a project's jobs have is what their author wrote."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from airflow_provider_emrkit.jobs.kedro_arguments import compile_arguments

pytestmark = pytest.mark.e2e

KEDRO = Path(__file__).parents[2] / ".venv" / "kedro" / "bin" / "python"
# Kedro's own command, with all its readers of options, but without a run.
PROGRAM = """
import json, sys
from kedro.framework.cli.project import run
for line in sys.stdin:
    context = run.make_context("run", json.loads(line))
    print("READ" + json.dumps(context.params))
"""

CASES = [
    {"pipeline": "daily", "env": "prod", "runner": "ThreadRunner", "is_async": True},
    {"pipelines": ["a", "b"], "tags": ["x y", "z"]},
    {"nodes": ["f([a,b]) -> [c]", "g"], "from_nodes": ["h"], "to_nodes": ["-i"]},
    {"from_inputs": ["a"], "to_outputs": ["params:b"], "namespaces": ["n.m"]},
    {"load_versions": {"sales": "2024-01-01T00.00.00.000Z", "other": "x"}},
]
PARAMS = {
    "number": 3,
    "fraction": 0.5,
    "yes": True,
    "no": False,
    "digits": "3",
    "day": "2024-01-01",
    "word": "sales",
    "switch": "yes",
    "nothing": "null",
    "empty": "",
    "uri": "s3://data/in.csv",
    "colon": "a: b",
    "sharp": "a #b",
    "quotes": "say \"hi\" 'there'",
    "backslash": "a\\b",
    "line": "a\nb",
    "umlaut": "ü",
    "equals": "a=b",
    "braces": "{a}",
    "brackets": "[a]",
    "star": "*x",
    "exponent": "1e5",
    "octal": "0o7",
    "time": "12:30:45",
    "tilde": "~",
    "dash": "-",
    "at": "@x",
    "comma": "a, b",
    "many": [1, "a,b", True, None, [0.5, []], {"x": "1", "on": {"y": [-1, {}]}}],
    "inside": {"of": {"another": "a=b,c:d"}, "empty": {}},
    "small": 1e-05,
    "large": 1e300,
    "endless": [float("inf"), float("-inf")],
    "face": "\N{GRINNING FACE} ü€",
    "spaces": "  a  ",
}


@pytest.fixture(scope="module")
def read():
    """What Kedro reads of each list of arguments."""
    if not KEDRO.exists():
        pytest.skip("python3 dev/bootstrap.py kedro makes the environment with Kedro")

    def call(*options):
        lines = "".join(json.dumps(compile_arguments(**one)) + "\n" for one in options)
        command = [KEDRO, "-c", PROGRAM]
        done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr + done.stdout
        found = [line for line in done.stdout.splitlines() if line.startswith("READ")]
        return [json.loads(line.removeprefix("READ")) for line in found]

    return call


def test_kedro_reads_the_options_that_were_meant(read):
    names = {"nodes": "node_names"}
    for meant, got in zip(CASES, read(*CASES), strict=True):
        for name, value in meant.items():
            assert got[names.get(name, name)] == value, name


def test_kedro_reads_parameters_with_their_types(read):
    (got,) = read({"params": PARAMS})
    assert got["params"] == PARAMS


def test_kedro_reads_a_parameter_inside_of_another(read):
    (got,) = read({"params": {"model.rows": 3, "model.name": "x"}})
    assert got["params"] == {"model": {"rows": 3, "name": "x"}}
