"""``emrkit package``: what is written, what the user is told, and what becomes of the image."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from airflow_provider_emrkit import KedroProject, PythonProject, cli
from airflow_provider_emrkit.images.checking import Checked
from airflow_provider_emrkit.images.findings import Finding
from airflow_provider_emrkit.images.probing import inspected_facts
from airflow_provider_emrkit.projects.programs import find_uv

IMAGES = Path(__file__).resolve().parents[2] / "images" / "conftest.py"
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
NAME = f"{REGISTRY}/team/etl:1.4"


@pytest.fixture
def package(folder, index, monkeypatch):
    """Run ``emrkit package`` on the folder; no network."""
    monkeypatch.chdir(folder.root.parent)
    return lambda *words: cli.main(["package", "project", *map(str, words)])


@pytest.fixture
def output(folder):
    return folder.root / "dist" / "emrkit"


def manifest(output):
    return json.loads((output / "package.json").read_text())


@pytest.fixture
def etl(folder, index):
    index("alpha", "1.0")
    folder.pyproject(requires=["alpha", "pyspark"], scripts={"etl": "etl.cli:main"})
    index("pyspark", "3.5.6")
    folder.write("src/etl/__init__.py")
    folder.write("src/etl/cli.py", "def main():\n    pass\n")
    return folder


# --- what is written --------------------------------------------------------------------------------------


@pytest.fixture
def workspace(folder, index):
    """A workspace of uv's, whose member etl needs another one, and a wheel that is a file."""
    index("alpha", "1.0")
    index("beta", "2.0")
    (folder.root / "vendor").mkdir()
    (folder.root.parent / "index" / "beta-2.0-py3-none-any.whl").rename(
        folder.root / "vendor" / "beta-2.0-py3-none-any.whl"
    )
    folder.write("pyproject.toml", '[tool.uv.workspace]\nmembers = ["./packages/*"]\n')
    needs = {"etl": ["common ; sys_platform == 'linux'", "beta"], "common": ["alpha"]}
    for name, requires in needs.items():
        member = type(folder)(folder.root / "packages" / name)
        member.pyproject(
            f'''
            [project]
            name = "{name}"
            version = "1.0"
            requires-python = ">=3.9"
            dependencies = {json.dumps(requires)}
            [tool.uv.sources]
            common = {{ workspace = true }}
            beta = {{ path = "../../vendor/beta-2.0-py3-none-any.whl" }}
            ''',
            name=name,
            requires=requires,
        )
        member.write(f"src/{name}/__init__.py", "from pathlib import Path\n")
        member.write(f"src/{name}/__main__.py", "def main():\n    pass\n")
    return folder


def test_a_member_of_a_workspace_takes_the_other_members_that_it_needs_along(workspace, capsys):
    subprocess.run([find_uv(os.environ), "lock", "--directory", workspace.root], check=True)
    member = workspace.root / "packages" / "etl"
    assert cli.main(["package", str(member)]) == 0
    output = member / "dist" / "emrkit"
    wheels = [f"{name}-py3-none-any.whl" for name in ("beta-2.0", "common-1.0", "etl-1.0")]
    assert sorted(path.name for path in output.glob("*.whl")) == wheels
    assert manifest(output)["wheel"] == "etl-1.0-py3-none-any.whl"
    listed = (output / "requirements.txt").read_text()
    assert "alpha==1.0" in listed
    assert "common" not in listed
    assert f"COPY {wheels[2]} {wheels[0]} {wheels[1]} ./" in (output / "Dockerfile").read_text()
    assert f"uv.lock of the workspace {workspace.root}" in capsys.readouterr().err


def test_members_without_a_lock_are_told_to_have_one(workspace, capsys):
    assert cli.main(["package", str(workspace.root / "packages" / "etl")]) == 1
    assert (
        "[tool.uv.sources], which counts only with a uv.lock: `uv lock` writes it" in capsys.readouterr().err
    )


