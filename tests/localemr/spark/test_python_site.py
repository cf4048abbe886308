"""A master that is named in Python code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.spark.python_site import write_python_site

# As much of pyspark as matters: set() is what everything else calls.
PYSPARK_CONF = """
class SparkConf:
    def __init__(self):
        self.found = {}
    def set(self, key, value):
        self.found[key] = value
        return self
    def setMaster(self, value):
        return self.set("spark.master", value)
"""


@pytest.fixture
def run(tmp_path: Path):
    package = tmp_path / "lib" / "pyspark"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from pyspark.conf import SparkConf\n")
    (package / "conf.py").write_text(PYSPARK_CONF)
    write_python_site(tmp_path / "site it's", ["spark.executor.cores"])

    def call(code: str, *more: Path, python: str = sys.executable) -> str:
        path = [tmp_path / "site it's", tmp_path / "lib", *more]
        env = {"PYTHONPATH": ":".join(map(str, path)), "PATH": os.defpath}
        done = subprocess.run([python, "-c", code], env=env, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout.strip()

    return call


@pytest.mark.parametrize(
    ("value", "found"), [("yarn", {}), ("yarn-client", {}), ("local[4]", {"spark.master": "local[4]"})]
)
@pytest.mark.parametrize("way", ["setMaster({!r})", "set('spark.master', {!r})"])
def test_yarn_is_what_spark_submit_said_and_everything_else_as_the_code_says(run, value, found, way):
    code = f"import pyspark; print(pyspark.SparkConf().{way.format(value)}.found)"
    assert run(code) == str(found)


def test_what_is_fitted_to_the_machine_is_not_the_codes_to_choose(run):
    change = "set('spark.executor.cores', 64).set('spark.executor.memory', '4g')"
    assert run(f"import pyspark; print(pyspark.SparkConf().{change}.found)") == (
        "{'spark.executor.memory': '4g'}"
    )


def test_the_deploy_mode_is_not_the_codes_to_choose(run):
    change = "set('spark.submit.deployMode', 'x').set('a', 1)"
    assert run(f"import pyspark; print(pyspark.SparkConf().{change}.found)") == "{'a': 1}"


def test_spark_is_stopped_at_the_end_where_that_is_wanted(tmp_path):
    package = tmp_path / "lib" / "pyspark"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        """
from pyspark.conf import SparkConf
class SparkContext:
    _active_spark_context = None
    def stop(self):
        print("stopped")
        raise OSError("the JVM is gone")
"""
    )
    (package / "conf.py").write_text(PYSPARK_CONF)
    code = "import pyspark; pyspark.SparkContext._active_spark_context = pyspark.SparkContext(); 1 / 0"
    for stops in (True, False):
        site = tmp_path / f"site-{stops}"
        write_python_site(site, stops=stops)
        env = {"PYTHONPATH": f"{site}:{tmp_path / 'lib'}", "PATH": os.defpath}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("ZeroDivisionError")
        assert done.stdout == ("stopped\n" if stops else "")


def test_the_machines_own_sitecustomize_runs_too(run, tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "sitecustomize.py").write_text("print('theirs')\n")
    assert run("import pyspark", tmp_path / "theirs") == "theirs"


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8", "3.9", "3.10", "3.12", "3.13"])
def test_every_python_reads_it(run, version):
    programs = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python"))
    if not programs:
        pytest.skip(f"no Python {version} here")
    code = "import pyspark.conf as c; print(c.SparkConf().setMaster('yarn').found, c.__name__)"
    assert run(code, python=str(programs[0])) == "{} pyspark.conf"
