"""``emrkit image new``: what is written, what is kept, what the user is told."""

from __future__ import annotations

import pytest


@pytest.fixture
def directory(tmp_path):
    found = tmp_path / "app"
    found.mkdir()
    return found


def test_a_dockerfile_and_what_the_build_sees_are_written(image, directory, capsys):
    (directory / "requirements.txt").write_text("pandas\n")
    assert image("new", directory, "--release", "emr-6.15.0") == 0
    assert "-r requirements.txt" in (directory / "Dockerfile").read_text()
    assert (directory / ".dockerignore").read_text().splitlines()[1:] == ["*", "!requirements.txt"]
    told = capsys.readouterr().out
    for word in (
        f"wrote  {directory / 'Dockerfile'}",
        "emr-6.15.0: Spark 3.4.1, Java 8, Python 3.11",
        f"emrkit image build {directory} --tag ",
        "emrkit image check ",
        "emrkit image push ",
        "docker=DockerImage(",
        'docker=DockerOnYarn(["123456789012.dkr.ecr.us-east-1.amazonaws.com"])',
    ):
        assert word in told


def test_a_directory_that_is_not_there_is_made(image, tmp_path):
    assert image("new", tmp_path / "a" / "b", "--release", "emr-6.15.0") == 0
    assert (tmp_path / "a" / "b" / "Dockerfile").exists()


def test_a_dockerfile_that_is_there_is_kept(image, directory, capsys):
    (directory / "Dockerfile").write_text("FROM mine\n")
    assert image("new", directory, "--release", "emr-6.15.0") == 2
    assert "has a Dockerfile; say --force to replace it" in capsys.readouterr().err
    assert (directory / "Dockerfile").read_text() == "FROM mine\n"
    assert image("new", directory, "--release", "emr-6.15.0", "--force") == 0
    assert "Written by `emrkit image new`" in (directory / "Dockerfile").read_text()


def test_a_dockerignore_of_the_users_own_is_kept_even_so(image, directory, capsys):
    (directory / ".dockerignore").write_text(".git\n")
    assert image("new", directory, "--release", "emr-6.15.0", "--force") == 0
    assert (directory / ".dockerignore").read_text() == ".git\n"
    assert "is yours, and was kept" in capsys.readouterr().out


def test_requirements_come_before_the_project_where_nobody_chose(image, directory):
    (directory / "requirements.txt").write_text("pandas\n")
    (directory / "pyproject.toml").write_text('[project]\ndependencies = ["requests"]\n')
    image("new", directory, "--release", "emr-6.15.0")
    assert "-r requirements.txt" in (directory / "Dockerfile").read_text()
    image("new", directory, "--release", "emr-6.15.0", "--force", "--project", directory / "pyproject.toml")
    assert "-r pyproject.toml" in (directory / "Dockerfile").read_text()


def test_a_file_is_named_from_where_the_user_is(image, directory, monkeypatch):
    (directory / "reqs").mkdir()
    (directory / "reqs" / "prod.txt").write_bytes(b"\xef\xbb\xbfpandas\r\n")
    monkeypatch.chdir(directory / "reqs")
    assert image("new", directory, "--release", "emr-6.15.0", "--requirements", "prod.txt") == 0
    assert "COPY reqs/prod.txt ./reqs/\n" in (directory / "Dockerfile").read_text()


def test_the_projects_own_range_of_pythons_counts(image, directory):
    (directory / "pyproject.toml").write_text('[project]\nrequires-python = "<3.10"\ndependencies = []\n')
    assert image("new", directory, "--release", "emr-6.15.0") == 0
    assert "Python 3.9" in (directory / "Dockerfile").read_text()


