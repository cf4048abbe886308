"""Which Spark stands for a release."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.localemr.spark.versions import UnsupportedReleaseError, candidates, java_package
from airflow_provider_emrkit.releases import known_labels, release
from airflow_provider_emrkit.validation import InvalidValueError


@pytest.mark.parametrize(
    ("label", "first"),
    [("emr-6.1.0", "3.0.0"), ("emr-6.15.0", "3.4.1"), ("emr-7.11.0", "3.5.6"), ("emr-spark-8.0.0", "4.0.2")],
)
def test_the_releases_own_spark_comes_first(label, first):
    assert candidates(label)[0].version == first


@pytest.mark.parametrize(
    ("label", "versions"),
    [
        ("emr-6.9.0", ["3.3.0", "3.3.4", "3.4.4", "3.5.9"]),
        ("emr-5.36.0", ["2.4.8"]),
        ("emr-5.30.0", ["2.4.5", "2.4.8"]),
        ("emr-5.3.0", ["2.4.8"]),
    ],
)
def test_then_the_newest_of_its_minor_and_of_each_later_one_of_the_same_major(label, versions):
    assert [spark.version for spark in candidates(label)] == versions


def test_a_spark_1_release_is_refused_with_the_mend():
    with pytest.raises(UnsupportedReleaseError, match=r"use emr-5\.0\.0 or later"):
        candidates("emr-4.9.6")


def test_a_text_that_is_no_label_is_refused():
    with pytest.raises(InvalidValueError):
        candidates("emr-seven")


def test_every_known_release_of_spark_3_and_later_can_run():
    for label in known_labels():
        if int(release(label).spark.split(".")[0]) >= 3:
            spark = candidates(label)[0]
            assert spark.version == release(label).spark
            assert spark.java
            assert spark.python[0] <= spark.python[1]


@pytest.mark.parametrize(
    ("python", "fits"), [((3, 7), False), ((3, 8), True), ((3, 13), True), ((3, 14), False)]
)
def test_spark_3_5_takes_a_range_of_pythons(python, fits):
    assert candidates("emr-7.11.0")[0].takes_python(python) is fits


def test_java_8_is_not_on_the_package_index():
    assert java_package(17)
    assert java_package(8) is None