def test_what_a_project_imports_and_its_wheel_does_not_hold_is_told(package, folder, capsys):
    folder.write("main.py", "import lib.a\n")
    folder.write("lib/a.py")
    assert package() == 0
    said = "note   left out 'lib', which has no __init__.py: nothing can import from it"
    assert said in capsys.readouterr().err


def test_the_only_script_is_called_also_where_no_backend_lists_it(package, folder, output):
    folder.write("pyproject.toml", '[project]\nname = "b"\n[project.scripts]\nb = "etl.cli:main"\n')
    folder.write("main.py", "print('hello')\n")
    folder.write("etl/__init__.py")
    folder.write("etl/cli.py", "def main():\n    pass\n")
    assert package() == 0
    assert manifest(output)["module"] == "etl.cli:main"


def test_a_script_of_a_module_that_is_not_in_the_wheel_is_told_and_not_called(
    package, folder, output, capsys
):
    folder.write("pyproject.toml", '[project]\nname = "b"\n[project.scripts]\nb = "etl.cli:main"\n')
    folder.write("main.py")
    folder.write("etl/cli.py", "def main():\n    pass\n")
    assert package() == 0
    assert manifest(output)["module"] == "main"
    said = "note   left out the script 'b', which calls 'etl.cli:main', which the wheel does not hold"
    assert said in capsys.readouterr().err


def test_the_launcher_of_a_job_in_src_is_left_out(package, folder, output, capsys):
    folder.write("main.py", "from src import main\n")
    folder.write("src/main.py")
    assert package() == 0
    assert manifest(output)["module"] == "main"
    err = capsys.readouterr().err
    assert "note   left out 'main.py', which has the name of src/main.py, which is taken" in err
    assert "calls  main (src/main.py)" in err


def test_a_script_that_can_not_be_imported_is_not_passed_over(package, folder, output, capsys):
    folder.write("daily-job.py", "import helpers\n")
    folder.write("helpers.py")
    assert package() == 2
    err = capsys.readouterr().err
    assert "note   left out 'daily-job.py', which has a name that Python can't import" in err
    assert "rename it to daily_job.py, or say --entry-point helpers" in err
    assert package("--entry-point", "helpers") == 0
    assert manifest(output)["module"] == "helpers"


def test_what_an_earlier_call_wrote_is_no_code_of_the_project(package, folder, capsys):
    folder.write("sales.py")
    for _ in range(2):
        assert package("--output", folder.root / "out") == 0
    assert "left out" not in capsys.readouterr().err


# --- libraries that are listed elsewhere ------------------------------------------------------------------


def test_a_list_of_libraries_that_is_not_read_is_told_and_how_it_is_exported(
    package, folder, output, index, capsys
):
    index("alpha", "1.0")
    folder.write("main.py")
    folder.write("Pipfile")
    assert package() == 1
    told = (
        "'Pipfile' lists the project's libraries, and is not read; run pipenv requirements > requirements.txt"
    )
    assert told in capsys.readouterr().err
    exported = folder.write("exported.txt", "alpha\n")
    assert package("--requirements", exported) == 0
    assert "alpha==1.0" in (output / "requirements.txt").read_text()


def test_a_list_of_libraries_that_is_perhaps_the_jobs_is_noted(package, folder, capsys):
    folder.write("main.py")
    path = folder.write("requirements/base.txt", "alpha\n")
    assert package() == 0
    told = "note   'requirements/base.txt' is not read, and nothing else lists libraries; say --requirements"
    assert f"{told} {path}, if the job needs them\n" in capsys.readouterr().err


def test_a_list_that_is_not_read_is_noted_where_the_project_says_that_it_needs_nothing(
    package, folder, capsys
):
    folder.write("main.py")
    folder.write("Pipfile")
    folder.write("pyproject.toml", '[project]\nname = "etl"\n')
    assert package() == 1
    folder.write("pyproject.toml", '[project]\nname = "etl"\ndependencies = []\n')
    assert package() == 0
    told = "note   'Pipfile' is not read, and nothing else lists libraries; run pipenv requirements"
    assert told in capsys.readouterr().err


