"""The script a container runs."""

from __future__ import annotations

import subprocess

from airflow_provider_emrkit.localemr.engine.script import inside, launch_script


def run(tmp_path, *command: str, env=None, outer=None, home="", work=None) -> str:
    script = launch_script(command, env or {}, tmp_path / "it is\nlaunched", home)
    done = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": "/usr/bin:/bin", **(outer or {})},
        cwd=work,
        capture_output=True,
        check=True,
    )
    assert (tmp_path / "it is\nlaunched").exists()
    return done.stdout.decode()


def test_arguments_and_variables_arrive_byte_for_byte(tmp_path):
    hostile = "'; $(exit 3) `exit 4` \"\\ \n é"
    assert run(tmp_path, "printf", "%s", hostile) == hostile
    assert run(tmp_path, "sh", "-c", 'printf %s "$A"', env={"A": hostile}) == hostile


def test_a_name_that_is_none_is_no_command(tmp_path):
    env = {"A=1; exit 5": "x", "$(exit 6)": "x", "A\nexit 7": "x", "B": "kept"}
    assert run(tmp_path, "sh", "-c", 'printf %s "$B"', env=env) == "kept"


def test_an_images_own_settings_of_aws_are_gone(tmp_path):
    words = ("sh", "-c", 'printf %s "$AWS_PROFILE$AWS_REGION$MODEL"')
    outer = {"AWS_PROFILE": "production", "MODEL": "m"}
    assert run(tmp_path, *words, env={"AWS_REGION": "here-"}, outer=outer) == "here-m"


def test_what_is_in_an_images_home_is_seen_in_the_working_directory(tmp_path):
    home, work = tmp_path / "it's home", tmp_path / "work"
    for folder, text in ((home, "the image's"), (work, "the job's")):
        folder.mkdir()
        (folder / "both.txt").write_text(text)
    (home / "conf").mkdir()
    (home / "conf" / "base.yml").write_text("base")
    assert run(tmp_path, "cat", "both.txt", "conf/base.yml", home=str(home), work=work) == "the job'sbase"


def test_a_home_that_is_empty_or_not_there_changes_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    for home in ("empty", "nowhere"):
        work = tmp_path / f"work-{home}"
        work.mkdir()
        assert run(tmp_path, "ls", home=str(tmp_path / home), work=work) == ""


BASE = {"PATH": "/ours", "PYSPARK_PYTHON": "/venv/python", "VIRTUAL_ENV": "/venv", "HOME": "/h", "SHELL": "x"}


def test_what_an_image_brings_is_not_hidden():
    env = inside(BASE, {}, {})
    assert env["HOME"] == "/h"
    assert env["PYSPARK_PYTHON"] == "python3"
    assert not {"PATH", "VIRTUAL_ENV", "SHELL"} & set(env)


def test_an_image_may_name_the_python_of_its_jobs():
    assert "PYSPARK_PYTHON" not in inside(BASE, {}, {}, python="")
    assert inside(BASE, {}, {"PYSPARK_PYTHON": "/opt/python"}, python="")["PYSPARK_PYTHON"] == "/opt/python"


def test_the_cluster_and_then_the_job_may_choose_their_python():
    base = {**BASE, "PYSPARK_PYTHON": "/usr/bin/python3"}
    assert inside(base, {"PYSPARK_PYTHON": "/usr/bin/python3"}, {})["PYSPARK_PYTHON"] == "/usr/bin/python3"
    asked = {"PYSPARK_PYTHON": "/opt/python", "PATH": "/theirs"}
    assert inside(base, {"PYSPARK_PYTHON": "/usr/bin/python3"}, asked).items() >= asked.items()


def test_the_local_emr_is_never_behind_a_proxy():
    assert "127.0.0.1" in inside(BASE, {}, {})["no_proxy"]
