from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

from airflow_provider_emrkit.jobs.argument_file import ArgumentFile
from airflow_provider_emrkit.jobs.ecr_login import client_config_of, logged_in
from airflow_provider_emrkit.validation import InvalidValueError

pytestmark = pytest.mark.skipif(
    shutil.which("bash") is None or sys.platform != "linux", reason="the script is for the bash of a cluster"
)

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
OTHER = "210987654321.dkr.ecr.eu-west-1.amazonaws.com"
TOKEN = "QVdTOmV5" + "Jw+/" * 500 + "=="
PROC = Path("/proc")
# Seconds in which what is to come has come.
PATIENCE = 20.0

# Each says what it was called with, and does what a file says.
AWS = """\
#!/usr/bin/env bash
[[ "$*" == *"--query authorizationData[0].authorizationToken --output text"* ]] || exit 9
printf '%s\\n' "$*" >> "$RECORDS/aws"
[[ -e $RECORDS/aws.sh ]] && . "$RECORDS/aws.sh"
cat "$RECORDS/token"
"""
HDFS = """\
#!/usr/bin/env bash
printf '%s\\n' "$*" >> "$RECORDS/hdfs"
[[ "${*:1:1} ${*:4:3}" == "dfs -put -f -" ]] || exit 9
[[ -e $RECORDS/hdfs.sh ]] && . "$RECORDS/hdfs.sh"
cat > "$RECORDS/stored.new" && mv "$RECORDS/stored.new" "$RECORDS/stored"
"""
# A job that tells what it sees, and goes on until it is told to end.
JOB = """\
import json, os, signal, sys, time
seen = {"argv": sys.argv[1:], "env": dict(os.environ), "pid": os.getpid(), "parent": os.getppid()}
signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b"terminated\\n"), os._exit(7)))
print(json.dumps(seen), flush=True)
while not os.path.exists(os.environ["RECORDS"] + "/end"):
    time.sleep(0.02)
"""


class Primary:
    """A cluster's primary node: bash, ``aws``, ``hdfs`` and a job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        for name, text in (("aws", AWS), ("hdfs", HDFS)):
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        # A second between two tries is a long time here.
        (folder / "bin" / "sleep").write_text(f'#!/bin/sh\necho "$1" >> {folder}/sleep\n')
        (folder / "bin" / "sleep").chmod(0o755)
        (folder / "job.py").write_text(JOB)
        (folder / "token").write_text(f"{TOKEN}\n")
        self.environment = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "RECORDS": str(folder),
            "LC_ALL": "C.UTF-8",
        }
        self.started: list[subprocess.Popen[str]] = []

    def start(self, argv: list[str]) -> subprocess.Popen[str]:
        self.started.append(
            subprocess.Popen(
                argv, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
        return self.started[-1]

    def run(self, argv: list[str]) -> subprocess.CompletedProcess[str]:
        """Run to the end: of the step, and of everybody who has its output open."""
        out, err = (process := self.start(argv)).communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(argv, process.returncode, out, err)

    def job(self, *args: str) -> list[str]:
        return [sys.executable, str(self.folder / "job.py"), *args]

    def does(self, program: str, script: str) -> None:
        (self.folder / f"{program}.sh").write_text(script)

    def gets(self, token: str) -> None:
        """Give logins a token from now on; one that is under way sees no half of it."""
        (self.folder / "token.new").write_text(f"{token}\n")
        (self.folder / "token.new").rename(self.folder / "token")

    def end(self) -> None:
        (self.folder / "end").touch()

    def calls(self, program: str) -> list[str]:
        file = self.folder / program
        return file.read_text().splitlines() if file.exists() else []

    @property
    def stored(self) -> Any:
        return json.loads((self.folder / "stored").read_text())

    def processes(self) -> dict[int, str]:
        """Give the command lines of what runs with this primary's environment, by pid."""
        mine = f"RECORDS={self.folder}"
        found = {
            int(pid.name): read(pid / "cmdline") for pid in PROC.iterdir() if mine in read(pid / "environ")
        }
        return {pid: line.replace("\0", " ") for pid, line in found.items()}


