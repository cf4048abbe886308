from __future__ import annotations

import pytest

from airflow_provider_emrkit.releases import ReleaseLabel, known_labels, known_release, parse_label, release
from airflow_provider_emrkit.validation import InvalidValueError


@pytest.mark.parametrize(
    ("label", "parts"),
    [
        ("emr-7.11.0", ReleaseLabel("emr", 7, 11, 0)),
        ("emr-5.36.2", ReleaseLabel("emr", 5, 36, 2)),
        ("emr-spark-8.0.0", ReleaseLabel("emr-spark", 8, 0, 0)),
        ("emr-spark-8.0-preview", ReleaseLabel("emr-spark", 8, 0, 0, preview=True)),
    ],
)
def test_a_label_is_taken_apart_and_put_together_again(label, parts):
    assert parse_label(label) == parts
    assert str(parts) == label


@pytest.mark.parametrize(
    "label",
    [
        "",
        "7.11.0",
        "emr-7.11",
        "emr-7",
        "emr-07.1.0",
        "emr-7.11.0 ",
        "emr-7.11.0\n",
        "EMR-7.11.0",
        "emr-7.1.0-preview",
        "emr-spark-8.0",
        "emr-hive-1.0.0",
        "emr-7.11.0-latest",
        "emr-\u0667.\u0661.\u0660",
        "emr-99999.0.0",
    ],
)
def test_anything_else_is_refused(label):
    with pytest.raises(InvalidValueError, match=r"is not an EMR release label; write it like emr-7.11.0"):
        parse_label(label)


def test_labels_are_ordered_by_number_not_by_letter():
    labels = ["emr-7.2.0", "emr-7.11.0", "emr-6.15.0", "emr-6.9.1", "emr-6.9.0"]
    expected = ["emr-6.9.0", "emr-6.9.1", "emr-6.15.0", "emr-7.2.0", "emr-7.11.0"]
    assert sorted(labels, key=parse_label) == expected


def test_a_preview_comes_before_its_release():
    assert (
        parse_label("emr-spark-8.0-preview") < parse_label("emr-spark-8.0.0") < parse_label("emr-spark-8.1.0")
    )


def test_labels_of_two_families_can_not_be_compared():
    with pytest.raises(TypeError):
        parse_label("emr-7.11.0") < parse_label("emr-spark-8.0.0")  # noqa: B015


@pytest.mark.parametrize(
    ("label", "spark"),
    [
        ("emr-4.0.0", "1.4.1"),
        ("emr-5.0.0", "2.0.0"),
        ("emr-5.0.3", "2.0.1"),
        ("emr-5.8.0", "2.2.0"),
        ("emr-5.36.2", "2.4.8"),
        ("emr-6.0.1", "2.4.4"),
        ("emr-6.6.0", "3.2.0"),
        ("emr-6.7.0", "3.2.1"),
        ("emr-6.10.1", "3.3.1"),
        ("emr-6.15.0", "3.4.1"),
        ("emr-7.0.0", "3.5.0"),
        ("emr-7.11.0", "3.5.6"),
        ("emr-7.14.0", "3.5.8"),
        ("emr-spark-8.0-preview", "4.0.1"),
        ("emr-spark-8.1.0", "4.1.1"),
    ],
)
def test_each_release_has_its_spark(label, spark):
    assert release(label).spark == spark
    assert release(label).exact


@pytest.mark.parametrize(
    ("label", "java", "python", "scala"),
    [
        ("emr-5.29.0", "8", "2.7", "2.11"),
        ("emr-5.30.0", "8", "3.7", "2.11"),
        ("emr-6.15.0", "8", "3.7", "2.12"),
        ("emr-7.12.0", "17", "3.9", "2.12"),
        ("emr-7.13.0", "17", "3.11", "2.12"),
        ("emr-spark-8.0.0", "17", "3.11", "2.13"),
    ],
)
def test_each_release_has_its_runtimes(label, java, python, scala):
    found = release(label)
    assert (found.java, found.python, found.scala) == (java, python, scala)


