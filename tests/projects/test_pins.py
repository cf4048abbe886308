"""The libraries of a project, in one version each; real uv, whose index is a directory of the test's."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from airflow_provider_emrkit.projects import pins
from airflow_provider_emrkit.projects.archive_check import ArchiveTarget
from airflow_provider_emrkit.projects.detect import Project
from airflow_provider_emrkit.projects.errors import PackagingError
from airflow_provider_emrkit.projects.pins import Pinning
from airflow_provider_emrkit.projects.programs import find_uv
from airflow_provider_emrkit.projects.wheels import Wheel
from airflow_provider_emrkit.validation import InvalidValueError


@pytest.fixture
def pin(folder, scratch, tmp_path, index):
    """Pin what a project's wheel asks for; give what it is told from, and the lines without hashes."""

    def pinned(*requires, lock="", given=None, python="3.11", architecture="x86_64", **more):
        wheel = Wheel(Path("etl-1.0-py3-none-any.whl"), "etl", "1.0", requires=requires)
        target = tmp_path / "requirements.txt"
        beside = folder.root / "requirements.txt"
        listed = beside if beside.exists() else None
        project = Project(folder.root, lock=lock, requirements=listed, **more)
        where = ArchiveTarget("emr-7.11.0", architecture)
        pinning = Pinning(project, wheel, python, where, os.environ)
        told = pinning.write(target, scratch, given)
        pinned.own = pinning.own
        lines = target.read_text().splitlines()
        return told, [line.rstrip(" \\") for line in lines if line[:1] not in ("#", " ")]

    return pinned


def test_what_the_project_needs_and_what_that_needs(pin, index):
    index("alpha", "1.0")
    index("alpha", "2.0", "beta>=1")
    index("beta", "1.5")
    told, lines = pin("alpha>=1")
    assert lines == ["alpha==2.0", "beta==1.5"]
    assert (
        told
        == "the project's dependencies; the versions are those of today: `uv lock` in the project keeps them"
    )


def test_each_is_pinned_by_what_it_holds(pin, index, tmp_path):
    index("alpha", "1.0")
    pin("alpha")
    assert "--hash=sha256:" in (tmp_path / "requirements.txt").read_text()


def test_what_spark_brings_stays_out_whoever_asks_for_it(pin, index):
    index("pyspark", "3.5.6", "py4j")
    index("py4j", "0.10.9")
    index("delta", "1.0", "pyspark>=3")
    assert pin("delta", "pyspark")[1] == ["delta==1.0"]


def test_extras_are_not_needed(pin, index):
    index("alpha", "1.0")
    assert pin("alpha", 'pytest ; extra == "dev"', "ruff>=1; extra == 'dev'")[1] == ["alpha==1.0"]


def test_the_versions_are_those_for_the_python_that_runs_them(pin, index):
    index("alpha", "1.0")
    index("beta", "1.0")
    requires = ("alpha ; python_version < '3.10'", "beta ; platform_machine == 'aarch64'")
    assert pin(*requires)[1] == []
    assert pin(*requires, python="3.9", architecture="arm64")[1] == ["alpha==1.0", "beta==1.0"]


@pytest.mark.parametrize(
    ("where", "platform"),
    [
        (ArchiveTarget("emr-7.11.0"), "x86_64-manylinux_2_34"),
        (ArchiveTarget("emr-6.15.0", "arm64"), "aarch64-manylinux_2_17"),
    ],
)
def test_uv_knows_the_machines_by_the_oldest_c_library(where, platform):
    assert where.uv_platform == platform


def test_a_project_that_needs_nothing_needs_no_uv(pin, monkeypatch, tmp_path):
    monkeypatch.setattr(pins, "find_uv", lambda environ: None)
    assert pin() == ("the project needs no libraries", [])
    assert (tmp_path / "requirements.txt").read_text().startswith("# All libraries of the project")


def test_others_need_it(pin, monkeypatch):
    monkeypatch.setattr(pins, "find_uv", lambda environ: None)
    with pytest.raises(PackagingError, match="libraries: uv is not installed; pip install uv"):
        pin("alpha")


def test_what_has_no_solution_is_told_as_uv_tells_it(pin, index):
    index("alpha", "1.0")
    with pytest.raises(PackagingError, match=r"(?s)could not pin the libraries.*alpha>=2"):
        pin("alpha>=2")