def read(file: Path) -> str:
    """Read a file of a process; empty when it is gone."""
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


@pytest.fixture
def primary(tmp_path):
    primary = Primary(tmp_path)
    yield primary
    for process in primary.started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stderr.close()
    wait_until(lambda: not primary.processes())


def seen_by(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    return dict(json.loads(process.stdout.readline()))


def test_the_login_is_on_hdfs_before_the_job_runs(primary):
    done = primary.run(logged_in(["cat", str(primary.folder / "stored")], [HOST]))
    assert json.loads(done.stdout) == {"auths": {HOST: {"auth": TOKEN}}}
    assert (done.returncode, done.stderr) == (0, "")
    [call] = primary.calls("aws")
    assert call.startswith("ecr get-authorization-token --registry-ids 123456789012 --region us-east-1 ")
    [put] = primary.calls("hdfs")
    assert put.split() == [
        "dfs", "-D", "fs.permissions.umask-mode=022", "-put", "-f", "-", client_config_of([HOST]),
    ]  # fmt: skip


def test_each_of_several_registries_is_asked_for_in_its_own_region(primary):
    assert primary.run(logged_in(["true"], [HOST, OTHER])).returncode == 0
    assert list(primary.stored["auths"]) == [HOST, OTHER]
    assert ["--registry-ids 210987654321 --region eu-west-1" in call for call in primary.calls("aws")] == [
        False,
        True,
    ]
    assert client_config_of([OTHER, HOST]) == client_config_of([HOST, OTHER]) != client_config_of([HOST])


HOSTILE = ["", " ", "a  b", "\n", "--", "'", '"', "$(id)", "`id`", "\\", "*", "é🙂", "-n", "spark.x=$HOME"]


def test_the_job_gets_its_arguments_byte_for_byte(primary):
    primary.end()
    done = primary.run(logged_in(primary.job(*HOSTILE), [HOST]))
    assert json.loads(done.stdout)["argv"] == HOSTILE


def test_the_job_takes_the_place_of_the_shell_and_ends_the_step_with_its_code(primary):
    process = primary.start(logged_in(primary.job(), [HOST]))
    seen = seen_by(process)
    assert (seen["pid"], seen["parent"]) == (process.pid, os.getpid())
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=PATIENCE) == ("terminated\n", "")
    assert process.returncode == 7
    wait_until(lambda: not primary.processes())


def test_a_driver_s_environment_in_client_mode(primary):
    primary.end()
    done = primary.run(logged_in(["env", "DAY=a b", *primary.job()], [HOST]))
    assert json.loads(done.stdout)["env"]["DAY"] == "a b"


def test_nobody_sees_the_token(primary):
    """Not the job, not who lists processes, not the log."""
    primary.does("hdfs", 'ps -eo args >> "$RECORDS/listed"; env >> "$RECORDS/listed"')
    process = primary.start(logged_in(primary.job(), [HOST], every=1))
    seen = seen_by(process)
    wait_until(lambda: len(primary.calls("hdfs")) > 1)
    environments = [read(PROC / str(pid) / "environ") for pid in primary.processes()]
    primary.end()
    out, err = process.communicate(timeout=PATIENCE)
    listed = (primary.folder / "listed").read_text()
    assert "hdfs dfs" in listed
    for shown in (json.dumps(seen), listed, out, err, *environments, *primary.processes().values()):
        assert TOKEN[:40] not in shown