def test_other_lists_do_not_matter_where_one_is_read(package, etl, folder, capsys):
    folder.write("Pipfile")
    folder.write("requirements.in")
    assert package() == 0
    assert "is not read" not in capsys.readouterr().err


# --- texts that look like secrets -------------------------------------------------------------------------


def test_a_text_that_is_no_secret_is_taken_along_and_told(package, folder, output, index, capsys, read_tar):
    folder.kedro()
    folder.write("conf/base/parameters.yml", "reset_password: never\n")
    assert package() == 1
    place = capsys.readouterr().err.rpartition("--allow-text ")[2].strip()
    assert package("--allow-text", place) == 0
    assert (
        f"conf   holds '{place}', which looks like a secret: it is said to be none" in capsys.readouterr().err
    )
    assert "conf/base/parameters.yml" in read_tar(output / "conf-sales.tar.gz")


def test_only_kedros_configuration_has_texts_to_allow(package, etl, capsys):
    assert package("--allow-text", "base/a.yml:b") == 1
    assert "--allow-text is for the configuration of a Kedro project" in capsys.readouterr().err


def test_a_python_project(package, etl, output, capsys):
    assert package("--release", "emr-7.11.0") == 0
    assert manifest(output) == {
        "format": 1,
        "kind": "python",
        "name": "etl",
        "version": "1.0",
        "module": "etl.cli:main",
        "entry_point": "entrypoint.py",
        "wheel": "etl-1.0-py3-none-any.whl",
        "requirements": "requirements.txt",
        "conf_source": None,
        "archive": None,
        "python": "3.11",
        "release": "emr-7.11.0",
        "architecture": "x86_64",
        "image": None,
        "image_digest": None,
        "image_python": None,
        "image_conf_source": None,
        "files": [
            *(".dockerignore", "Dockerfile", "entrypoint.py"),
            *("etl-1.0-py3-none-any.whl", "requirements.txt"),
        ],
    }
    dockerfile = (output / "Dockerfile").read_text()
    assert "emr-serverless/spark/emr-7.11.0:latest" in dockerfile
    assert "COPY etl-1.0-py3-none-any.whl ./" in dockerfile
    out, err = capsys.readouterr()
    assert "emrkit: calls  etl.cli:main (its script etl)" in err
    assert "emrkit: pins   requirements.txt: 1 library, from" in err
    assert "nothing brings its libraries to the job yet: say --archive, or --image NAME --push" in out


def test_a_version_may_have_an_epoch(package, etl, output):
    etl.pyproject(version="1!1.0", scripts={"etl": "etl.cli:main"})
    assert package() == 0
    assert manifest(output)["version"] == "1!1.0"
    assert "COPY etl-1!1.0-py3-none-any.whl ./" in (output / "Dockerfile").read_text()


def test_a_kedro_project_says_what_is_left_out(package, folder, output, capsys):
    folder.kedro()
    assert package() == 0
    found = manifest(output)
    assert (found["kind"], found["conf_source"]) == ("kedro", "conf-sales.tar.gz")
    assert found["module"] == "sales.__main__:main"
    err = capsys.readouterr().err
    assert "emrkit: conf   conf-sales.tar.gz: 1 files" in err
    assert "emrkit: conf   left out 'local': it is of one developer" in err
    assert "COPY --chown=hadoop:hadoop conf-sales.tar.gz" in (output / "Dockerfile").read_text()


def test_nothing_of_a_kedro_projects_credentials_is_anywhere(package, folder, output, read_tar):
    folder.kedro()
    assert package() == 0
    for path in output.iterdir():
        held = str(read_tar(path)).encode() if path.name.endswith(".tar.gz") else path.read_bytes()
        assert b"hunter2" not in held