# --- requirements.txt -------------------------------------------------------------------------------------


def test_a_requirements_txt_is_read_where_the_project_lists_nothing(pin, index, folder):
    index("alpha", "1.0")
    index("beta", "1.0")
    index("beta", "2.0")
    folder.write("requirements.txt", "-r more/base.txt\nbeta\n")
    folder.write("more/base.txt", "alpha\n-c limits.txt\n")
    folder.write("more/limits.txt", "beta<2\n")
    told, lines = pin()
    assert lines == ["alpha==1.0", "beta==1.0"]
    assert told == "requirements.txt; the versions are those of today where it does not say them"


def test_the_file_that_the_user_names_goes_before_all_others(pin, index, folder):
    index("alpha", "1.0")
    index("beta", "1.0")
    folder.write("requirements.txt", "alpha\n")
    given = folder.write("-other $(x).txt", "beta\n")
    assert pin("alpha", given=given)[1] == ["beta==1.0"]


def test_a_directory_of_this_machine_is_no_library(pin, folder):
    folder.pyproject(name="here")
    folder.write("src/here.py")
    folder.write("requirements.txt", ".\n")
    with pytest.raises(InvalidValueError, match="comes from a directory of this machine; publish it"):
        pin()


def put_sources(tmp_path, name, version):
    """Put a library into the index that has sources alone."""
    text = f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n".encode()
    with tarfile.open(tmp_path / "index" / f"{name}-{version}.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo(f"{name}-{version}/PKG-INFO")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
        archive.addfile(tarfile.TarInfo(f"{name}-{version}/pyproject.toml"), io.BytesIO(b""))


def test_a_version_with_a_wheel_is_taken_before_a_newer_one_that_would_be_built(pin, index, tmp_path):
    index("alpha", "1.0")
    put_sources(tmp_path, "alpha", "2.0")
    put_sources(tmp_path, "pyspark", "3.5.6")
    told, lines = pin("alpha", "pyspark")
    assert lines == ["alpha==1.0"]
    assert "have wheels" not in told


def test_a_library_without_wheels_is_taken_and_told_and_the_others_have_theirs(pin, tmp_path, index):
    put_sources(tmp_path, "alpha", "2.0")
    put_sources(tmp_path, "gamma", "3.0")
    index("beta", "1.0")
    put_sources(tmp_path, "beta", "2.0")
    told, lines = pin("alpha", "beta", "gamma")
    assert lines == ["alpha==2.0", "beta==1.0", "gamma==3.0"]
    assert told.endswith("; not all of them have wheels for these machines")


def test_a_path_counts_from_the_project_wherever_it_is_packaged_from(
    pin, index, folder, monkeypatch, tmp_path
):
    index("alpha", "1.0")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    folder.write("constraints/all.txt", "alpha<2\n")
    folder.write("base.txt", "alpha\n")
    folder.write("requirements.txt", "-r base.txt\n-c constraints/all.txt\n")
    assert pin()[1] == ["alpha==1.0"]


def test_the_project_itself_is_its_wheel_and_no_library(pin, index, folder):
    index("alpha", "1.0")
    folder.pyproject(name="etl", requires=["alpha"])
    folder.write("src/etl/__init__.py")
    folder.write("requirements.txt", ".\n")
    assert pin()[1] == ["alpha==1.0"]


def test_a_login_is_not_written_down(pin, index, folder, tmp_path):
    index("alpha", "1.0")
    folder.write("requirements.txt", "--extra-index-url https://user:hunter2@example.invalid/simple\nalpha\n")
    assert pin()[1] == ["--extra-index-url https://example.invalid/simple", "alpha==1.0"]
    assert "hunter2" not in (tmp_path / "requirements.txt").read_text()


def test_whoever_installs_the_libraries_looks_where_the_project_does(pin, index):
    index("alpha", "1.0")
    ours = "https://ours.invalid/simple"
    assert pin("alpha", indexes=(ours,))[1] == [f"--extra-index-url {ours}", "alpha==1.0"]


def test_a_library_behind_a_login_is_refused_without_showing_it():
    with pytest.raises(InvalidValueError, match="holds a login") as raised:
        pins._check("alpha @ https://user:hunter2@example.invalid/alpha-1.0-py3-none-any.whl")
    assert "hunter2" not in str(raised.value)


# --- poetry.lock ------------------------------------------------------------------------------------------

LOCK = """
[[package]]
name = "Alpha"
version = "1.0"

[[package]]
name = "beta"
version = "1.5"
[package.source]
type = "legacy"
url = "https://example.invalid/simple"

[[package]]
name = "pytest"
version = "9.0"
groups = ["dev"]
"""


@pytest.fixture
def poetry(folder, index):
    for version in ("1.0", "2.0"):
        index("alpha", version, "beta")
    index("beta", "1.5")
    index("beta", "1.6")
    folder.write("poetry.lock", LOCK)


def test_the_versions_are_those_of_poetrys_lock(pin, poetry):
    assert pin("alpha", lock="poetry.lock") == ("poetry.lock", ["alpha==1.0", "beta==1.5"])


def test_a_lock_that_is_older_than_the_project_is_told(pin, poetry, index):
    index("gamma", "1.0")
    with pytest.raises(
        PackagingError, match=r"does not have gamma, which the project needs; run: poetry lock"
    ):
        pin("alpha", "gamma", lock="poetry.lock")
    with pytest.raises(PackagingError, match="could not pin the libraries"):
        pin("alpha>=2", lock="poetry.lock")


def test_of_several_versions_the_one_for_the_python_that_runs_them(pin, folder, index):
    for version in ("1.0", "2.0"):
        index("alpha", version)
    lines = [
        'name = "alpha"\nversion = "{}"\nmarkers = "python_version {} \\"3.11\\""'.format(*one)
        for one in (("1.0", ">="), ("2.0", "<"))
    ]
    folder.write("poetry.lock", "".join(f"[[package]]\n{line}\n" for line in lines))
    assert pin("alpha", lock="poetry.lock")[1] == ["alpha==1.0"]
    assert pin("alpha", lock="poetry.lock", python="3.10")[1] == ["alpha==2.0"]


@pytest.mark.parametrize(
    "text", ["package = 3\n", "[[package]]\n", "package = [1]\n", "[[package]]\nname = 1\nsource = 2\n"]
)
def test_a_strange_lock_does_no_harm(pin, folder, index, text):
    index("alpha", "1.0")
    folder.write("poetry.lock", text)
    with pytest.raises(PackagingError, match=r"poetry.lock does not have alpha|could not pin"):
        pin("alpha", lock="poetry.lock")


def test_a_broken_lock_is_told(pin, folder):
    folder.write("poetry.lock", "[[package")
    with pytest.raises(InvalidValueError, match=r"poetry.lock: .*is no TOML"):
        pin("alpha", lock="poetry.lock")


# --- indexes ----------------------------------------------------------------------------------------------


def installed(tmp_path):
    """Install what was pinned, as the archive and the image do; give the modules."""
    words = ["pip", "install", "--quiet", "--python-version", "3.11", "--target", str(tmp_path / "installed")]
    subprocess.run([find_uv(os.environ), *words, "-r", str(tmp_path / "requirements.txt")], check=True)
    return sorted(path.read_text() for path in (tmp_path / "installed").glob("*.py"))


@pytest.fixture
def two_indexes(indexes):
    """PyPI's, and one of one's own, which has an older version of what PyPI has, too."""
    indexes.put("pypi", "alpha", "1.7")
    indexes.put("ours", "alpha", "1.0")
    indexes.put("ours", "beta", "2.0")
    return indexes


UV = """
[project]
name = "etl"
version = "1.0"
requires-python = ">=3.9"
dependencies = ["alpha>=1", "beta"]
[tool.uv.sources]
beta = {{ index = "ours" }}
[[tool.uv.index]]
name = "ours"
url = "{}/"
explicit = true
"""


def test_an_explicit_index_of_uvs_is_asked_for_what_comes_from_it_alone(pin, two_indexes, folder, tmp_path):
    folder.write("pyproject.toml", UV.format(two_indexes.url("ours")))
    subprocess.run([find_uv(os.environ), "lock", "--quiet"], cwd=folder.root, check=True)
    told, lines = pin("alpha>=1", "beta", lock="uv.lock")
    wheel = f"{two_indexes.url('ours')}/beta/beta-2.0-py3-none-any.whl"
    assert (told, lines) == ("uv.lock", ["alpha==1.7", f"beta @ {wheel}"])
    assert (tmp_path / "requirements.txt").read_text().count("--hash=sha256:") == 2
    assert installed(tmp_path) == ["VERSION = '1.7'\n", "VERSION = '2.0'\n"]


@pytest.mark.parametrize("explicit", [True, False])
def test_an_index_of_the_workspace_is_one_of_its_members(pin, indexes, folder, tmp_path, explicit):
    indexes.put("pypi", "alpha", "1.7")
    indexes.put("ours", "beta", "2.0")
    url = indexes.url("ours")
    member, index = UV.format(url).split("[[tool.uv.index]]")
    folder.write("pyproject.toml", member)
    around = f"[[tool.uv.index]]{index if explicit else index.replace('explicit = true', '')}"
    workspace = f'[tool.uv.workspace]\nmembers = ["{folder.root.name}"]\n{around}'
    (tmp_path / "pyproject.toml").write_text(workspace)
    subprocess.run([find_uv(os.environ), "lock", "--quiet"], cwd=tmp_path, check=True)
    lines = pin("alpha>=1", "beta", lock="uv.lock", workspace=tmp_path)[1]
    if explicit:
        assert lines == ["alpha==1.7", f"beta @ {url}/beta/beta-2.0-py3-none-any.whl"]
    else:
        assert lines == [f"--extra-index-url {url}/", "alpha==1.7", "beta==2.0"]
    assert installed(tmp_path) == ["VERSION = '1.7'\n", "VERSION = '2.0'\n"]


POETRY = """
[[package]]
name = "alpha"
version = "1.7"
groups = ["main"]

[[package]]
name = "beta"
version = "2.0"
groups = ["main"]
[package.source]
type = "legacy"
url = "{0}"
reference = "ours"

[[package]]
name = "gone"
version = "3.0"
groups = ["dev"]
[package.source]
type = "legacy"
url = "{0}"
reference = "ours"
"""


@pytest.mark.parametrize("priority", ["supplemental", "explicit"])
def test_a_source_of_poetrys_behind_pypi_is_asked_for_what_comes_from_it_alone(
    pin, two_indexes, folder, tmp_path, priority
):
    url = two_indexes.url("ours")
    source = f'[[tool.poetry.source]]\nname = "ours"\nurl = "{url}"\npriority = "{priority}"\n'
    folder.write("pyproject.toml", source)
    folder.write("poetry.lock", POETRY.format(url))
    told, lines = pin("alpha>=1", "beta", lock="poetry.lock")
    wheel = f"{url}/beta/beta-2.0-py3-none-any.whl"
    assert (told, lines) == ("poetry.lock", ["alpha==1.7", f"beta @ {wheel}"])
    assert installed(tmp_path) == ["VERSION = '1.7'\n", "VERSION = '2.0'\n"]


@pytest.mark.parametrize("priority", ["supplemental", "secondary"])
@pytest.mark.parametrize("lock", ["", "poetry.lock"])
def test_a_source_of_poetrys_behind_the_others_is_asked_for_all_that_no_lock_says(
    pin, indexes, folder, tmp_path, priority, lock
):
    indexes.put("pypi", "alpha", "1.7")
    indexes.put("ours", "beta", "2.0")
    url = indexes.url("ours")
    source = f'[[tool.poetry.source]]\nname = "ours"\nurl = "{url}"\npriority = "{priority}"\n'
    folder.write("pyproject.toml", source)
    given = folder.write("libraries.txt", "alpha\nbeta\n") if lock else None
    told, lines = pin("alpha", "beta", lock=lock, given=given)
    assert lines == [f"--extra-index-url {url}", "alpha==1.7", "beta==2.0"]
    assert "explicit" not in told
    assert installed(tmp_path) == ["VERSION = '1.7'\n", "VERSION = '2.0'\n"]


@pytest.mark.parametrize(
    "source", ['tool.poetry.source]]\npriority = "explicit"', "tool.uv.index]]\nexplicit = true"]
)
def test_an_explicit_index_is_left_out_without_a_lock_and_that_is_told(pin, two_indexes, folder, source):
    url = two_indexes.url("ours")
    folder.write("pyproject.toml", f'[[{source}\nname = "ours"\nurl = "{url}"\n')
    left_out = "; explicit indexes are left out: only a lock says what comes from them"
    assert pin()[0] == "the project needs no libraries"
    told, lines = pin("alpha")
    assert lines == ["alpha==1.7"]
    assert told.endswith(f"`uv lock` in the project keeps them{left_out}")
    with pytest.raises(PackagingError, match=rf"(?s)beta was not found.*{left_out}$"):
        pin("beta")


def test_an_index_that_an_included_file_names_is_told_to_whoever_installs(pin, indexes, folder, tmp_path):
    indexes.put("ours", "beta", "2.0")
    folder.write("requirements.txt", "-r more/base.txt\n")
    folder.write("more/base.txt", f"--extra-index-url {indexes.url('ours')}\nbeta\n")
    assert pin()[1] == [f"--extra-index-url {indexes.url('ours')}", "beta==2.0"]
    assert installed(tmp_path) == ["VERSION = '2.0'\n"]


@pytest.mark.parametrize("given", [True, False])
def test_wheels_of_a_directory_are_taken_along(pin, indexes, folder, write_wheel, given):
    indexes.put("pypi", "alpha", "1.7")
    wheels = folder.root / "more" / "my wheels"
    wheels.mkdir(parents=True)
    own = write_wheel(wheels, "beta", "2.0")
    write_wheel(wheels, "gamma", "3.0")
    listed = folder.write("requirements.txt", "alpha\n-r more/base.txt\n")
    folder.write("more/base.txt", "--find-links 'my wheels'\nbeta\n")
    assert pin(given=listed if given else None)[1] == ["alpha==1.7"]
    assert pin.own == (own,)


def test_a_page_of_wheels_is_told_to_whoever_installs(pin, indexes, folder, tmp_path):
    indexes.put("ours", "beta", "2.0")
    page = f"{indexes.url('ours')}/beta/"
    folder.write("requirements.txt", f"-f {page}\nbeta\n")
    assert pin()[1] == [f"--find-links {page}", "beta==2.0"]
    assert installed(tmp_path) == ["VERSION = '2.0'\n"]


# --- a requirements.txt beside a project's own list -------------------------------------------------------


def test_the_versions_of_one_that_is_all_pinned_are_kept(pin, index, folder):
    for name in ("alpha", "beta", "gamma"):
        for version in ("1.0", "2.0"):
            index(name, version, *(["beta"] if name == "alpha" else []))
    folder.write("requirements.txt", "-r base.txt\nAlpha[x]==1.0 ; python_version > '3' --hash=sha256:aa\n")
    folder.write("base.txt", "beta==1.0  # via alpha\n")
    told, lines = pin("alpha", "gamma")
    assert lines == ["alpha==1.0", "beta==1.0", "gamma==2.0"]
    assert told == "requirements.txt; the versions are those of today where it does not say them"


def test_one_that_is_older_than_the_projects_list_is_told(pin, index, folder):
    for version in ("1.0", "2.0"):
        index("alpha", version)
    folder.write("requirements.txt", "alpha==1.0\n")
    with pytest.raises(PackagingError, match=r"(?s)to the versions of requirements.txt .*alpha==1\.0"):
        pin("alpha>=2")


def test_another_is_left_out_and_that_is_told(pin, index, folder):
    index("alpha", "1.0")
    folder.write("requirements.txt", "alpha==1.0\nbeta\n")
    told, lines = pin("alpha")
    assert lines == ["alpha==1.0"]
    assert told.endswith("; requirements.txt is left out: --requirements requirements.txt takes it")
    folder.write("requirements.txt", "alpha>=1\n")
    assert "left out" not in pin("alpha")[0]


def test_no_group_of_uvs_is_a_library_of_the_job_whatever_a_developers_environment_has(pin, indexes, folder):
    for name in ("alpha", "beta", "gamma"):
        indexes.put("pypi", name, "1.0")
    folder.write(
        "pyproject.toml",
        """
        [project]
        name = "etl"
        version = "1.0"
        requires-python = ">=3.9"
        dependencies = ["alpha"]
        [dependency-groups]
        dev = ["beta"]
        notebooks = ["gamma"]
        [tool.uv]
        default-groups = ["dev", "notebooks"]
        """,
    )
    subprocess.run([find_uv(os.environ), "lock", "--quiet"], cwd=folder.root, check=True)
    assert pin("alpha", lock="uv.lock")[1] == ["alpha==1.0"]
