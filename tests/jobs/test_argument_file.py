from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from airflow_provider_emrkit.jobs.argument_file import (
    MAX_ARGUMENT_BYTES,
    MAX_DRIVER_BYTES,
    MAX_TOTAL_BYTES,
    ArgumentFile,
    check_driver_arguments,
)
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from pathlib import Path

BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None, reason="no bash here")

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")

# Writes what it was started with.
JOB = """\
import os, sys
sys.stdout.buffer.write(b"\\0".join(os.fsencode(arg) for arg in sys.argv[1:]) + b"\\0")
"""
HADOOP = """\
#!/bin/sh
[ "$1 $2" = "fs -cat" ] || exit 9
echo "some warning" >&2
cat "$3" || exit 1
"""


class Cluster:
    """A primary node: bash, and a ``hadoop`` that reads files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tmp").mkdir()
        (folder / "bin").mkdir()
        self.hadoop = folder / "bin" / "hadoop"
        self.hadoop.write_text(HADOOP)
        self.hadoop.chmod(0o755)
        (folder / "job.py").write_text(JOB)
        self.environment = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "TMPDIR": str(folder / "tmp"),
            "LC_ALL": "C",
        }

    def argv(self, *args: str) -> list[str]:
        return [sys.executable, str(self.folder / "job.py"), *args]

    def step(self, file: ArgumentFile, content: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run a step, with what really is on S3."""
        stored = self.folder / "stored"
        stored.write_bytes(file.content if content is None else content)
        return self.run(file.step_argv(str(stored)))

    def run(self, argv: list[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(argv, env=self.environment, capture_output=True, check=False, timeout=60)

    def left_behind(self) -> list[str]:
        return [found.name for found in (self.folder / "tmp").iterdir()]


@pytest.fixture
def cluster(tmp_path):
    return Cluster(tmp_path)


def received(output: bytes) -> list[str]:
    return [part.decode() for part in output.split(b"\0")[:-1]]


HOSTILE = [
    "",
    " ",
    " a  b ",
    "\t\n",
    "ends in a newline\n",
    "\n\n",
    "'single' \"double\" `back` $HOME ${HOME} $(id) \\ \\n \\\\",
    "*", "?", "[a]", "~", "!", "#", "-n", "--", "&&", ";", "|", ">", "<", "{{ ds }}", "%s", "\r\n", "a\x7fb",
    "é", "日本語", "🙂", "\ufeff", "k=v", "=",
]  # fmt: skip


def test_a_program_gets_what_was_written_byte_for_byte(cluster):
    file = ArgumentFile.of(cluster.argv(*HOSTILE))
    assert received(cluster.step(file).stdout) == HOSTILE


def test_no_argument_at_all_is_one_too(cluster):
    assert received(cluster.step(ArgumentFile.of(cluster.argv("a", ""))).stdout) == ["a", ""]


@on_linux
def test_the_greatest_arguments_a_program_can_get(cluster):
    many = ["x" * MAX_ARGUMENT_BYTES, "é" * (MAX_ARGUMENT_BYTES // 2), *["y z"] * 5_000]
    assert received(cluster.step(ArgumentFile.of(cluster.argv(*many))).stdout) == many


def test_the_program_takes_the_place_of_the_shell(cluster):
    """So that a signal for the step reaches it."""
    file = ArgumentFile.of(["sh", "-c", "echo $PPID"])
    assert int(cluster.step(file).stdout) == os.getpid()


def test_the_program_s_exit_code_is_the_step_s(cluster):
    done = cluster.step(ArgumentFile.of(["sh", "-c", "exit 7"]))
    assert done.returncode == 7


def test_nothing_is_left_behind(cluster):
    assert cluster.step(ArgumentFile.of(cluster.argv("a"))).returncode == 0
    assert cluster.left_behind() == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"spark-submit\0s3://code/job", id="cut off"),
        pytest.param(b"spark-submit\0s3://code/job.py\0a\0b\0", id="too long"),
    ],
)
def test_a_file_that_is_not_whole_is_not_run(cluster, content):
    file = ArgumentFile.of(["spark-submit", "s3://code/job.py", "a"])
    done = cluster.step(file, content)
    assert done.returncode == 1
    assert b"the arguments of the job could not be read from" in done.stderr
    assert cluster.left_behind() == []


def test_a_file_that_can_t_be_read_is_named(cluster):
    done = cluster.run(ArgumentFile.of(["spark-submit"]).step_argv(str(cluster.folder / "nowhere")))
    assert done.returncode == 1
    assert f"could not be read from {cluster.folder}/nowhere".encode() in done.stderr
    assert cluster.left_behind() == []


def test_a_reader_that_fails_at_the_end_is_not_trusted(cluster):
    cluster.hadoop.write_text(HADOOP + "exit 3\n")
    assert cluster.step(ArgumentFile.of(cluster.argv("a"))).returncode == 1


def test_the_same_arguments_are_one_file():
    first, second = ArgumentFile.of(["a", "b"]), ArgumentFile.of(["a", "b"])
    assert first == second
    assert first.key.endswith("/arguments")
    assert ArgumentFile.of(["ab"]).key != first.key


def test_an_argument_that_linux_does_not_take_is_named_without_its_value():
    with pytest.raises(InvalidValueError, match=r"'spark.executorEnv.TOKEN…' has 131,095 bytes") as caught:
        ArgumentFile.of(["--conf", "spark.executorEnv.TOKEN=" + "s" * MAX_ARGUMENT_BYTES])
    assert "sss" not in str(caught.value)


def test_arguments_that_linux_does_not_take_together():
    with pytest.raises(InvalidValueError, match=f"more than the {MAX_TOTAL_BYTES:,}"):
        ArgumentFile.of(["x" * 100_000] * 20)


@on_linux
def test_the_limits_are_true_here(cluster):
    """What is let through does run."""
    most = (MAX_TOTAL_BYTES - sum(map(len, cluster.argv())) - 1_000) // 100_009
    big = ["x" * 100_000] * most
    assert received(cluster.step(ArgumentFile.of(cluster.argv(*big))).stdout) == big


def test_a_nul_can_be_in_no_argument():
    with pytest.raises(InvalidValueError, match="holds a NUL"):
        ArgumentFile.of(["a\0b"])


def test_a_driver_s_arguments_have_to_fit_into_one_of_linux_s():
    check_driver_arguments(["x" * (MAX_DRIVER_BYTES - 9)])
    with pytest.raises(InvalidValueError, match=r"SparkJob.args: .* put them into a file"):
        check_driver_arguments(["x" * (MAX_DRIVER_BYTES - 8)])
    with pytest.raises(InvalidValueError, match="YARN can start a driver with"):
        check_driver_arguments(["$" * (MAX_DRIVER_BYTES // 2)])