def test_modules_and_a_requirements_txt(package, folder, output, index):
    index("alpha", "1.0")
    folder.write("requirements.txt", "alpha\n")
    folder.write("main.py")
    folder.write("helper.py")
    assert package() == 0
    assert manifest(output)["module"] == "main"
    assert "alpha==1.0" in (output / "requirements.txt").read_text()


def test_the_same_project_gives_the_same_bytes_wherever_it_is(package, folder, output, tmp_path):
    folder.kedro()
    assert package() == 0
    first = {path.name: path.read_bytes() for path in output.iterdir()}
    elsewhere = tmp_path / "else where"
    assert package("--output", elsewhere) == 0
    assert {path.name: path.read_bytes() for path in elsewhere.iterdir()} == first
    assert package() == 0
    assert {path.name: path.read_bytes() for path in output.iterdir()} == first


def test_the_project_may_have_a_hostile_name(folder, index, tmp_path, monkeypatch):
    root = tmp_path / "-x $(touch evil) 'a\nb"
    folder.root.rename(root)
    folder.root = root
    folder.kedro()
    monkeypatch.chdir(tmp_path)
    assert cli.main(["package", "--output", "out", "--", root.name]) == 0
    assert manifest(tmp_path / "out")["name"] == "sales"
    assert not (tmp_path / "evil").exists()


def test_a_release_without_images_gets_no_dockerfile(package, etl, output, capsys):
    assert package("--release", "emr-6.6.0") == 0
    assert "Dockerfile" not in manifest(output)["files"]
    assert "no Dockerfile: emr-6.6.0 takes no images on EMR Serverless" in capsys.readouterr().err


def test_scripts_get_json_and_nothing_else(package, etl, output, capsys):
    assert package("--json") == 0
    assert json.loads(capsys.readouterr().out) == manifest(output)


def test_policies_are_written_for_an_account(package, etl, output):
    words = ["--account", "123456789012", "--region", "eu-west-1", "--reads", "s3://in-1/a"]
    words += ["--writes", "s3://out/b"]
    assert package(*words, "--application", "00f1abcdefgh2i0j", "--glue", "--logs", "s3://logs/x") == 0
    role = json.loads((output / "job-role-policy.json").read_text())
    sids = [statement["Sid"] for statement in role["Statement"]]
    assert sids == ["List", "List2", "Read", "Write", "ArchiveLogs", "LogGroups", "Logs", "GlueDataCatalog"]
    assert "00f1abcdefgh2i0j" in (output / "job-role-trust.json").read_text()
    assert not (output / "ecr-policy.json").exists()
    assert "job-role-policy.json" in manifest(output)["files"]


# --- what goes wrong --------------------------------------------------------------------------------------


def test_a_failing_build_leaves_what_was_there(package, etl, output, capsys):
    assert package() == 0
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    etl.pyproject(backend="raise SystemExit('no compiler')\n")
    assert package() == 1
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    assert [path.name for path in output.parent.iterdir()] == ["emrkit"]
    err = capsys.readouterr().err
    assert "emrkit: could not build the wheel of" in err
    assert "no compiler" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--release", "emr-9"], "--release: 'emr-9' is not an EMR release label"),
        (["--python", "2.7"], "--python: '2.7' is no version"),
        (["--python", "3.12"], "--python: '3.12' is no Python that Spark 3.5"),
        (["--push"], "--push: True pushes an image; name it: --image NAME"),
        (["--create"], "--create: True is for an image that is pushed; add --push"),
        (["--requirements", "none.txt"], "--requirements: 'none.txt' is no file"),
        (["--image", "etl"], "--image: 'etl' has no tag"),
        (
            ["--image", "etl:1", "--release", "emr-6.8.0"],
            "--release: 'emr-6.8.0' does not run jobs in images of their own",
        ),
        (["--image", "etl:1", "--push"], "--image: 'etl:1' is not in ECR, where EMR Serverless pulls from"),
        (["--image", NAME, "--region", "eu-west-1"], "--region: 'eu-west-1' is not the region of the image"),
        (["--reads", "s3://a/b"], "--reads: ['s3://a/b'] is for policies; give both --account and --region"),
        (["--account", "1"], "--account: '1' is for policies; give both"),
        (["--account", "1", "--region", "us-east-1"], "account: '1' can't be one"),
        (["--entry-point", "etl.none"], "--entry-point: 'etl.none' needs the module etl.none"),
        (["--output", "project"], "--output: 'project' holds 'backend.py', which emrkit did not put there"),
    ],
)
def test_what_can_not_be_right_is_wrong_usage(package, etl, output, capsys, words, told):
    assert package(*words) == 2
    assert told in capsys.readouterr().err
    assert not output.exists()


