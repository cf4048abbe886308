"""``emrkit image check --target serverless``: with a real engine, and a stand-in for EMR's image."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import uuid
import zipfile
from pathlib import Path

import pytest

from airflow_provider_emrkit.images.dockerfile import UV, dockerignore
from airflow_provider_emrkit.images.requirements import Libraries
from airflow_provider_emrkit.images.serverless_dockerfile import ServerlessImage

RELEASE = "emr-7.11.0"


def _load(name):
    # Test directories are no packages.
    spec = importlib.util.spec_from_file_location(
        f"emrkit_tests_images_{name}", Path(__file__).parent / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def docker_build(program, directory, name):
    argv = [program, "build", "--quiet", "--force-rm", "--network", "none", "--tag", name, str(directory)]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return name


@pytest.fixture(scope="module")
def emrs_image(docker_engine, example_image, tmp_path_factory):
    """The stand-in for EMR's image."""
    directory, name = tmp_path_factory.mktemp("emr"), f"emrkit-tests-serverless-{uuid.uuid4().hex[:8]}:1"
    label = f"emrkit.tests={name.removesuffix(':1')}"
    _load("serverless_base").write(directory, example_image, label)
    yield docker_build(docker_engine.program, directory, name)
    subprocess.run([docker_engine.program, "rmi", "--force", name], capture_output=True, check=False)
    # Old builders keep the stages that are not the last.
    prune = [docker_engine.program, "image", "prune", "--force", "--filter", f"label={label}"]
    subprocess.run(prune, capture_output=True, check=False)


@pytest.fixture
def built(engine, emrs_image, own_name, tmp_path):
    """Build an image from EMR's, as root."""

    def build(*lines, user="hadoop:hadoop"):
        directory = tmp_path / uuid.uuid4().hex
        directory.mkdir()
        text = (f"FROM {emrs_image}", "USER root", *lines, f"USER {user}", "")
        (directory / "Dockerfile").write_text("\n".join(text))
        return docker_build(engine.program, directory, own_name(f"emrkit-tests-{directory.name}:1"))

    return build


@pytest.fixture
def problems(image, capsys):
    """Check an image for EMR Serverless; give all that is wrong, by level and subject."""

    def check(name, *words, release=RELEASE):
        capsys.readouterr()
        code = image("check", name, "--target", "serverless", "--release", release, "--json", *words)
        found = json.loads(capsys.readouterr().out)
        assert found["target"] == "serverless"
        assert found["ok"] is (code == 0)
        assert all(one["mend"] for one in found["findings"] if one["level"] != "ok")
        return {
            (one["level"], one["subject"]): one["text"] for one in found["findings"] if one["level"] != "ok"
        }

    return check


def test_an_image_that_is_emrs_passes(emrs_image, problems):
    assert problems(emrs_image) == {}


def test_it_is_said_for_what_it_passes(image, emrs_image, capsys):
    assert image("check", emrs_image, "--target", "serverless", "--release", RELEASE) == 0
    assert "yes: jobs run in it on emr-7.11.0 of EMR Serverless" in capsys.readouterr().out


def test_an_image_of_another_release_does_not(emrs_image, problems):
    # Its Spark and its Hadoop.
    assert set(problems(emrs_image, release="emr-7.5.0")) == {("error", "spark"), ("warning", "spark")}
    # Its Hadoop alone.
    assert set(problems(emrs_image, release="emr-7.13.0")) == {("warning", "spark")}


def test_an_image_that_is_not_emrs_lacks_nearly_everything(example_image, problems):
    found = problems(example_image)
    errors = {subject for level, subject in found if level == "error"}
    assert errors == {"user", "workdir", "entrypoint", "environment", "files", "java"}
    assert "unable to find user hadoop" in found["error", "user"]


# --- the manifest -----------------------------------------------------------------------------------------


def test_an_image_that_was_left_as_root(built, problems):
    assert set(problems(built(user="root"))) == {("error", "user")}


@pytest.mark.parametrize(
    ("line", "subject"),
    [
        ("WORKDIR /opt", "workdir"),
        ("RUN chown root:root /home/hadoop && chmod 755 /home/hadoop", "workdir"),
        ('ENTRYPOINT ["/usr/bin/python3"]', "entrypoint"),
        ("ENTRYPOINT []", "entrypoint"),
        ("ENV SPARK_HOME=", "environment"),
        ("ENV JAVA_HOME=", "java"),
        ("RUN userdel hadoop", "user"),
        ("RUN groupdel -f hadoop", "user"),
    ],
)
def test_what_a_dockerfile_may_spoil(built, problems, line, subject):
    assert set(problems(built(line))) == {("error", subject)}