def test_emr_7_needs_a_word_of_its_own_and_gets_it_in_all_that_follows(image, directory, capsys):
    assert image("new", directory, "--release", "emr-7.5.0") == 2
    assert "--experimental-emr7" in capsys.readouterr().err
    assert image("new", directory, "--release", "emr-7.5.0", "--experimental-emr7") == 0
    told = capsys.readouterr().out
    assert "--release emr-7.5.0 --experimental-emr7" in told
    assert "experimental_emr7=True" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--release", "emr-5.36.0"], "use emr-6.0.0 or later"),
        (["--release", "6.15.0"], "is not an EMR release label"),
        (["--release", "emr-6.15.0", "--python", "python3"], "--python: 'python3' is no version"),
        (["--release", "emr-6.15.0", "--python", "3.12"], "use one of 3.7 to 3.11"),
        (
            ["--release", "emr-6.15.0", "--base", "MINE\nRUN evil"],
            "--base: 'MINE\\nRUN evil' is no name of an",
        ),
        (
            ["--release", "emr-6.15.0", "--requirements", "/etc/passwd"],
            "is outside the directory of the build",
        ),
        (["--release", "emr-6.15.0", "--requirements", "{0}/gone.txt"], "'gone.txt' is no file"),
        (["--release", "emr-6.15.0", "--requirements", "{0}"], "is a directory; name the file in it"),
    ],
)
def test_what_can_t_be_is_refused_and_nothing_is_written(image, directory, capsys, words, told):
    assert image("new", directory, *(word.format(directory) for word in words)) == 2
    assert told in capsys.readouterr().err
    assert not list(directory.iterdir())


def test_a_link_out_of_the_directory_is_refused_as_no_build_follows_it(image, directory, capsys):
    (directory.parent / "outside.txt").write_text("pandas\n")
    (directory / "requirements.txt").symlink_to(directory.parent / "outside.txt")
    assert image("new", directory, "--release", "emr-6.15.0") == 2
    assert "is a link out of the directory of the build" in capsys.readouterr().err


def test_a_file_that_is_no_text_is_refused(image, directory, capsys):
    (directory / "requirements.txt").write_bytes("pandas\n".encode("utf-16"))
    assert image("new", directory, "--release", "emr-6.15.0") == 2
    assert "is no text in UTF-8" in capsys.readouterr().err


# --- EMR Serverless ---------------------------------------------------------------------------------------


def test_for_emr_serverless_it_begins_with_emrs_own_image(image, directory, capsys):
    (directory / "requirements.txt").write_text("pandas\n")
    assert image("new", directory, "--target", "serverless", "--release", "emr-7.11.0") == 0
    text = (directory / "Dockerfile").read_text()
    assert "FROM public.ecr.aws/emr-serverless/spark/emr-7.11.0:latest AS base" in text
    assert "-r requirements.txt" in text
    assert (directory / ".dockerignore").read_text().splitlines()[1:] == ["*", "!requirements.txt"]
    told = capsys.readouterr().out
    for word in (
        "emr-7.11.0: Spark 3.5.6, Java 17, Python 3.11",
        "--release emr-7.11.0 --target serverless",
        "etl:1.0 --target serverless --create",
        'ApplicationSpec("etl", "emr-7.11.0", image=',
        'python = "/opt/python/current/bin/python3"',
        "ServerlessApplication(spec=spec)",
    ):
        assert word in told
    assert "DockerOnYarn" not in told


def test_the_releases_own_python_is_taken_when_it_is_asked_for(image, directory, capsys):
    options = ("--target", "serverless", "--release", "emr-7.11.0", "--python", "3.9")
    assert image("new", directory, *options) == 0
    assert "uv python install" not in (directory / "Dockerfile").read_text()
    assert 'python = "/usr/bin/python3.9"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--release", "emr-6.8.0"], "does not run jobs in images of their own on EMR Serverless"),
        (["--release", "emr-7.11.0", "--experimental-emr7"], "is for Docker on YARN"),
        (["--release", "emr-7.11.0", "--python", "3.12"], "is no Python that Spark 3.5.6"),
    ],
)
def test_what_emr_serverless_does_not_take_is_refused(image, directory, capsys, words, told):
    assert image("new", directory, "--target", "serverless", *words) == 2
    assert told in capsys.readouterr().err
    assert not (directory / "Dockerfile").exists()


def test_who_asks_for_emr_7_on_yarn_hears_of_emr_serverless(image, directory, capsys):
    assert image("new", directory, "--release", "emr-7.5.0") == 2
    assert "here: --target serverless, or --experimental-emr7" in capsys.readouterr().err
