"""Properties that are too long for the options of a job run go with its configuration, as far as they can."""

from __future__ import annotations

import random

import pytest

from airflow_provider_emrkit import SparkJob
from airflow_provider_emrkit.compute.configurations import MAX_PROPERTIES, MAX_PROPERTY
from airflow_provider_emrkit.compute.long_conf import divided
from airflow_provider_emrkit.jobs.serverless_submit import (
    MAX_PARAMETERS,
    characters,
    serverless_conf,
    spark_submit_parameters,
)

APPLICATION = {"applicationId": "00f1", "releaseLabel": "emr-7.11.0"}
HELD = {
    "classification": "spark-defaults",
    "properties": {"spark.held": "yes", "spark.long0": "no"},
    "configurations": [],
}
OTHER = {"classification": "spark-log4j2", "properties": {"x": "y"}}


def long(count, length=MAX_PROPERTY):
    return {f"spark.long{place}": "x" * length for place in range(count)}


def divide(conf, application=APPLICATION, **fields):
    job = SparkJob("s3://c/a.py", conf=conf, **fields)
    kept, configurations = divided(serverless_conf(job), spark_submit_parameters(job, conf={}), application)
    return job, kept, configurations


def test_what_fits_is_options():
    fits = MAX_PARAMETERS - len("--conf spark.a=")
    for conf in ({}, {"spark.a": "x" * fits}, long(90)):
        job, kept, configurations = divide(conf)
        assert kept == serverless_conf(job)
        assert configurations == []


def test_the_longest_go_as_few_as_need_to():
    conf = {**long(100, 1000), "spark.longest": "y" * 1024, "spark.short": "z"}
    job, kept, [moved] = divide(conf)
    assert moved["classification"] == "spark-defaults"
    assert "spark.longest" in moved["properties"]
    assert {**kept, **moved["properties"]} == conf
    assert not kept.keys() & moved["properties"].keys()
    assert characters(spark_submit_parameters(job, conf=kept)) <= MAX_PARAMETERS
    last = next(iter(moved["properties"]))
    assert characters(spark_submit_parameters(job, conf={**kept, last: conf[last]})) > MAX_PARAMETERS


def test_the_rest_keeps_its_order():
    _, kept, [moved] = divide({f"spark.p{n}": "x" * (900 + n % 7) for n in range(120)})
    for part in (kept, moved["properties"]):
        assert list(part) == sorted(part, key=lambda key: int(key.removeprefix("spark.p")))


@pytest.mark.parametrize(
    "text",
    ["", " ", "a\nb", "a\\b", " a", "a ", "é", "=a", ":a", "\t", "x" * (MAX_PROPERTY + 1)],
)
def test_what_a_file_of_properties_might_change_stays_an_option(text):
    """Even where nothing else can go."""
    conf = {"spark.special": text, **{f"spark.p{n}": "é" * 900 for n in range(112)}}
    _, kept, configurations = divide(conf)
    assert kept == conf
    assert configurations == []


@pytest.mark.parametrize("text", ["a b", "a=b", "#a", 'it\'s "$x" #!', "{'a': 1}", "x" * MAX_PROPERTY])
def test_other_texts_can_go(text):
    conf = {"spark.special": text, **{f"spark.p{n}": "é" * 900 for n in range(112)}}
    _, _, [moved] = divide(conf)
    assert moved["properties"] == {"spark.special": text}


def test_before_the_two_are_merged_the_application_s_own_are_said_again():
    application = {**APPLICATION, "runtimeConfiguration": [OTHER, HELD]}
    _, _, [moved] = divide(long(100), application)
    assert moved["properties"]["spark.held"] == "yes"
    assert moved["properties"]["spark.long0"] == "x" * MAX_PROPERTY
    assert {name: value for name, value in moved.items() if name != "properties"} == {
        name: value for name, value in HELD.items() if name != "properties"
    }
    assert HELD["properties"] == {"spark.held": "yes", "spark.long0": "no"}


def test_a_job_s_property_wins_over_its_application_s():
    held = {"classification": "spark-defaults", "properties": {"spark.longest": "no"}}
    conf = {**long(100), "spark.longest": "y" * MAX_PROPERTY}
    _, kept, [moved] = divide(conf, {**APPLICATION, "runtimeConfiguration": [held]})
    assert {**moved["properties"], **kept}["spark.longest"] == conf["spark.longest"]


def test_where_the_two_are_merged_nothing_is_said_again():
    application = {**APPLICATION, "releaseLabel": "emr-spark-8.1.0", "runtimeConfiguration": [HELD]}
    _, _, [moved] = divide(long(100), application)
    assert "spark.held" not in moved["properties"]


def test_no_more_go_than_emr_serverless_takes():
    held = {"classification": "spark-defaults", "properties": {f"spark.h{n}": "1" for n in range(40)}}
    job, kept, [moved] = divide(long(300), {**APPLICATION, "runtimeConfiguration": [held]})
    assert len(moved["properties"]) == MAX_PROPERTIES
    assert len(kept) == 300 - 60
    # It is too long still, which is told where the options are written.
    assert characters(spark_submit_parameters(job, conf=kept)) > MAX_PARAMETERS


@pytest.mark.parametrize("seed", range(10))
def test_however_long_nothing_is_lost(seed):
    chosen = random.Random(seed)
    conf = {
        f"spark.p{place}": chosen.choice("xé'") * chosen.choice([1, 500, 1000, 1100, 3000])
        for place in range(150)
    }
    job, kept, configurations = divide(conf, env={"A": "b"})
    moved = configurations[0]["properties"] if configurations else {}
    assert {**kept, **moved} == serverless_conf(job)
    assert len(kept) + len(moved) == len(serverless_conf(job))