# --- files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/usr/bin/tini",
        "/usr/bin/entrypoint.sh",
        "/usr/lib/spark/bin/spark-submit",
        "/usr/lib/spark/jars/spark-sql_*.jar",
        "/usr/lib/hadoop/hadoop-common*.jar",
        "/usr/lib/hadoop/lib/guava*.jar",
    ],
)
def test_a_file_that_was_taken_out_is_missed(built, problems, path):
    found = problems(built(f"RUN rm {path}"))
    assert found == {("error", "files"): f"{path}: missing"}


def test_whole_directories_that_were_taken_out_are_missed(built, problems):
    found = problems(built("RUN rm -r /usr/lib/spark/bin /usr/lib/hadoop"))
    assert list(found) == [("error", "files")]
    # Six programs of Spark's, and six jars of Hadoop's.
    assert "/usr/lib/spark/bin/find-spark-home" in found["error", "files"]
    assert "and 7 more: missing" in found["error", "files"]


def test_a_program_that_can_not_be_started_is_no_program(built, problems):
    found = problems(built("RUN chmod 644 /usr/bin/tini"))
    assert "/usr/bin/tini: missing" in found["error", "files"]


def test_what_hadoop_can_not_read_is_told_from_what_is_missing(built, problems):
    found = problems(built("RUN chmod 700 /usr/lib/spark/jars"))
    assert "hadoop can't use /usr/lib/spark/jars/spark-core_*.jar" in found["error", "files"]
    assert "which root can" in found["error", "files"]


def test_a_spark_that_is_not_emrs(built, problems):
    own = "RUN cd /usr/lib/spark/jars && mv spark-core_2.12-3.5.6-amzn-1.jar spark-core_2.12-3.5.6.jar"
    assert set(problems(built(own))) == {("error", "spark")}
    second = "RUN touch /usr/lib/spark/jars/spark-core_2.12-3.5.1.jar"
    assert "more than one Spark" in problems(built(second))["error", "spark"]


# --- Java, Python, imports --------------------------------------------------------------------------------


def test_links_into_the_home_of_root_are_found(built, problems):
    found = problems(
        built(
            "RUN mkdir -p /root/py && cp /usr/bin/python3 /root/py/ && ln -s /root/py/python3 /opt/python3",
            "RUN mv /opt/jre /root/jre && ln -s /root/jre /opt/jre && chmod 700 /root",
            "ENV PYSPARK_PYTHON=/opt/python3",
        )
    )
    assert set(found) == {("error", "python"), ("error", "java")}
    assert "who can't see into /root" in found["error", "python"]


def test_the_python_that_the_image_names_is_looked_at_unless_another_is_given(built, problems):
    name = built("ENV PYSPARK_PYTHON=/opt/none/python3")
    assert "/opt/none/python3 is not there" in problems(name)["error", "python"]
    assert problems(name, "--python", "/usr/bin/python3") == {}


def test_a_project_that_hadoop_can_not_import_is_found(built, problems):
    packages = "/usr/local/lib/python3.11/dist-packages"
    name = built(
        f"RUN mkdir -p {packages}/good {packages}/bad {packages}/hidden && touch {packages}/good/__init__.py "
        f"{packages}/hidden/__init__.py && echo 'import missing' > {packages}/bad/__init__.py "
        f"&& chmod 700 {packages}/hidden",
        # Spark's own Python is on the path, as it is for a job.
        "RUN mkdir -p /usr/lib/spark/python/pyspark && touch /usr/lib/spark/python/pyspark/__init__.py "
        "&& mkdir /usr/lib/spark/python/lib && touch /usr/lib/spark/python/lib/py4j-0.10.9.7-src.zip",
    )
    assert problems(name, "--import", "good", "--import", "pyspark") == {}
    found = problems(name, "--import", "bad")
    assert found == {("error", "import"): "bad: ModuleNotFoundError: No module named 'missing'"}
    assert "only root can import it" in problems(name, "--import", "hidden")["error", "import"]


# A job of Spark's says its sum, as a stand-in for Spark does.
GOOD_SPARK, BAD_SPARK = "echo emrkit:sum=285", "echo 'Exception in thread main: no Spark' >&2; exit 1"


@pytest.mark.parametrize(
    ("spark", "found"),
    [
        (GOOD_SPARK, {}),
        (f"{GOOD_SPARK}; exit 1", {("error", "job"): "a small PySpark job failed: emrkit:sum=285"}),
        ("true", {("error", "job"): "a small PySpark job failed: "}),
        (BAD_SPARK, {("error", "job"): "a small PySpark job failed: Exception in thread main: no Spark"}),
    ],
)
def test_a_job_that_is_run_has_to_end_well_with_its_result(built, problems, spark, found):
    submit = "/usr/lib/spark/bin/spark-submit"
    name = built(f'RUN printf "%s\\n" "#!/bin/sh" "{spark}" > {submit}')
    assert problems(name) == {}
    assert problems(name, "--run") == found


def test_no_job_is_run_where_something_else_is_wrong(emrs_image, problems):
    assert set(problems(emrs_image, "--run", release="emr-7.5.0")) == {
        ("error", "spark"),
        ("warning", "spark"),
    }


