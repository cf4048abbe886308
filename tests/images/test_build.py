"""``emrkit image build``: what is built, and what the user is told."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from waiting import wait_until


@pytest.fixture
def context(tmp_path):
    """A directory with a Dockerfile that a test may change."""
    directory = tmp_path / "app"
    directory.mkdir()
    (directory / "Dockerfile").write_text("FROM scratch\n")
    return directory


@pytest.mark.parametrize(
    ("tag", "told"),
    [
        ("etl", "--tag: 'etl' has no tag; Docker would take latest; give it a version: etl:1.0"),
        ("ETL:1", "--tag: 'ETL:1' is no name of an image"),
        (f"etl@sha256:{'0' * 64}", "has a digest, which comes from what was built"),
    ],
)
def test_a_name_is_checked_before_anything_is_built(image, recording, context, capsys, tag, told):
    assert image("build", context, "--tag", tag) == 2
    assert told in capsys.readouterr().err
    assert recording.calls() == []


def test_a_missing_dockerfile_is_told_with_what_writes_one(image, recording, tmp_path, capsys):
    assert image("build", tmp_path, "--tag", "etl:1") == 2
    assert "is no file; name another, or write one with: emrkit image new" in capsys.readouterr().err


def test_a_release_without_images_is_told_before_anything_is_built(image, recording, context, capsys):
    assert image("build", context, "--tag", "etl:1", "--release", "emr-5.36.0") == 2
    assert "emr-5.36.0" in capsys.readouterr().err
    assert recording.calls() == []


def test_the_engine_gets_what_was_asked_for(image, recording, context, tmp_path):
    recording.has("etl:1")
    file = tmp_path / "Other"
    file.write_text("FROM scratch\n")
    options = ["--file", file, "--build-arg", "A=1", "--build-arg", "B=2", "--network", "host"]
    assert image("build", context, "--tag", "etl:1", *options) == 0
    assert recording.calls("build")[0]["argv"] == [
        *("build", "--force-rm", "--tag", "etl:1", "--file", str(file), "--network", "host"),
        *("--build-arg", "A=1", "--build-arg", "B=2", "--", str(context)),
    ]


@pytest.mark.parametrize(("arch", "platform"), [("x86_64", None), ("arm64", "linux/arm64")])
def test_another_architecture_than_the_engines_is_asked_for(image, recording, context, arch, platform):
    recording.has("etl:1")
    assert image("build", context, "--tag", "etl:1", "--arch", arch) == 0
    argv = recording.calls("build")[0]["argv"]
    assert (argv[argv.index("--platform") + 1] if "--platform" in argv else None) == platform


def test_an_image_for_x86_is_built_on_an_arm_machine_by_default(image, recording, context):
    recording.tell(podman=True)  # which says that it is on arm64
    recording.has("etl:1")
    assert image("build", context, "--tag", "etl:1") == 0
    assert "linux/amd64" in recording.calls("build")[0]["argv"]


def test_the_exit_code_is_the_engines(image, recording, context, capsys):
    recording.tell(codes={"build": 7})
    assert image("build", context, "--tag", "etl:1") == 7
    assert "docker could not build etl:1; see above" in capsys.readouterr().err


def test_an_image_that_stayed_in_its_builder_is_told(image, recording, context, capsys):
    assert image("build", context, "--tag", "etl:1") == 1
    assert "kept it in its builder; choose a builder that loads" in capsys.readouterr().err


def test_the_next_step_is_named(image, recording, context, capsys):
    name = "123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1"
    for tag in (name, "etl:1"):
        recording.has(tag)
        assert image("build", context, "--tag", tag) == 0
    out = capsys.readouterr().out
    assert f"next: emrkit image push {name}\n" in out
    assert "--source etl:1\n" in out
    assert "253 MB, amd64" in out


# --- a real engine ----------------------------------------------------------------------------------------


def test_a_real_engine_builds_an_image_that_runs(image, engine, base_image, own_name, context, capfd):
    name = own_name("emrkit-tests-build:1")
    (context / "job.py").write_text("import haversine; print('ran')\n")
    (context / "Dockerfile").write_text(
        f"FROM {base_image}\nARG WHO\nENV WHO=$WHO\nCOPY job.py /job.py\nRUN python3 /job.py\n"
    )
    assert image("build", context, "--tag", name, "--build-arg", "WHO=tests", "--network", "none") == 0
    out, err = capfd.readouterr()
    assert engine.inspect(name)["Id"] in out
    assert "Step 5/5" in err or "[4/4]" in err
    assert engine.run(name, ["sh", "-c", "python3 /job.py; echo $WHO"]).stdout == "ran\ntests\n"


def test_a_built_image_is_checked_for_a_release(image, base_image, own_name, context, capfd):
    (context / "Dockerfile").write_text(f"FROM {base_image}\n")
    words = ["--tag", own_name("emrkit-tests-build:4"), "--network", "none", "--release", "emr-6.15.0"]
    assert image("build", context, *words) == 1  # it has no Java
    out = capfd.readouterr().out
    assert "JAVA_HOME" in out
    assert "before jobs run in it on emr-6.15.0" in out
    assert "next:" not in out


def test_a_real_build_that_fails_shows_why_and_leaves_no_container(
    image, engine, base_image, own_name, context, capfd
):
    (context / "Dockerfile").write_text(
        f"FROM {base_image}\nLABEL emrkit.tests=failed\nRUN python3 -c 'import nothing_like_it'\n"
    )
    assert image("build", context, "--tag", own_name("emrkit-tests-build:2"), "--network", "none") == 1
    assert "No module named 'nothing_like_it'" in capfd.readouterr().err
    left = [engine.program, "ps", "--all", "--quiet", "--filter", "label=emrkit.tests=failed"]
    assert subprocess.run(left, capture_output=True, check=True).stdout == b""


def test_a_real_build_that_is_ended_leaves_no_container(engine, base_image, own_name, context):
    name = own_name("emrkit-tests-build:3")
    command = [sys.executable, "-m", "airflow_provider_emrkit.cli", "image", "build", str(context)]
    there = [engine.program, "ps", "--all", "--quiet", "--filter", "label=emrkit.tests=ended"]
    words = ["--tag", name, "--network", "none"]
    (context / "Dockerfile").write_text(
        f"FROM {base_image}\nLABEL emrkit.tests=ended\nRUN echo started && sleep 300\n"
    )
    with subprocess.Popen([*command, *words], stderr=subprocess.PIPE) as process:
        wait_until(
            lambda: (
                subprocess.run([*there, "--filter", "status=running"], capture_output=True, check=True).stdout
            ),
            "its container",
            120,
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
    wait_until(lambda: not subprocess.run(there, capture_output=True, check=True).stdout, "its end", 120)
    assert engine.inspect(name) is None