def test_the_login_is_renewed_while_the_job_runs_and_no_longer(primary):
    process = primary.start(logged_in(primary.job(), [HOST], every=1))
    seen_by(process)
    primary.gets(f"{TOKEN[:-4]}NEW=")
    wait_until(lambda: primary.stored["auths"][HOST]["auth"].endswith("NEW="))
    wait_until(lambda: len(primary.calls("hdfs")) >= 3)
    primary.end()
    assert process.communicate(timeout=PATIENCE) == ("", "")
    wait_until(lambda: not primary.processes())
    before = primary.calls("aws")
    time.sleep(1.5)  # longer than between two logins
    assert primary.calls("aws") == before


def test_a_step_that_is_killed_leaves_nothing_running(primary):
    process = primary.start(logged_in(primary.job(), [HOST], every=3_600))
    seen_by(process)
    assert len(primary.processes()) == 2  # the job, and who renews the login
    process.kill()
    process.communicate(timeout=PATIENCE)
    wait_until(lambda: not primary.processes())


def test_a_step_that_is_killed_while_a_login_is_renewed_leaves_its_output_to_nobody(primary):
    process = primary.start(logged_in(primary.job(), [HOST], every=1))
    seen_by(process)
    primary.does("aws", 'touch "$RECORDS/held"; until [[ -e "$RECORDS/go" ]]; do /bin/sleep 0.05; done')
    wait_until((primary.folder / "held").exists)
    process.kill()
    process.communicate(timeout=PATIENCE)  # the ends of both pipes
    assert primary.processes()
    (primary.folder / "go").touch()
    wait_until(lambda: not primary.processes())


def test_a_login_that_is_not_renewed_is_told_and_tried_again(primary):
    process = primary.start(logged_in(primary.job(), [HOST], every=1))
    seen_by(process)
    primary.does("aws", 'echo "Could not connect to the endpoint URL" >&2; exit 255')
    assert process.stderr is not None
    said = process.stderr.readline()
    assert said == (
        "emrkit: the login to ECR is not renewed yet: "
        f"could not log in to ECR registry {HOST}: Could not connect to the endpoint URL\n"
    )
    primary.gets(f"{TOKEN[:-4]}NEW=")
    (primary.folder / "aws.sh").unlink()
    wait_until(lambda: primary.stored["auths"][HOST]["auth"].endswith("NEW="))
    primary.end()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


DENIED = (
    "An error occurred (AccessDeniedException) when calling the GetAuthorizationToken operation: "
    "User: arn:aws:sts::123456789012:assumed-role/EMR_EC2_DefaultRole/i-1 is not authorized"
)


def test_a_missing_permission_ends_the_step_at_once_with_what_to_allow(primary):
    primary.does("aws", f'printf "\\n%s\\n" "{DENIED}" >&2; exit 254')
    done = primary.run(logged_in(["echo", "the job"], [HOST]))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"emrkit: could not log in to ECR registry {HOST}: {DENIED}; "
        "allow ecr:GetAuthorizationToken to the instance profile\n"
    )
    assert len(primary.calls("aws")) == 1
    assert primary.calls("hdfs") == []


def test_a_throttled_login_is_tried_again_and_again_but_not_for_ever(primary):
    throttled = "An error occurred (ThrottlingException): Rate exceeded"
    primary.does("aws", f'echo "{throttled}" >&2; exit 254')
    done = primary.run(logged_in(["echo", "the job"], [HOST]))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"emrkit: could not log in to ECR registry {HOST}: {throttled}\n"
    assert [int(float(pause)) for pause in primary.calls("sleep")] == [2, 5, 15]


def test_a_login_that_works_in_the_end_is_one(primary):
    primary.does("aws", '[[ $(wc -l < "$RECORDS/aws") -lt 3 ]] && { echo "Rate exceeded" >&2; exit 254; }')
    done = primary.run(logged_in(["echo", "the job"], [HOST]))
    assert (done.returncode, done.stdout, done.stderr) == (0, "the job\n", "")


