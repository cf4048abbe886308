"""Arguments reach the job byte for byte, whichever way they go: random ones, the same each time."""

from __future__ import annotations

import json
import random
import sys

import pytest

from airflow_provider_emrkit.localemr.run.contract import StepRequest

# Stands in for Spark's program: writes down what the job would get.
RECORDS = """#!{python}
import json, sys
args = sys.argv[1:]
with open({file!r}, "w") as file:
    json.dump(args[args.index("job.py") + 1:], file)
"""
LETTERS = [*"aZ0 \t\n\r'\"\\$`*?[]{}()<>|&;#~!%^=,.:/-", "--", "é", "漢", "🎈", "\u200b", "\x01", "\x7f"]
FIXED = [
    "",
    " ",
    "-",
    "--",
    "--conf",
    "--master",
    "yarn",
    "-c",
    "$HOME",
    "$(id)",
    "`id`",
    "a=b",
    "job.py",
    "*",
]


def some_arguments(seed: int) -> list[str]:
    # Not for secrets: the same arguments each time.
    source = random.Random(seed)
    words = ["".join(source.choices(LETTERS, k=source.randrange(1, 12))) for _ in range(12)]
    return source.sample([*FIXED, *words], k=16)


BASH = ["bash", "-c", 'spark-submit --verbose job.py "$@"', "bash"]
WAYS = {
    "client": ["spark-submit", "--name=x", "job.py"],
    "cluster": ["spark-submit", "--deploy-mode", "cluster", "job.py"],
    "full-path": ["/usr/lib/spark/bin/spark-submit", "-c", "a=b", "job.py"],
    "env": ["env", "A=1 2", "spark-submit", "job.py"],
    "sudo": ["sudo", "-E", "-u", "hadoop", "spark-submit", "job.py"],
    "bash": BASH,
    "bash-cluster": [*BASH[:2], BASH[2].replace("--verbose", "--deploy-mode cluster"), "bash"],
    "script-runner": [],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(3))
def test_arguments_arrive_as_they_were_sent(start, tmp_path, way, seed):
    file = tmp_path / "received"
    program = tmp_path / "spark" / "bin" / "spark-submit"
    cluster = start()
    program.write_text(RECORDS.format(python=sys.executable, file=str(file)))
    sent = some_arguments(seed)
    if way == "script-runner":
        script = tmp_path / "go.sh"
        script.write_text('exec spark-submit job.py "$@"\n')
        jar, args = "s3://us-east-1.elasticmapreduce/libs/script-runner/script-runner.jar", [str(script)]
    else:
        jar, args = "command-runner.jar", WAYS[way]
    assert cluster.start_step(StepRequest("s-1", "arguments", jar, [*args, *sent])).wait().succeeded
    assert json.loads(file.read_text()) == sent


@pytest.mark.parametrize("bad", ["a\0b", "\ud800"])
def test_what_can_be_no_argument_is_said(start, bad):
    result = start().start_step(StepRequest("s-1", "bad", "command-runner.jar", ["echo", bad])).wait()
    assert not result.succeeded
    assert result.message.startswith("Cannot run program 'echo'")