def test_the_table_is_whole_and_in_order():
    labels = [parse_label(label) for label in known_labels()]
    for family in ("emr", "emr-spark"):
        members = [label for label in labels if label.family == family]
        assert members == sorted(set(members))
    for label in known_labels():
        found = release(label)
        assert all((found.spark, found.hadoop, found.java, found.python, found.scala))


@pytest.mark.parametrize(
    ("label", "like"),
    [("emr-7.11.1", "emr-7.11.0"), ("emr-7.99.0", "emr-7.14.0"), ("emr-spark-8.7.0", "emr-spark-8.1.0")],
)
def test_an_unknown_newer_release_is_taken_for_the_nearest_lower_one(label, like):
    found, known = release(label), release(like)
    assert not found.exact
    assert str(found.label) == label
    assert (found.spark, found.hadoop) == (known.spark, known.hadoop)


@pytest.mark.parametrize("label", ["emr-8.0.0", "emr-3.11.0", "emr-spark-9.0.0", "emr-spark-7.0.0"])
def test_an_unknown_major_release_is_refused(label):
    with pytest.raises(
        InvalidValueError, match=r"is not a known EMR release; use one of emr-4.x, emr-5.x, emr-6.x"
    ):
        release(label)


@pytest.mark.parametrize(
    ("feature", "without", "with_it"),
    [
        (
            "cloudwatch_logs",
            ["emr-5.36.0", "emr-6.15.0", "emr-7.10.0", "emr-spark-8.0.0"],
            ["emr-7.11.0", "emr-7.99.0"],
        ),
        (
            "auto_termination",
            ["emr-5.29.0", "emr-6.0.1"],
            ["emr-5.30.0", "emr-5.36.2", "emr-6.1.0", "emr-spark-8.0.0"],
        ),
        ("managed_scaling", ["emr-5.29.0", "emr-6.0.1"], ["emr-5.30.0", "emr-6.1.0", "emr-7.11.0"]),
        (
            "step_concurrency",
            ["emr-4.9.1", "emr-5.27.1"],
            ["emr-5.28.0", "emr-6.0.0", "emr-spark-8.0-preview"],
        ),
        ("docker", ["emr-5.36.2", "emr-7.0.0", "emr-spark-8.0.0"], ["emr-6.0.0", "emr-6.15.0"]),
        (
            "serverless",
            ["emr-5.36.2", "emr-6.5.0", "emr-6.8.1", "emr-6.9.1", "emr-6.10.1", "emr-6.11.1"],
            ["emr-6.6.0", "emr-6.8.0", "emr-6.9.0", "emr-6.10.0", "emr-6.11.0", "emr-6.12.0", "emr-7.11.0"],
        ),
        ("serverless_digest_per_run", ["emr-7.13.0", "emr-spark-8.0.0"], ["emr-7.14.0", "emr-spark-8.1.0"]),
        ("serverless_images", ["emr-6.8.0"], ["emr-6.9.0", "emr-spark-8.0-preview"]),
        ("serverless_merging", ["emr-7.14.0", "emr-spark-8.0.0"], ["emr-spark-8.1.0"]),
        ("serverless_queue", ["emr-6.15.0"], ["emr-7.0.0", "emr-spark-8.0.0"]),
        ("serverless_retries", ["emr-7.0.0"], ["emr-7.1.0", "emr-spark-8.0.0"]),
        ("serverless_shuffle_disks", ["emr-7.0.0"], ["emr-7.1.0", "emr-spark-8.0.0"]),
        (
            "instance_fleets",
            ["emr-4.9.1", "emr-5.12.0"],
            ["emr-5.12.1", "emr-7.11.0", "emr-spark-8.0-preview"],
        ),
    ],
)
def test_a_feature_is_there_from_its_release_on(feature, without, with_it):
    assert [label for label in without if release(label).supports(feature)] == []
    assert [label for label in with_it if not release(label).supports(feature)] == []


def test_a_label_that_nobody_knows_is_no_release():
    assert known_release("emr-7.11.0") == release("emr-7.11.0")
    assert [known_release(label) for label in ("emr-9.0.0", "7.11.0", "")] == [None, None, None]


def test_an_unknown_feature_is_an_error_not_a_no():
    with pytest.raises(InvalidValueError, match="'dockr' is not known; use one of auto_termination"):
        release("emr-6.5.0").supports("dockr")
