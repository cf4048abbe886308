"""The programs that every EMR machine has."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.localemr.run.programs import absence, name_here


@pytest.mark.parametrize(
    ("program", "here"),
    [
        ("/usr/bin/spark-submit", "spark-submit"),
        ("/usr/lib/spark/bin/spark-sql", "spark-sql"),
        ("/usr/bin/hadoop", "hadoop"),
        ("/usr/bin/hive", "hive"),
        ("/usr/bin/env", "/usr/bin/env"),
        ("/home/hadoop/spark-submit", "/home/hadoop/spark-submit"),
        ("spark-submit", "spark-submit"),
    ],
)
def test_a_program_is_found_wherever_emr_has_it(program, here):
    assert name_here(program) == here


def test_what_is_not_here_is_said_with_what_to_use():
    assert absence("hive") == (
        "hive: Hive is not part of localemr, which runs Spark; use spark-sql -e or spark-sql -f, "
        "which take most of its SQL."
    )
    assert absence("spark-submit") is None
