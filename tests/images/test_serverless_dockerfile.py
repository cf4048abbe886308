"""The Dockerfile for EMR Serverless: what it begins with, which Python it has, whom it ends as."""

from __future__ import annotations

import re

import pytest

from airflow_provider_emrkit.images.requirements import Libraries
from airflow_provider_emrkit.images.serverless_dockerfile import ServerlessImage
from airflow_provider_emrkit.releases import known_labels, release
from airflow_provider_emrkit.validation import InvalidValueError

LISTED = Libraries("requirements", "requirements.txt", ("requirements.txt",))
WHEEL = "etl-1.0-py3-none-any.whl"


def written(label="emr-7.11.0", **fields):
    return ServerlessImage(label, **{"python": "3.11", "libraries": LISTED, **fields}).dockerfile()


def instructions(text):
    joined = re.sub(r"\\\n\s*", "", text)
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def last_stage(text):
    return instructions(text.rpartition("\nFROM base\n")[2])


# --- what it is written for -------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["emr-5.36.0", "emr-6.6.0", "emr-6.8.0", "emr-6.8.1"])
def test_releases_before_images_are_refused_with_the_first_that_has_them(label):
    with pytest.raises(InvalidValueError, match=r"use emr-6\.9\.0 or a later one"):
        ServerlessImage(label)


@pytest.mark.parametrize("label", ["emr-6.9.1", "emr-6.10.1", "emr-6.11.1"])
def test_releases_that_emr_serverless_does_not_have_are_refused(label):
    with pytest.raises(InvalidValueError, match="is no release of EMR Serverless"):
        ServerlessImage(label)


def test_every_release_that_runs_images_has_a_dockerfile():
    labels = [label for label in known_labels() if release(label).supports("serverless")]
    labels = [label for label in labels if release(label).supports("serverless_images")]
    assert len(labels) > 20
    for label in labels:
        for python in (None, "3.9"):
            text = written(label, python=python)
            assert f"FROM public.ecr.aws/emr-serverless/spark/{label}:latest AS base" in text
            assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"python": "3.7"}, "can't be installed by uv"),
        ({"python": "3"}, "is no version"),
        ({"python": "3.11; rm"}, "is no version"),
        ({"architecture": "X86_64"}, "use x86_64 or arm64"),
        ({"wheels": ("etl-1.0.tar.gz",)}, "is no wheel"),
        ({"wheels": ("../etl-1.0-py3-none-any.whl",)}, "outside the directory of the build"),
        ({"conf_source": "conf etl.tar.gz"}, "can't be written into a Dockerfile"),
        ({"conf_source": "/etc/passwd"}, "outside the directory of the build"),
        ({"packages": ("gcc && rm -rf /",)}, "is no name of a package"),
        ({"packages": ("-y",)}, "is no name of a package"),
        ({"base": "no image"}, "no name of an image"),
    ],
)
def test_what_a_dockerfile_can_not_say_is_refused(fields, told):
    with pytest.raises(InvalidValueError, match=re.escape(told)):
        ServerlessImage("emr-7.11.0", **fields)


# --- whom it runs as, and where ---------------------------------------------------------------------------


def test_root_installs_and_hadoop_runs():
    lines = instructions(written(packages=("gcc",)))
    users = [line for line in lines if line.startswith(("USER", "FROM"))]
    assert users[1:] == [
        "FROM public.ecr.aws/emr-serverless/spark/emr-7.11.0:latest AS base",
        "USER root",
        "FROM base AS libraries",
        "FROM base",
        "USER hadoop:hadoop",
    ]
    # What is checked is checked as hadoop.
    assert last_stage(written())[-1].startswith("RUN /opt/python/current/bin/python3 --version")


@pytest.mark.parametrize(
    "fields", [{}, {"python": None}, {"wheels": (WHEEL,)}, {"conf_source": "conf.tar.gz"}]
)
def test_emrs_own_entry_point_and_directory_stay(fields):
    last = last_stage(written(**fields))
    assert not [line for line in last if line.startswith(("ENTRYPOINT", "CMD", "WORKDIR"))]
    assert "ENTRYPOINT or CMD" in written(**fields)


@pytest.mark.parametrize(
    ("label", "manager"), [("emr-6.15.0", "yum"), ("emr-7.0.0", "dnf"), ("emr-spark-8.0.0", "dnf")]
)
def test_packages_are_installed_with_the_releases_manager(label, manager):
    text = written(label, python="3.9", packages=("gcc", "libgomp"), libraries=Libraries())
    assert f"RUN {manager} install -y gcc libgomp && {manager} clean all" in instructions(text)[3]


def test_the_older_linux_is_told():
    assert "glibc is 2.26" in written("emr-6.15.0")
    assert "glibc" not in written()


