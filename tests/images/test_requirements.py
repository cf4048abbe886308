"""What an image has to install; what a build could not do is refused."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.images.pyproject import from_pyproject
from airflow_provider_emrkit.images.requirements import MAX_INCLUDES, from_requirements
from airflow_provider_emrkit.validation import InvalidValueError


class Files:
    """The files of a build, in memory; a path that ends with / is a directory."""

    def __init__(self, files):
        self._files = files

    def text(self, path):
        return self._files.get(path)

    def is_directory(self, path):
        return False if path in self._files else True if f"{path}/" in self._files else None


def requirements(text, path="requirements.txt", **others):
    files = {name.replace("__", "/"): content for name, content in others.items()}
    return from_requirements(path, Files({path: text, **files}))


def project(text, **others):
    return from_pyproject("pyproject.toml", Files({"pyproject.toml": text, **others}))


def refused(call, *arguments, **options):
    with pytest.raises(InvalidValueError) as caught:
        call(*arguments, **options)
    return str(caught.value)


# --- requirements.txt -------------------------------------------------------------------------------------


def test_the_file_is_all_that_the_build_needs_where_it_names_no_other():
    found = requirements(
        "pandas==2.2.3  # not newer\n\n# a comment\nrequests[socks]>=2; python_version > '3.8'\n"
    )
    assert (found.source, found.file, found.copies) == (
        "requirements",
        "requirements.txt",
        ("requirements.txt",),
    )
    assert not found.needs_git
    assert found.notes == ()


def test_included_files_and_constraints_go_along_by_their_own_paths():
    files = Files(
        {
            "app/requirements.txt": "-r reqs/base.txt\n--constraint=../limits.txt\n",
            "app/reqs/base.txt": "-rmore.txt\n-c ../../limits.txt\n",
            "app/reqs/more.txt": "pandas\n-r base.txt\n",
            "limits.txt": "pandas<3\n",
        }
    )
    found = from_requirements("app/requirements.txt", files)
    assert found.copies == ("app/requirements.txt", "app/reqs/base.txt", "app/reqs/more.txt", "limits.txt")


def test_hashes_on_lines_of_their_own_belong_to_their_requirement():
    text = (
        "pandas==2.2.3 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\npyspark==3.4.1 --hash=sha256:cc\n"
    )
    assert "pyspark is left out" in requirements(text).notes[0]


@pytest.mark.parametrize("line", ["pyspark", "PySpark[sql]==3.4.1", "pyspark @ https://host/pyspark.tar.gz"])
def test_pyspark_is_left_out_and_that_is_said(line):
    assert requirements(f"{line}\n").notes == (
        "pyspark is left out: the cluster mounts its own Spark, and a second one would clash with it.",
    )


def test_a_library_whose_name_begins_like_pyspark_is_none():
    assert requirements("pyspark-extension\n").notes == ()


@pytest.mark.parametrize(
    "line",
    [
        "git+https://github.com/o/r@v1",
        "etl @ git+https://github.com/o/r@v1#subdirectory=x",
        "git+ssh://git@host/r",
    ],
)
def test_what_comes_from_git_needs_git(line):
    assert requirements(f"{line}\n").needs_git


@pytest.mark.parametrize(
    ("line", "copied"),
    [
        ("./wheels/etl-1.0-py3-none-any.whl", "wheels/etl-1.0-py3-none-any.whl"),
        ("wheels/etl-1.0-py3-none-any.whl", "wheels/etl-1.0-py3-none-any.whl"),
        (
            "./wheels/etl-1.0-py3-none-any.whl[aws] ; python_version > '3.8'",
            "wheels/etl-1.0-py3-none-any.whl",
        ),
        ("etl @ ./wheels/etl-1.0-py3-none-any.whl", "wheels/etl-1.0-py3-none-any.whl"),
        ("--find-links wheels", "wheels/"),
        ("-f wheels/", "wheels/"),
        ("./lib", "lib/"),
    ],
)
def test_paths_go_along(line, copied):
    others = {"wheels/etl-1.0-py3-none-any.whl": "", "wheels/": "", "lib/": ""}
    found = from_requirements("requirements.txt", Files({"requirements.txt": f"{line}\n", **others}))
    assert found.copies == ("requirements.txt", copied)


def test_options_of_pip_are_for_uv_to_judge():
    text = "--index-url https://pypi.example.com/simple\n--no-binary=:all:\n-i https://x.example/\npandas\n"
    assert requirements(text).copies == ("requirements.txt",)
    assert requirements(text).notes == ()


def test_options_that_mean_nothing_to_uv_are_told():
    notes = requirements("--pre\n--trusted-host pypi.example.com\npandas\n").notes
    assert [note.split()[0] for note in notes] == ["--pre", "--trusted-host"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("-e .", "is an editable install, which an image can't have; build a wheel"),
        ("--editable=git+https://github.com/o/r", "is an editable install"),
        ("-r gone.txt", "'gone.txt' is no file"),
        ("-r ../outside.txt", "'../outside.txt' is outside the directory of the build"),
        ("-r /etc/passwd", "'/etc/passwd' is not in the directory of the build"),
        ("-r https://host/requirements.txt", "is not in the directory of the build"),
        ("./gone.whl", "'./gone.whl' is neither a file nor a directory"),
        ("etl @ file:///home/me/etl.whl", "is a path of this machine"),
        ("pandas = 2", "'pandas = 2' is no requirement"),
        ("pandas==2 --global-option=x", "is no requirement"),
        ("--process-dependency-links", "is no option that uv takes"),
        ("hg+https://host/repo", "is of a kind that uv does not install from"),
        ("git+file:///home/me/repo", "is a path of this machine"),
        ("--extra-index-url https://me:hunter2@pypi.example.com/simple", "holds a login"),
        ("git+https://hunter2@github.com/o/r", "holds a login"),
        ("-i https://me:hunter2@host/simple", "a build has no login; put wheels beside the file"),
        ("--index-url https://${TOKEN}.example.com", "'${TOKEN}' is a variable that the build does not have"),
    ],
)
def test_a_line_that_a_build_could_not_do_is_refused_with_its_place_and_mend(line, told):
    message = refused(requirements, f"pandas\n\n{line}\n")
    assert "requirements.txt, line 3" in message
    assert told in message
    assert "hunter2" not in message


@pytest.mark.parametrize("name", ["my wheels", "a*b", "a$b", "a\\b", 'a"b', "ä"])
def test_a_path_that_a_dockerfile_would_read_otherwise_is_refused(name):
    message = refused(from_requirements, f"{name}/requirements.txt", Files({f"{name}/requirements.txt": ""}))
    assert "can't be written into a Dockerfile" in message


def test_a_wheel_whose_version_has_an_epoch_is_no_such_path():
    wheel = "wheels/etl-1!1.0+cpu-py3-none-any.whl"
    assert wheel in from_requirements("r.txt", Files({"r.txt": f"./{wheel}\n", wheel: ""})).copies


def test_includes_without_end_are_refused():
    files = {f"{number}.txt": f"-r {number + 1}.txt\n" for number in range(MAX_INCLUDES + 5)}
    assert "is one include too many" in refused(from_requirements, "0.txt", Files(files))


# --- pyproject.toml ---------------------------------------------------------------------------------------


def test_a_projects_dependencies_are_installed_without_the_project():
    found = project(
        '[project]\nname = "etl"\nrequires-python = ">=3.9"\ndependencies = ["pandas", "PySpark==3.4.1"]\n'
    )
    assert (found.source, found.copies, found.python) == ("pyproject", ("pyproject.toml",), ">=3.9")
    assert "pyspark is left out" in found.notes[0]
    assert "comes with the job" in found.notes[1]


def test_the_lock_of_uv_is_taken_where_there_is_one():
    lock = 'version = 1\n[[package]]\nname = "etl"\nsource = { editable = "." }\n'
    found = project('[project]\nname = "etl"\ndependencies = []\n', **{"uv.lock": lock})
    assert (found.source, found.copies) == ("uv.lock", ("pyproject.toml", "uv.lock"))


@pytest.mark.parametrize(
    ("tables", "lock"),
    [
        ('[tool.uv.sources]\nlib = { git = "https://github.com/o/r" }\n', None),
        ("", '[[package]]\nname = "lib"\nsource = { git = "https://github.com/o/r#abc" }\n'),
    ],
)
def test_what_a_project_has_from_git_needs_git(tables, lock):
    others = {"uv.lock": lock} if lock else {}
    assert project(f'[project]\nname = "etl"\ndependencies = ["lib"]\n{tables}', **others).needs_git


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[tool.poetry.dependencies]\npandas = "^2"\n',
            "poetry export --only main --output requirements.txt",
        ),
        ('[project]\nname = "x"\ndynamic = ["dependencies"]\n', "does not say what the project depends on"),
        ("[tool.black]\n", "does not say what the project depends on"),
        ('[project]\nname = "x"\ndependencies = "pandas"\n', "is no list of dependencies"),
        ("[project\n", "is no TOML"),
        (
            '[project]\ndependencies = ["lib"]\n[tool.uv.sources]\nlib = { path = "../lib" }\n',
            "comes from a directory beside the project",
        ),
        ('[project]\ndependencies = ["lib @ file:///lib"]\n', "comes from a directory beside the project"),
        (
            '[project]\ndependencies = ["lib @ https://me:hunter2@host/lib.whl"]\n',
            "holds a login",
        ),
    ],
)
def test_a_project_whose_dependencies_a_build_could_not_tell_is_refused(text, told):
    message = refused(project, text)
    assert told in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "tables", ["tool = 1", "tool.uv = []", "tool.uv.sources = [1]", "tool.uv.sources.a = 1", "package = [1]"]
)
def test_tables_of_other_shapes_are_passed_over(tables):
    text = f'{tables}\n[project]\nname = "etl"\ndependencies = ["pandas"]\n'
    assert project(text, **{"uv.lock": f"{tables}\n"}).source == "uv.lock"


def test_a_lock_with_a_project_beside_this_one_is_refused():
    lock = '[[package]]\nname = "lib"\nsource = { editable = "../lib" }\n'
    text = '[project]\nname = "etl"\ndependencies = ["lib"]\n'
    assert "comes from a directory beside the project" in refused(project, text, **{"uv.lock": lock})
