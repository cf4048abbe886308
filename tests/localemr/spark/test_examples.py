"""Spark's examples, of which the Python ones are here."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.localemr.spark.examples import (
    NoSuchExampleError,
    example_arguments,
    without_examples_jar,
)

JAR = "/usr/lib/spark/examples/jars/spark-examples.jar"


@pytest.fixture
def home(tmp_path) -> str:
    folder = tmp_path / "examples" / "src" / "main" / "python"
    folder.mkdir(parents=True)
    (folder / "pi.py").touch()
    return str(tmp_path)


@pytest.fixture
def pi(home) -> str:
    return f"{home}/examples/src/main/python/pi.py"


@pytest.mark.parametrize("name", ["SparkPi", "JavaSparkPi", "org.apache.spark.examples.SparkPi"])
def test_an_example_runs_as_its_twin_in_python(home, pi, name):
    args = ["--deploy-mode", "cluster", name, "10", "--class"]
    assert example_arguments(args, home) == ["--deploy-mode", "cluster", pi, "10", "--class"]


@pytest.mark.parametrize(
    "jar", [JAR, f"local://{JAR}", f"file://{JAR}", JAR.replace(".jar", "_2.12-3.5.jar")]
)
def test_so_does_one_of_emrs_own_jar(home, pi, jar):
    args = ["--class", "org.apache.spark.examples.SparkPi", "--verbose", jar, "10"]
    assert without_examples_jar(args, home) == ["--verbose", pi, "10"]


@pytest.mark.parametrize("jar", ["s3://mine/spark-examples.jar", "/usr/lib/spark/jars/x.jar"])
def test_a_jar_of_ones_own_is_left_alone(home, jar):
    args = ["--class=org.apache.spark.examples.SparkPi", jar, ""]
    assert without_examples_jar(args, home) == args


@pytest.mark.parametrize("name", ["LogQuery", "SparkTC", ""])
def test_an_example_that_cannot_run_is_said(home, name):
    with pytest.raises(NoSuchExampleError, match=r"can't run here.* SparkPi"):
        example_arguments([name], home)
    with pytest.raises(NoSuchExampleError, match="name an example"):
        example_arguments([], home)
    with pytest.raises(NoSuchExampleError, match="no class can't run here"):
        without_examples_jar([JAR], home)