def test_a_file_that_can_t_be_written_is_named_with_the_words_of_hdfs(primary):
    primary.does("hdfs", 'cat > /dev/null; echo "put: Name node is in safe mode." >&2; exit 1')
    done = primary.run(logged_in(["echo", "the job"], [HOST]))
    assert (done.returncode, done.stdout) == (1, "")
    where = client_config_of([HOST])
    assert done.stderr == (
        f"emrkit: could not put the login to ECR to {where}: put: Name node is in safe mode.\n"
    )


def test_a_file_that_another_step_writes_at_the_same_moment_is_written_again(primary):
    lost = "put: LeaseExpiredException: No lease on /user/hadoop/emrkit.json._COPYING_"
    once = f'[[ -e $RECORDS/once ]] || {{ touch $RECORDS/once; cat > /dev/null; echo "{lost}" >&2; exit 1; }}'
    primary.does("hdfs", once)
    done = primary.run(logged_in(["echo", "the job"], [HOST]))
    assert (done.returncode, done.stdout, done.stderr) == (0, "the job\n", "")
    assert primary.stored == {"auths": {HOST: {"auth": TOKEN}}}


@pytest.mark.parametrize("answer", ["", "None", "{}", 'x","evil":{"auth":"y'])
def test_what_is_no_token_is_none(primary, answer):
    (primary.folder / "token").write_text(f"{answer}\n")
    done = primary.run(logged_in(["echo", "the job"], [HOST]))
    assert (done.returncode, done.stdout) == (1, "")
    assert "aws gave no token" in done.stderr
    assert primary.calls("hdfs") == []


def test_a_warning_beside_the_token_does_no_harm(primary):
    warning = f"DeprecationWarning: Python 2.7 is too old {'x' * 40}"
    primary.does("aws", f'echo "{warning}" >&2')
    assert primary.run(logged_in(["true"], [HOST])).returncode == 0
    assert primary.stored == {"auths": {HOST: {"auth": TOKEN}}}


def test_a_program_that_is_not_there_is_told(primary):
    (primary.folder / "bin" / "hdfs").unlink()
    done = primary.run(logged_in(["true"], [HOST]))
    assert done.returncode == 1
    assert "hdfs: command not found" in done.stderr


def test_a_step_that_is_stopped_before_the_job_leaves_its_output_to_nobody(primary):
    (primary.folder / "bin" / "sleep").write_text("#!/bin/sh\ntouch $RECORDS/sleeps; exec /bin/sleep 60\n")
    primary.does("aws", "exit 254")
    process = primary.start(logged_in(primary.job(), [HOST]))
    wait_until((primary.folder / "sleeps").exists)
    process.terminate()
    process.communicate(timeout=PATIENCE)
    for pid in primary.processes():
        os.kill(pid, signal.SIGKILL)


def test_long_arguments_and_a_login_go_together(primary):
    (primary.folder / "bin" / "hadoop").write_text('#!/bin/sh\ncat "$3"\n')
    (primary.folder / "bin" / "hadoop").chmod(0o755)
    file = ArgumentFile.of(logged_in(primary.job("x" * 20_000, "é"), [HOST], every=1))
    stored = primary.folder / "arguments"
    stored.write_bytes(file.content)
    process = primary.start(file.step_argv(str(stored)))
    seen = seen_by(process)
    assert (seen["argv"], seen["pid"]) == (["x" * 20_000, "é"], process.pid)
    wait_until(lambda: len(primary.calls("hdfs")) >= 2)
    process.kill()
    process.communicate(timeout=PATIENCE)
    wait_until(lambda: not primary.processes())


def test_another_registry_than_ecr_is_refused():
    with pytest.raises(InvalidValueError, match=r"'ghcr\.io' is no registry of ECR"):
        logged_in(["true"], ["ghcr.io"])


def test_only_what_old_command_lines_know_is_used():
    """`aws ecr get-authorization-token` of version 1.16, without those of `get-login-password` (1.17.10)."""
    script = logged_in(["true"], [HOST])[2]
    assert "get-login" not in script
    assert "mapfile" not in script
    assert len(script) < 2_000
