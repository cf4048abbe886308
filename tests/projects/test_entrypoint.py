"""What a run of a project calls, and the script that Spark starts for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_emrkit.projects.detect import Project
from airflow_provider_emrkit.projects.entrypoint import Entry, chosen_entry, script, scripts_without_module
from airflow_provider_emrkit.projects.kedro_settings import KedroSettings
from airflow_provider_emrkit.projects.plain_wheel import LeftOut, PlainCode
from airflow_provider_emrkit.projects.wheels import Wheel
from airflow_provider_emrkit.validation import InvalidValueError

PROJECT = Project(Path("etl"))


def wheel(*modules, scripts=None, packages=(), name="etl"):
    path = Path(f"{name}-1.0-py3-none-any.whl")
    return Wheel(
        path, name, "1.0", modules=frozenset(modules), packages=frozenset(packages), scripts=scripts or {}
    )


@pytest.mark.parametrize(
    ("found", "entry", "why"),
    [
        (
            wheel("etl", "etl.cli", packages=["etl"], scripts={"run": "etl.cli:main"}),
            "etl.cli:main",
            "its script run",
        ),
        (
            wheel("etl", "etl.cli", scripts={"etl-jobs": "etl.cli:run", "x": "etl.cli:x"}, name="etl_jobs"),
            "etl.cli:run",
            "its script etl-jobs",
        ),
        (wheel("etl", "etl.__main__", "helpers", packages=["etl"]), "etl", "etl/__main__.py"),
        (wheel("main", "helpers"), "main", "main.py"),
        (wheel("job", "etl", packages=["etl"]), "job", "job.py"),
        (wheel("sales"), "sales", "sales.py"),
    ],
)
def test_what_is_called_is_what_the_project_says(found, entry, why):
    chosen = chosen_entry(PROJECT, found, None)
    assert (str(chosen), chosen.why) == (entry, why)


def test_kedro_is_started_as_it_starts_itself():
    project = Project(Path("sales"), "kedro", kedro=KedroSettings("sales", Path("conf")))
    found = wheel("sales", "sales.__main__", packages=["sales"], scripts={"other": "sales.other:main"})
    assert str(chosen_entry(project, found, None)) == "sales.__main__:main"


def test_the_user_has_the_last_word():
    found = wheel("etl", "etl.cli", packages=["etl"], scripts={"run": "etl.cli:main"})
    assert str(chosen_entry(PROJECT, found, "etl.cli:Cli.run")) == "etl.cli:Cli.run"
    assert str(chosen_entry(PROJECT, found, "etl.cli")) == "etl.cli"


@pytest.mark.parametrize(
    ("found", "wanted", "told"),
    [
        (wheel("etl", packages=["etl"]), None, "'etl' has no script, and no package with a __main__.py"),
        (wheel("a", "b"), None, "say what a run calls: --entry-point etl.cli:main"),
        (wheel("main", "app"), None, "has no script"),
        (wheel("ns.mod"), None, "has no script"),
        (wheel("a", scripts={"x": "a:x", "y": "a:y"}), None, "'etl' has several scripts: x, y"),
        (wheel("etl"), "other:main", "'other:main' needs the module other, and the wheel holds etl"),
        (
            wheel("etl", packages=["etl"]),
            "etl",
            "'etl' needs the module etl.__main__, and the wheel",
        ),
        (wheel(), "etl", "the wheel holds no module at all"),
        (wheel("etl"), "etl;import os", "names no function of a module; write it like etl.cli:main"),
        (wheel("etl"), "etl:", "names no function of a module"),
        (wheel("etl"), "etl:main()", "names no function of a module"),
        (wheel("etl", scripts={"x": 'etl:main"\nimport os'}), None, "names no function of a module"),
        (wheel("entrypoint"), None, "'entrypoint' is what entrypoint.py would import in the place of itself"),
    ],
)
def test_what_can_not_be_called_is_told(found, wanted, told):
    with pytest.raises(InvalidValueError) as raised:
        chosen_entry(PROJECT, found, wanted)
    assert told in str(raised.value)


SCRIPT_OF_NO_MODULE = LeftOut(
    "daily-job.py", "has a name that Python can't import", "rename it to daily_job.py"
)


def taken(found, *left_out):
    """Say that a wheel is of modules of the root, as its project has no build backend."""
    places = {name: name if name in found.packages else f"{name}.py" for name in found.top_level}
    return PlainCode(places, left_out)


def test_a_lone_module_is_not_the_job_where_something_else_could_be():
    found = wheel("helpers")
    with pytest.raises(InvalidValueError) as raised:
        chosen_entry(PROJECT, found, None, taken(found, SCRIPT_OF_NO_MODULE))
    told = (
        "'etl' does not say whether a run starts helpers.py, or daily-job.py, which has a name that Python "
        "can't import; rename it to daily_job.py, or say --entry-point helpers"
    )
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("found", "wanted", "entry"),
    [
        (wheel("main"), None, "main"),
        (wheel("etl", "etl.__main__", "helpers", packages=["etl"]), None, "etl"),
        (wheel("helpers", scripts={"etl": "helpers:main"}), None, "helpers:main"),
        (wheel("helpers"), "helpers", "helpers"),
    ],
)
def test_what_is_said_to_be_the_job_is_it_whatever_is_left_out(found, wanted, entry):
    assert str(chosen_entry(PROJECT, found, wanted, taken(found, SCRIPT_OF_NO_MODULE))) == entry


@pytest.mark.parametrize(
    "beside",
    [
        LeftOut("conftest.py", "is by its name no part of the job"),
        LeftOut("lib", "has no __init__.py: nothing can import from it", "put an __init__.py into lib"),
        LeftOut("my-lib", "has a name that Python can't import", "rename it to my_lib"),
    ],
)
def test_what_is_no_script_is_not_taken_for_the_job(beside):
    found = wheel("sales")
    assert str(chosen_entry(PROJECT, found, None, taken(found, beside))) == "sales"


def of_files(*files, scripts=None):
    """Give the wheel of a project of these files, and where they are."""
    names = [file.removeprefix("src/").removesuffix(".py").replace("/", ".") for file in files]
    modules = {name.removesuffix(".__init__") for name in names}
    packages = {name.removesuffix(".__init__") for name in names if name.endswith(".__init__")}
    places = {}
    for file in files:
        parts = file.split("/")
        place = "/".join(parts[: 2 if parts[0] == "src" else 1])
        places[place.rpartition("/")[2].removesuffix(".py")] = place
    return wheel(*modules, packages=packages, scripts=scripts), PlainCode(places)


@pytest.mark.parametrize(
    ("files", "scripts", "entry", "why"),
    [
        (["main.py", "cli.py"], {"etl": "cli : main", "lint": "cli:lint"}, "cli:main", "its script etl"),
        (["etl/__init__.py", "etl/__main__.py", "main.py"], {}, "etl", "etl/__main__.py"),
        (["src/etl/__init__.py", "src/etl/__main__.py", "app.py"], {}, "etl", "src/etl/__main__.py"),
        (["src/main.py", "app.py"], {}, "main", "src/main.py"),
        (["src/main.py", "local_run.py"], {}, "main", "src/main.py"),
        (["src/etl/__init__.py", "main.py"], {}, "main", "main.py"),
        (["sales.py", "cli.py"], {"run": "cli:main"}, "cli:main", "its script run"),
        (["main.py", "etl.py"], {"run": "main:main"}, "main:main", "its script run"),
        (
            ["etl/__main__.py", "etl/__init__.py"],
            {"run": "etl.__main__:go"},
            "etl.__main__:go",
            "its script run",
        ),
        (["main.py"], {"etl": "lib.cli:main"}, "main", "main.py"),
        (["main.py", "cli.py"], {"run": "lib.cli:main"}, "main", "main.py"),
        (["src/daily.py", "release.py"], {}, "daily", "src/daily.py"),
        (["sales.py", "etl/__init__.py"], {}, "sales", "sales.py"),
    ],
)
def test_without_a_backend_what_is_called_is_what_the_project_says(files, scripts, entry, why):
    found, code = of_files(*files, scripts=scripts)
    chosen = chosen_entry(PROJECT, found, None, code)
    assert (str(chosen), chosen.why) == (entry, why)


@pytest.mark.parametrize(
    ("files", "scripts", "told"),
    [
        (
            ["main.py", "cli.py"],
            {"lint": "cli:lint"},
            "starts its script lint or main.py; say --entry-point cli:lint or --entry-point main",
        ),
        (
            ["etl/__init__.py", "etl/__main__.py"],
            {"lint": "etl:lint"},
            "its script lint or etl/__main__.py; say --entry-point etl:lint or --entry-point etl",
        ),
        (["cli.py"], {"a": "cli:a", "b": "cli:b"}, "say --entry-point cli:a or --entry-point cli:b"),
        (["src/main.py", "src/app.py", "job.py"], {}, "whether a run starts src/app.py or src/main.py; say"),
        (["src/etl/__init__.py", "deploy.py"], {}, "say what a run calls: --entry-point etl.cli:main"),
        (["src/a.py", "src/b.py", "deploy.py"], {}, "say what a run calls: --entry-point etl.cli:main"),
        (["a.py", "b.py"], {}, "say what a run calls: --entry-point etl.cli:main"),
    ],
)
def test_without_a_backend_nothing_is_chosen_silently(files, scripts, told):
    found, code = of_files(*files, scripts=scripts)
    with pytest.raises(InvalidValueError) as raised:
        chosen_entry(PROJECT, found, None, code)
    assert told in str(raised.value)


def test_a_backends_only_script_is_called_whatever_is_beside_it():
    assert str(chosen_entry(PROJECT, wheel("main", "cli", scripts={"lint": "cli:lint"}), None)) == "cli:lint"


def test_scripts_of_modules_that_are_not_in_the_wheel_are_known():
    found = wheel("cli", scripts={"b": "lib.cli:main", "a": "x", "c": "cli : main"})
    assert scripts_without_module(found) == ["a", "b"]


# --- the script -------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path):
    """Run the script as Spark does, beside the modules that a test gives."""

    def ran(entry, modules, *arguments, kedro=False):
        for name, text in modules.items():
            path = tmp_path / "modules" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        file = tmp_path / "entrypoint.py"
        file.write_text(script(Entry.parse("--entry-point", entry, ""), kedro=kedro))
        argv = [sys.executable, str(file), *arguments]
        environ = {"PYTHONPATH": str(tmp_path / "modules"), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)

    return ran


MAIN = "import sys\ndef main():\n    print(sys.argv[1:])\n    {}\n"


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("return None", 0),
        ("return 3", 3),
        ("sys.exit(4)", 4),
        ("raise ValueError('x')", 1),
        ("return 'no'", 1),
    ],
)
def test_a_functions_arguments_and_exit_code_are_the_jobs(run, end, code):
    ran = run("etl.cli:main", {"etl/__init__.py": "", "etl/cli.py": MAIN.format(end)}, "--day", "a b", "$(x)")
    assert ran.stdout == "['--day', 'a b', '$(x)']\n"
    assert ran.returncode == code


def test_an_error_is_shown_with_where_it_happened(run):
    ran = run("cli:main", {"cli.py": MAIN.format("raise ValueError('no such day')")})
    assert "cli.py" in ran.stderr
    assert ran.stderr.endswith("ValueError: no such day\n")


def test_a_function_of_a_class_is_called(run):
    text = "class Cli:\n    @staticmethod\n    def run():\n        print('ran')\n"
    assert run("cli:Cli.run", {"cli.py": text}).stdout == "ran\n"


@pytest.mark.parametrize("files", [{"etl.py": None}, {"etl/__init__.py": "", "etl/__main__.py": None}])
def test_a_module_runs_as_python_m_runs_it(run, files):
    told = "print(sys.argv[1:], sys.modules['__main__'].__dict__ is globals())"
    text = f"import sys\nif __name__ == '__main__':\n    {told}\n    sys.exit(5)\n"
    ran = run("etl", {name: text if content is None else content for name, content in files.items()}, "x")
    assert (ran.stdout, ran.returncode) == ("['x'] True\n", 5)


@pytest.fixture
def run_kedro(run):
    """Run the script of a Kedro project, whose ``main`` ends like this."""

    def ran(end):
        modules = {
            "kedro/__init__.py": "",
            "kedro/framework/__init__.py": "",
            "kedro/framework/project.py": "class LOGGING:\n    configure = None\n",
            "sales/__init__.py": "",
            "sales/__main__.py": MAIN.format(end),
        }
        return run("sales.__main__:main", modules, "--env", "prod", kedro=True)

    return ran


def test_what_kedros_main_gives_back_is_no_exit_code(run_kedro):
    ran = run_kedro("return {'a': 1}")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "['--env', 'prod']\n", "")


def test_how_kedro_ends_is_how_the_job_ends(run_kedro):
    assert run_kedro("sys.exit(2)").returncode == 2
    assert run_kedro("raise ValueError('no data')").stderr.endswith("ValueError: no data\n")
