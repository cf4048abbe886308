"""``emrkit image check``: with an engine that answers as the test says, and with a real one."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
import zipfile

import pytest

from airflow_provider_emrkit.images.commands.check import findings_table
from airflow_provider_emrkit.images.engine import LABEL, EngineError
from airflow_provider_emrkit.images.findings import Finding
from airflow_provider_emrkit.images.processes import Ran

# Java is what says that it is.
JAVA = """#!/bin/sh
echo 'openjdk version "1.8.0_402"' >&2
"""


# --- what the user gets -----------------------------------------------------------------------------------


def test_no_engine_is_another_exit_code_than_a_bad_image(image, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert image("check", "etl:1") == 3
    assert "neither docker nor podman is on the PATH" in capsys.readouterr().err


def test_an_image_that_is_not_here_is_pulled(image, recording, capsys):
    assert image("check", "etl:1") == 3
    assert [call["argv"] for call in recording.calls("pull")] == [["pull", "--", "etl:1"]]
    assert "docker has no image etl:1 here, and pulls it" in capsys.readouterr().err


def test_an_image_that_can_t_be_pulled_is_none(image, recording, capsys):
    recording.tell(codes={"pull": 1})
    assert image("check", "etl:1") == 3
    assert "docker could not pull etl:1" in capsys.readouterr().err


def test_an_image_in_which_nothing_starts_is_an_error(image, recording, capsys):
    recording.has("etl:1", Os="linux")
    recording.tell(codes={"run": 127})
    assert image("check", "etl:1") == 1
    assert "nothing can be started in it" in capsys.readouterr().out


def test_an_image_that_this_machine_can_t_run_may_be_good(image, recording, monkeypatch, capsys):
    def run(*arguments, **options):
        return Ran(126, "", "exec /bin/sh: exec format error\n")

    recording.has("etl:1", Os="linux", Architecture="arm64")
    monkeypatch.setattr("airflow_provider_emrkit.images.engine.ContainerEngine.run", run)
    assert image("check", "etl:1", "--arch", "arm64") == 0
    assert "perhaps: nothing is known to stand against it on EMR" in capsys.readouterr().out


def test_an_image_that_hangs_is_an_error_of_the_image(image, recording, monkeypatch, capsys):
    def hang(*arguments, **options):
        raise EngineError("docker run took longer than 120 s")

    recording.has("etl:1", Os="linux")
    monkeypatch.setattr("airflow_provider_emrkit.images.engine.ContainerEngine.run", hang)
    assert image("check", "etl:1") == 1
    assert "nothing can be started in it: docker run took longer" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["--python", "python3"], ["--release", "emr-5.36.0"], ["--release", "emr-7.5.0"]]
)
def test_wrong_usage_is_told_before_any_engine_is_asked(image, recording, words):
    assert image("check", "etl:1", *words) == 2
    assert not recording.calls()


def test_it_looks_as_a_user_nobody_knows_and_without_network(image, recording):
    recording.has("etl:1", Os="linux")
    image("check", "etl:1")
    argv = recording.calls("run")[0]["argv"]
    assert argv[argv.index("--user") + 1] == "54321:54321"
    assert argv[argv.index("--network") + 1] == "none"
    assert argv[argv.index("--entrypoint") + 1] == ""


def test_what_an_image_says_is_shown_as_it_is_and_moves_nothing(capsys):
    from rich.console import Console

    hostile = "[bold red]hi[/] [link=x]\x1b[31mred\x07\u202egnp\n\nnext"
    Console(width=200, force_terminal=False).print(
        findings_table([Finding("error", "python", hostile, hostile)])
    )
    shown = capsys.readouterr().out
    assert "[bold red]hi[/] [link=x]red\\x07" in shown
    assert len(shown.strip().splitlines()) == 2
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)


# --- with a real engine -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def base(docker_engine, example_image, tmp_path_factory):
    """An image that passes: the example's, which has Python, with a Java."""
    directory, name = tmp_path_factory.mktemp("base"), f"emrkit-tests-base-{uuid.uuid4().hex[:8]}:1"
    (directory / "java").write_text(JAVA)
    (directory / "java").chmod(0o755)
    label = f"emrkit.tests={directory.name}-{uuid.uuid4().hex[:8]}"
    lines = (
        f"FROM {example_image}",
        "COPY java /opt/java/bin/java",
        "ENV JAVA_HOME=/opt/java",
        f"LABEL {label}",
    )
    (directory / "Dockerfile").write_text("\n".join((*lines, "")))
    yield docker_build(docker_engine.program, directory, name)
    subprocess.run([docker_engine.program, "rmi", "--force", name], capture_output=True, check=False)
    # Old builders keep the stages that are not the last.
    prune = [docker_engine.program, "image", "prune", "--force", "--filter", f"label={label}"]
    subprocess.run(prune, capture_output=True, check=False)


@pytest.fixture
def built(engine, base, own_name, tmp_path):
    """Build an image from one that passes."""

    def build(*lines):
        directory = tmp_path / uuid.uuid4().hex
        directory.mkdir()
        (directory / "Dockerfile").write_text("\n".join((f"FROM {base}", *lines, "")))
        return docker_build(engine.program, directory, own_name(f"emrkit-tests-{directory.name}:1"))

    return build