# --- Python -----------------------------------------------------------------------------------------------


def test_a_python_of_uvs_is_where_hadoop_can_read_it_and_the_systems_own_is_left():
    text = written()
    assert "UV_PYTHON_INSTALL_DIR=/opt/python" in text
    assert "ln -s" in text
    assert not re.search(r"ln -sf? \S+ /usr/bin", text)
    assert ServerlessImage("emr-7.11.0", python="3.11").python_path == "/opt/python/current/bin/python3"


@pytest.mark.parametrize(
    ("label", "path"),
    [
        ("emr-6.15.0", "/usr/bin/python3.7"),
        ("emr-7.11.0", "/usr/bin/python3.9"),
        ("emr-7.13.0", "/usr/bin/python3.11"),
    ],
)
def test_without_one_it_is_the_releases_own_that_gets_the_libraries(label, path):
    text = written(label, python=None)
    assert ServerlessImage(label).python_path == path
    assert f"uv pip install --python {path} --target /opt/libraries" in text
    assert "uv python install" not in text
    assert 'site.addsitedir("/opt/libraries")' in text


def test_the_image_names_its_python_for_driver_and_executors():
    where = "/opt/python/current/bin/python3"
    assert f"ENV PYSPARK_PYTHON={where} PYSPARK_DRIVER_PYTHON={where}" in last_stage(written())


def test_a_patch_is_pinned_where_it_is_given_and_uv_always():
    text = written(python="3.11.9")
    assert "uv python install 3.11.9" in text
    assert re.search(r"FROM ghcr.io/astral-sh/uv:\d+\.\d+\.\d+ AS uv", text)


# --- what is installed ------------------------------------------------------------------------------------


def test_the_project_comes_after_its_libraries_and_pyspark_stays_out_of_both():
    lines = instructions(written(wheels=(f"wheels/{WHEEL}",)))
    installs = [line for line in lines if "uv pip install" in line]
    assert all("--excludes /tmp/excluded.txt" in line for line in installs)
    # Both by the list: it says from where libraries are, and which.
    assert all("-r requirements.txt" in line for line in installs)
    assert f"./wheels/{WHEEL}" in installs[1]
    order = [
        lines.index(one)
        for one in ("COPY requirements.txt ./", installs[0], f"COPY wheels/{WHEEL} ./wheels/", installs[1])
    ]
    assert order == sorted(order)


def test_a_wheel_needs_no_list_of_libraries():
    text = written(libraries=Libraries(), wheels=(WHEEL,))
    assert f"./{WHEEL}" in text
    assert "No libraries" not in text
    assert "pyspark py4j > /tmp/excluded.txt" in text


def test_the_configuration_is_hadoops_and_whole():
    image = ServerlessImage("emr-7.11.0", conf_source="dist/conf-etl.tar.gz")
    assert image.conf_path == "/home/hadoop/conf-etl.tar.gz"
    # COPY, as ADD would take the archive apart.
    assert (
        "COPY --chown=hadoop:hadoop dist/conf-etl.tar.gz /home/hadoop/conf-etl.tar.gz" in image.dockerfile()
    )


def test_all_that_is_copied_is_told():
    image = ServerlessImage("emr-7.11.0", libraries=LISTED, wheels=(WHEEL,), conf_source="conf-etl.tar.gz")
    assert image.copies == ("requirements.txt", WHEEL, "conf-etl.tar.gz")


def test_without_anything_to_install_there_is_no_stage_for_it():
    lines = instructions(ServerlessImage("emr-7.11.0").dockerfile())
    assert [line for line in lines if line.startswith("FROM")] == [
        "FROM public.ecr.aws/emr-serverless/spark/emr-7.11.0:latest AS base",
        "FROM base",
    ]


def test_an_architecture_that_was_given_is_that_of_all_it_begins_with():
    starts = [line for line in written(architecture="arm64").splitlines() if line.startswith("FROM ")]
    assert [start.split()[1] for start in starts[:2]] == ["--platform=linux/arm64"] * 2


def test_another_base_is_taken_as_it_is():
    base = "123456789012.dkr.ecr.us-east-1.amazonaws.com/emr@sha256:" + "0" * 64
    assert f"FROM {base} AS base" in written(base=base)


@pytest.mark.parametrize("python", [None, "3.11"])
def test_no_layer_copies_the_files_of_another_to_let_everybody_read_them(python):
    lines = instructions(written(python=python, wheels=(WHEEL,)))
    installs = [line for line in lines if "uv pip install" in line]
    assert len(installs) == 2
    assert all(line.startswith("RUN umask 022 && ") for line in installs)
    changed = [line for line in lines if "chmod" in line]
    assert [line.startswith("RUN uv python install") for line in changed] == [True] * bool(python)