def test_nothing_is_imported_that_is_no_name_of_a_module(image, recording):
    for words in (
        ["--import", "os; rm"],
        ["--import", "etl", "--target", "yarn"],
        ["--run", "--target", "yarn"],
    ):
        assert image("check", "etl:1", "--target", "serverless", *words) == 2
    assert recording.calls() == []


# --- the Dockerfile that is written -----------------------------------------------------------------------


@pytest.fixture
def tool(engine, own_name, tmp_path):
    """An image with uv, as its own is."""
    import uv

    directory = tmp_path / "uv"
    directory.mkdir()
    shutil.copy(uv.find_uv_bin(), directory / "uv")
    (directory / "Dockerfile").write_text("FROM scratch\nCOPY uv /uv\n")
    return docker_build(engine.program, directory, own_name(f"emrkit-tests-uv-{uuid.uuid4().hex[:8]}:1"))


@pytest.fixture
def project(tmp_path):
    """A directory with what an image of a project is built of."""
    directory = tmp_path / "project"
    directory.mkdir()
    for name, requires in (("etl", "Requires-Dist: other\nRequires-Dist: pyspark\n"), ("other", "")):
        with zipfile.ZipFile(directory / f"{name}-1.0-py3-none-any.whl", "w") as file:
            about = f"{name}-1.0.dist-info"
            file.writestr(f"{name}.py", "import other\n" if name == "etl" else "")
            file.writestr(
                f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}"
            )
            file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            file.writestr(f"{about}/RECORD", "")
    (directory / "requirements.txt").write_text("--no-index\n./other-1.0-py3-none-any.whl\npyspark==3.5.6\n")
    (directory / "conf-etl.tar.gz").write_bytes(b"conf")
    return directory


LISTED = Libraries("requirements", "requirements.txt", ("requirements.txt", "other-1.0-py3-none-any.whl"))
WHEELS = ("etl-1.0-py3-none-any.whl",)


def written_into(project, written, tool):
    """Write a Dockerfile as it is, but for the uv it begins with, which is here."""
    text = written.dockerfile()
    start = f"FROM {UV} AS uv"
    assert start in text
    (project / "Dockerfile").write_text(text.replace(start, f"FROM {tool} AS uv"))
    (project / ".dockerignore").write_text(dockerignore(written.copies))


def test_the_dockerfile_that_is_written_makes_an_image_that_passes(
    image, engine, emrs_image, tool, project, own_name, problems
):
    written = ServerlessImage(
        RELEASE,
        libraries=LISTED,
        wheels=WHEELS,
        conf_source="conf-etl.tar.gz",
        packages=("libgomp",),
        base=emrs_image,
    )
    written_into(project, written, tool)
    name = own_name(f"emrkit-tests-{uuid.uuid4().hex[:8]}:1")
    options = ("--tag", name, "--network", "none", "--target", "serverless", "--release", RELEASE)
    assert image("build", project, *options) == 0
    assert problems(name, "--import", "etl") == {}
    seen = (
        "import etl, importlib.util as u, os; print(u.find_spec('pyspark'), os.getcwd(), "
        "open('/home/hadoop/conf-etl.tar.gz').read(), open('/var/log/packages').read())"
    )
    ran = engine.run(name, [written.python_path, "-c", seen])
    assert ran.code == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "None /home/hadoop conf /usr/bin/dnf install -y libgomp",
        "/usr/bin/dnf clean all",
        "",
    ]


def test_a_python_that_is_installed_is_hadoops_to_use(
    image, engine, emrs_image, project, own_name, problems, tmp_path
):
    tools = tmp_path / "tools"
    line = _load("serverless_base").write_uv(tools)
    tool = docker_build(engine.program, tools, own_name(f"emrkit-tests-uv-{uuid.uuid4().hex[:8]}:1"))
    (tools / "Dockerfile").write_text(f"FROM {emrs_image}\n{line}\n")
    base = docker_build(engine.program, tools, own_name(f"emrkit-tests-emr-{uuid.uuid4().hex[:8]}:1"))
    written = ServerlessImage(RELEASE, python="3.11", libraries=LISTED, wheels=WHEELS, base=base)
    written_into(project, written, tool)
    name = own_name(f"emrkit-tests-{uuid.uuid4().hex[:8]}:1")
    options = ("--tag", name, "--network", "none", "--target", "serverless", "--release", RELEASE)
    assert image("build", project, *options) == 0
    assert problems(name, "--import", "etl") == {}
    ran = engine.run(
        name, ["sh", "-c", '"$PYSPARK_PYTHON" -c "import sys, etl; print(sys.prefix, etl.__file__)"']
    )
    assert ran.code == 0, ran.stderr
    prefix = "/opt/python/current"
    assert ran.stdout.split() == [prefix, f"{prefix}/local/lib/python3.11/dist-packages/etl.py"]