def docker_build(program, directory, name):
    argv = [program, "build", "--quiet", "--network", "none", "--tag", name, str(directory)]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return name


@pytest.fixture
def problems(image, capsys):
    """Check an image for emr-6.15.0; give its level and subject of all that is wrong, and the exit code."""

    def check(name, *words):
        capsys.readouterr()
        code = image("check", name, "--release", "emr-6.15.0", "--json", *words)
        found = json.loads(capsys.readouterr().out)
        assert found["ok"] is (code == 0)
        return {
            (one["level"], one["subject"]): one["text"] for one in found["findings"] if one["level"] != "ok"
        }

    return check


def test_a_good_image_passes_and_no_container_is_left(engine, base, problems):
    assert problems(base) == {}
    left = subprocess.run(
        [engine.program, "ps", "-aq", "--filter", f"label={LABEL}", "--filter", f"ancestor={base}"],
        capture_output=True,
        check=True,
    )
    assert left.stdout == b""


def test_the_image_of_the_example_lacks_java_and_nothing_else(example_image, problems):
    assert set(problems(example_image)) == {("error", "java")}


def test_a_link_into_the_home_of_root_is_found(built, problems):
    name = built(
        "RUN mkdir -p /root/py && cp /usr/bin/python3 /root/py/ && ln -sf /root/py/python3 /usr/bin/python3",
        "RUN mv /opt/java /root/java && ln -s /root/java /opt/java && chmod 700 /root",
    )
    found = problems(name)
    assert set(found) == {("error", "python"), ("error", "java")}
    assert (
        "/usr/bin/python3 -> /root/py/python3), and jobs run as hadoop, who can't see into /root"
        in (found["error", "python"])
    )
    assert "/opt/java/bin/java -> /root/java/bin/java" in found["error", "java"]


def test_a_python_that_the_job_names_is_the_one_that_is_judged(built, problems):
    name = built("RUN ln -s $(readlink -f /usr/bin/python3) /usr/local/bin/mine && rm /usr/bin/python3")
    assert ("error", "python") in problems(name)
    assert problems(name, "--python", "/usr/local/bin/mine") == {}


@pytest.mark.parametrize(
    ("entrypoint", "level", "seconds"),
    [
        # An engine that starts a container late makes no good entrypoint a bad one.
        ('["/usr/bin/env"]', "warning", 120.0),
        ('["echo", "[red]"]', "error", 120.0),
        # This one never ends.
        ('["sleep", "600"]', "error", 3.0),
    ],
)
def test_an_entrypoint_is_put_to_the_test(built, problems, monkeypatch, entrypoint, level, seconds):
    monkeypatch.setattr("airflow_provider_emrkit.images.probing.ENTRYPOINT_SECONDS", seconds)
    assert set(problems(built(f"ENTRYPOINT {entrypoint}"))) == {(level, "entrypoint")}


def test_an_image_without_bash_is_found_out(built, problems):
    assert set(problems(built('SHELL ["/bin/dash", "-c"]', "RUN rm /bin/bash"))) == {("error", "bash")}


def test_the_dockerfile_that_is_written_makes_an_image_that_passes(
    image, engine, base, own_name, problems, tmp_path
):
    """As it is written, but for what it begins with: a base and a uv that are here."""
    import uv

    directory, tools = tmp_path / "app", tmp_path / "uv"
    (directory / "wheels").mkdir(parents=True)
    for name, requires in (("mine", "Requires-Dist: pyspark\n"), ("other", "")):
        wheel(directory / "wheels", name, requires)
    lines = (
        "--no-index",
        "--find-links wheels",
        "./wheels/mine-1.0-py3-none-any.whl",
        "other",
        "pyspark==3.4.1",
    )
    (directory / "requirements.txt").write_text("\n".join((*lines, "")))
    assert image("new", directory, "--release", "emr-6.15.0", "--python", "3.9") == 0
    tools.mkdir()
    shutil.copy(uv.find_uv_bin(), tools / "uv")
    (tools / "Dockerfile").write_text("FROM scratch\nLABEL made=here\nCOPY uv /uv\n")
    own_uv = docker_build(engine.program, tools, own_name(f"emrkit-tests-uv-{uuid.uuid4().hex[:8]}:1"))
    text = (directory / "Dockerfile").read_text()
    starts = [line for line in text.splitlines() if line.startswith("FROM ") and " AS " in line]
    assert [start.rpartition(" AS ")[2] for start in starts] == ["uv", "base", "libraries"]
    for start, ours in zip(starts, (own_uv, base), strict=False):
        text = text.replace(start, f"FROM {ours} AS {start.rpartition(' AS ')[2]}")
    (directory / "Dockerfile").write_text(text)
    made = docker_build(engine.program, directory, own_name(f"emrkit-tests-{uuid.uuid4().hex[:8]}:1"))
    assert problems(made) == {}
    code = "import mine, other, importlib.util as u; print(u.find_spec('pyspark'))"
    ran = engine.run(made, ["/usr/bin/python3", "-c", code], user="54321:54321")
    assert (ran.code, ran.stdout.strip()) == (0, "None"), ran.stderr


def wheel(directory, name, requires):
    with zipfile.ZipFile(directory / f"{name}-1.0-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", "")
        about = f"{name}-1.0.dist-info"
        file.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")