def test_an_archive_and_an_image_are_one_too_many(package, etl):
    with pytest.raises(SystemExit) as left:
        package("--archive", "--image", "etl:1")
    assert left.value.code == 2


def test_the_help_has_examples(capsys):
    with pytest.raises(SystemExit):
        cli.main(["package", "--help"])
    assert "emrkit package --archive" in capsys.readouterr().out.split("examples:")[1]


def test_the_command_needs_no_airflow(folder):
    program = (
        "import sys\n"
        "sys.modules['airflow'] = None\n"
        "from airflow_provider_emrkit.cli import main\n"
        "sys.exit(main(['package', sys.argv[1]]))\n"
    )
    folder.kedro()
    argv = [sys.executable, "-c", program, str(folder.root)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- the image --------------------------------------------------------------------------------------------


@pytest.fixture
def recording(tmp_path, monkeypatch):
    """An engine that notes what it is asked for; see the tests of images."""
    spec = importlib.util.spec_from_file_location("emrkit_tests_images_conftest", IMAGES)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("EMRKIT_ENGINE", raising=False)
    engine = module.EngineThatRecords(directory)
    engine.has(NAME)
    return engine


@pytest.fixture
def findings(monkeypatch):
    """What is found in an image, as a test fills it; the engine that records starts no containers."""
    found, targets = [], []

    def checked(engine, image, target):
        targets.append(target)
        return Checked(inspected_facts(image, engine.inspect(image)), target, tuple(found))

    monkeypatch.setattr("airflow_provider_emrkit.projects.image.checked", checked)
    return found, targets


@pytest.fixture
def push(package, recording, findings, localemr_server):
    recording.tell(endpoint=localemr_server.endpoint_url)
    words = ("--image", NAME, "--push", "--endpoint-url", localemr_server.endpoint_url)
    return lambda *more: package(*words, *more)


def test_an_image_is_built_of_the_package_and_looked_into(package, folder, recording, findings, output):
    folder.kedro()
    assert package("--image", NAME, "--build-arg", "A=1", "--release", "emr-7.14.0") == 0
    argv = recording.calls("build")[0]["argv"]
    assert argv[argv.index("--tag") + 1] == NAME
    assert argv[argv.index("--build-arg") + 1] == "A=1"
    assert recording.calls("push") == []
    (target,) = findings[1]
    assert (str(target.release.label), target.arch, target.kind) == ("emr-7.14.0", "x86_64", "serverless")
    assert (target.python, target.modules) == ("/opt/python/current/bin/python3", ("sales.__main__",))
    found = manifest(output)
    assert (found["image"], found["image_digest"]) == (NAME, None)
    assert found["image_python"] == "/opt/python/current/bin/python3"
    assert found["image_conf_source"] == "/home/hadoop/conf-sales.tar.gz"
    assert "123456789012:/applications/*" in (output / "ecr-policy.json").read_text()


def test_a_module_that_is_the_job_itself_is_not_imported_to_see_whether_it_is_there(
    package, folder, recording, findings
):
    folder.write("main.py", "print('the job')\n")
    assert package("--image", NAME) == 0
    assert findings[1][0].modules == ()


def test_an_image_that_is_pushed_is_known_by_its_digest(push, etl, output, localemr_server, capfd):
    localemr_server.client("ecr").create_repository(repositoryName="team/etl")
    assert push() == 0
    images = localemr_server.client("ecr").describe_images(repositoryName="team/etl")["imageDetails"]
    assert manifest(output)["image_digest"] == images[0]["imageDigest"]
    assert f"digest {images[0]['imageDigest']}" in capfd.readouterr().out
    project = PythonProject.read(output)
    assert project.image == f"{REGISTRY}/team/etl@{images[0]['imageDigest']}"


def test_a_repository_is_made_when_asked_for(push, etl, output, localemr_server, capfd):
    assert push() == 1
    assert "does not exist; to make it: --create" in capfd.readouterr().err
    assert not output.exists()
    assert push("--create") == 0
    found = localemr_server.client("ecr").describe_repositories()["repositories"]
    assert [one["repositoryName"] for one in found] == ["team/etl"]
    policy = localemr_server.client("ecr").get_repository_policy(repositoryName="team/etl")["policyText"]
    assert json.loads(policy) == json.loads((output / "ecr-policy.json").read_text())


def test_an_image_whose_tag_is_it_for_good_already_is_not_sent_and_that_is_told(
    push, etl, recording, output, localemr_server, capfd
):
    localemr_server.client("ecr").create_repository(repositoryName="team/etl", imageTagMutability="IMMUTABLE")
    assert push() == 0
    recording.answers = json.loads((recording.directory / "answers.json").read_text())
    first, already = manifest(output)["image_digest"], "is this image already; its tag can't be moved"
    assert already not in capfd.readouterr().err
    assert push() == 0
    assert f"emrkit: image  {NAME} {already}" in capfd.readouterr().err
    assert manifest(output)["image_digest"] == first
    assert len(recording.calls("push")) == 1


def test_an_image_that_can_not_be_built_leaves_what_was_there(package, etl, recording, output, capfd):
    assert package() == 0
    recording.tell(codes={"build": 7})
    assert package("--image", NAME) == 1
    assert f"docker could not build {NAME}; see above" in capfd.readouterr().err
    assert manifest(output)["image"] is None


def test_an_image_in_which_no_job_runs_is_not_pushed(push, etl, recording, findings, output, capfd):
    findings[0].append(Finding("error", "user", "it runs as \x1b[31mroot", "add USER hadoop:hadoop"))
    findings[0].append(Finding("ok", "java", "Java 17"))
    assert push("--create") == 1
    assert recording.calls("push") == []
    err = capfd.readouterr().err
    assert "emrkit: image  error: user: it runs as root; add USER hadoop:hadoop\n" in err
    assert "java" not in err
    assert "with which EMR Serverless runs no job; see above" in err
    assert not output.exists()


def test_no_engine_is_told_before_the_long_work(package, etl, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert package("--image", NAME) == 1
    err = capsys.readouterr().err
    assert "neither docker nor podman is on the PATH" in err
    assert "wheel  " not in err


# --- what a DAG makes of it -------------------------------------------------------------------------------


def test_a_dag_reads_it(push, folder, output, localemr_server):
    folder.kedro()
    assert push("--create") == 0
    job = KedroProject.read(output).job(pipeline="daily", env="prod")
    assert job.entry_point == str(output / "entrypoint.py")
    assert job.args[:2] == ("--conf-source", "/home/hadoop/conf-sales.tar.gz")
    assert job.env["PYSPARK_PYTHON"] == "/opt/python/current/bin/python3"


# --- what is told before anything is done -----------------------------------------------------------------


def test_a_directory_that_is_not_there_is_not_made(package, folder, capsys):
    assert cli.main(["package", "no such project"]) == 2
    assert "is no directory; name that of a Python project" in capsys.readouterr().err
    assert not (folder.root.parent / "no such project").exists()


def test_a_directory_without_a_project_is_left_as_it_was(package, folder, capsys):
    folder.write("notes.txt")
    assert package() == 2
    assert "holds no Python project" in capsys.readouterr().err
    assert [path.name for path in folder.root.iterdir()] == ["notes.txt"]


def test_a_release_that_is_none_is_told_as_the_option_it_is(package, etl, capsys):
    assert package("--release", "emr-9.9.9") == 2
    assert "--release: 'emr-9.9.9' is not a known EMR release" in capsys.readouterr().err


def test_an_archive_for_other_machines_is_refused_before_the_wheel_is_built(
    package, etl, capsys, monkeypatch
):
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert package("--archive", "--arch", "arm64") == 1
    err = capsys.readouterr().err
    assert "can't be packed on linux on x86_64; pack it in a container or a CI of that kind" in err
    assert "wheel  " not in err


# --- archives of other tools ------------------------------------------------------------------------------


@pytest.fixture
def packed_venv(tmp_path):
    """What venv-pack makes of an environment of venv: its Python is a link to this machine's."""
    path = tmp_path / "venv.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo("bin/python")
        link.type, link.linkname = tarfile.SYMTYPE, "/usr/bin/python3"
        archive.addfile(link)
    return path


def test_the_trap_of_a_packed_venv_is_explained(package, folder, packed_venv, capsys):
    assert package("--check", packed_venv, "--release", "emr-7.11.0") == 1
    out = capsys.readouterr().out
    assert "is a link that leads out of the archive, to /usr/bin/python3" in out
    assert "mend: pack it with emrkit package --archive" in out
    assert out.splitlines()[-1].startswith("no: 2 to mend before its Python runs on emr-7.11.0, x86_64")
    assert not (folder.root / "dist").exists()


def test_what_is_found_in_an_archive_is_told_to_programs(package, packed_venv, capsys):
    assert package("--check", packed_venv, "--json") == 1
    assert {one["subject"] for one in json.loads(capsys.readouterr().out)} == {"bin/python"}


@pytest.mark.parametrize("spoil", ["no archive", b"\x1f\x8b\x08\x00", None])
def test_what_is_no_archive(package, tmp_path, capsys, spoil):
    path = tmp_path / "other.tar.gz"
    if spoil:
        path.write_bytes(spoil if isinstance(spoil, bytes) else spoil.encode())
    assert package("--check", path) in (1, 2)
    out, err = capsys.readouterr()
    assert "can't be read" in out + err
    assert "Traceback" not in out + err


def test_an_archive_with_warnings_is_not_promised_to_run(package, tmp_path, capsys):
    path = tmp_path / "other.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in (
            ("bin/python", ""),
            ("lib/python3.11/os.py", ""),
            ("bin/pip", "#!/x/bin/python\n"),
        ):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text), 0o755
            archive.addfile(member, io.BytesIO(text.encode()))
    assert package("--check", path) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("perhaps: ")


def test_a_password_in_the_configuration_is_told_before_the_wheel_is_built(package, folder, output, capsys):
    folder.kedro()
    folder.write("conf/base/db.yml", "password: hunter2\n")
    assert package() == 1
    err = capsys.readouterr().err
    assert "base/db.yml holds a key or a password" in err
    assert "wheel  " not in err
    assert "hunter2" not in err
    assert not output.exists()


def test_a_file_of_the_wheel_that_is_called_a_secret_is_told(package, folder, output, capsys):
    folder.write("etl/__init__.py")
    folder.write("etl/__main__.py")
    folder.write("etl/secrets.py")
    folder.write("requirements.txt")
    folder.write("etl/credentials.json", "{}")
    assert package() == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if "note   the wheel holds" in line]
    assert notes == [
        "emrkit: note   the wheel holds 'etl/credentials.json', "
        "which everybody could read who reads the wheel"
    ]
