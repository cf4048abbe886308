"""What EMR Serverless is asked for, as a spark-submit."""

from __future__ import annotations

import shlex

import pytest

from airflow_provider_emrkit.localemr.spark.serverless import (
    ParametersError,
    brought,
    cluster_configurations,
    job_environment,
    job_image,
    split_parameters,
    submit_arguments,
)
from airflow_provider_emrkit.localemr.spark.submit import Submission


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  \n ", []),
        ("--class org.Main", ["--class", "org.Main"]),
        ("--conf spark.a=1\n--conf\tspark.b=2", ["--conf", "spark.a=1", "--conf", "spark.b=2"]),
        (
            '--conf spark.driver.extraJavaOptions="-Da=1 -Db=2"',
            ["--conf", "spark.driver.extraJavaOptions=-Da=1 -Db=2"],
        ),
        ("--name 'it''s a \"job\"'", ["--name", 'its a "job"']),
        (r'--conf "spark.q=say \"x\""', ["--conf", 'spark.q=say "x"']),
        (r"--name a\ b", ["--name", "a b"]),
        ("--name ''", ["--name", ""]),
        ("--name 'é 漢 🎈'", ["--name", "é 漢 🎈"]),
        ("--conf spark.x=a#b", ["--conf", "spark.x=a#b"]),
        ("--verbose --archives s3://b/e.tar.gz#environment", ["--verbose", "--archives", "s3://b/e.tar.gz#environment"]),
        ("--py-files=s3://b/a.zip,s3://b/b.zip", ["--py-files=s3://b/a.zip,s3://b/b.zip"]),
    ],
)  # fmt: skip
def test_parameters_are_words_of_a_shell(text, words):
    assert split_parameters(text) == words


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--conf 'spark.a=1", "No closing quotation"),
        ("--conf spark.a=1 \\", "No escaped character"),
        ("--conf spark.sql=select 1", "'1' belongs to no option"),
        ("s3://b/job.py", "belongs to no option"),
        ("--name a -- --class b", "belongs to no option|needs a value"),
        ("--conf", "--conf needs a value"),
        ("--name x --class", "--class needs a value"),
        ("--conf spark.a", "key=value"),
        ("--conf --class", "key=value"),
        ("--help", "submits no job"),
        ("--version", "submits no job"),
        ("--kill driver-1", "submits no job"),
    ],
)
def test_parameters_that_cannot_be_understood_are_refused(text, message):
    with pytest.raises(ParametersError, match=message):
        split_parameters(text)


def test_whatever_a_shell_would_quote_comes_back():
    words = ["--name", "a b", "--conf", "spark.x=$HOME `x` \"'\\ \n\t*", "--class", "C"]
    assert split_parameters(shlex.join(words)) == words


def test_the_jobs_own_arguments_are_read_by_nobody():
    arguments = ["--conf", "a b", "", "'", "--help"]
    assert submit_arguments("s3://b/job.py", arguments, "--name x") == [
        "--name",
        "x",
        "s3://b/job.py",
        *arguments,
    ]


def test_an_entry_point_is_no_option():
    with pytest.raises(ParametersError, match="entryPoint: '--kill' is no file"):
        submit_arguments("--kill", [], "")


def test_the_drivers_variables_win_over_the_executors():
    conf = {
        "spark.executorEnv.A": "executor",
        "spark.executorEnv.B": "executor",
        "spark.emr-serverless.driverEnv.A": "driver",
        "spark.emr-serverless.memoryOverheadFactor": "0.2",
    }
    assert job_environment(conf) == {"A": "driver", "B": "executor"}


def test_configurations_are_written_as_emr_has_them():
    asked = [
        {"classification": "spark-defaults", "properties": {"spark.x": "1"}},
        {"classification": "spark-driver-log4j2", "properties": {"rootLogger.level": "warn"}},
        {
            "classification": "spark-env",
            "configurations": [{"classification": "export", "properties": {"DAY": "1"}}],
        },
    ]
    assert cluster_configurations(asked) == [
        {"Classification": "spark-defaults", "Properties": {"spark.x": "1"}, "Configurations": []},
        {"Classification": "spark-log4j2", "Properties": {"rootLogger.level": "warn"}, "Configurations": []},
        {
            "Classification": "spark-env",
            "Properties": {},
            "Configurations": [
                {"Classification": "export", "Properties": {"DAY": "1"}, "Configurations": []}
            ],
        },
    ]


def test_a_job_with_one_image_needs_no_note():
    request = job_image("host/a:1", "host/a:1", "emr-7.11.0")
    assert (request.image, request.notes, request.java) == ("host/a:1", (), "17")
    assert (request.home, request.refusal) == ("/home/hadoop", None)
    assert job_image(None, None, "emr-7.11.0") is None


@pytest.mark.parametrize(
    ("driver", "executors", "whole"),
    [("host/a:1", "host/b:1", "host/a:1"), ("host/a:1", None, "host/a:1"), (None, "host/b:1", "host/b:1")],
)
def test_a_job_runs_as_a_whole_in_one_image_and_says_so(driver, executors, whole):
    request = job_image(driver, executors, "emr-7.11.0")
    assert request.image == whole
    (note,) = request.notes
    assert f"the whole job runs in {whole}" in note
    assert ("EMR Serverless's own image" in note) is not bool(driver and executors)


def test_only_what_is_not_in_the_image_has_to_be_fetched():
    files = ("s3://b/a.txt#x", "local:///opt/b.txt", "file:///c.txt", "/d.txt", "e.txt")
    submission = Submission((), files=files, archives=("s3a://b/a.zip", "local:///opt/b.zip#e"))
    kept = brought(submission)
    assert (kept.files, kept.archives) == (("s3://b/a.txt#x",), ("s3a://b/a.zip",))
