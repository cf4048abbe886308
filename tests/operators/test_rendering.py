"""What Jinja makes of the texts inside of a job, in a DAG of either sort of rendering."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from airflow_provider_emrkit import EmrSparkOperator, ServerlessApplication, SparkJob
from airflow_provider_emrkit._compat import AIRFLOW_V_3_0_PLUS

if AIRFLOW_V_3_0_PLUS:
    from airflow.sdk import DAG
else:
    from airflow import DAG

ROLE = "arn:aws:iam::123456789012:role/job"
# Python reads each of them as something else than the text it is.
TEXTS = ['{"a": 1}', "['x']", "1e5", "0012", "1_000", "'x'", "None", "", "\n", "a\n", "line\n\n", " a "]


def rendered(native: bool, *texts: str, **context: Any) -> SparkJob:
    """Give the job as a task of such a DAG submits it, with the texts everywhere a job has texts."""
    with DAG(
        "sales",
        start_date=datetime(2026, 1, 1),
        schedule=None,
        render_template_as_native_obj=native,
        user_defined_macros={"half": lambda number: number / 2},
    ):
        operator = EmrSparkOperator(
            task_id="load",
            job=SparkJob(
                "s3://code/load.py",
                args=texts,
                conf={f"spark.text.{number}": text for number, text in enumerate(texts)},
                env={f"TEXT_{number}": text for number, text in enumerate(texts)},
            ),
            compute=ServerlessApplication("00abc", execution_role_arn=ROLE),
        )
    operator.render_template_fields(context)
    return operator.job


pytestmark = pytest.mark.parametrize("native", [False, True], ids=["texts", "native objects"])


def test_what_has_no_template_is_as_it_is_written(native):
    job = rendered(native, *TEXTS)
    assert list(job.args) == TEXTS
    assert list(job.conf.values()) == TEXTS
    assert list(job.env.values()) == TEXTS


def test_a_template_gives_the_text_of_its_value(native):
    context = {"number": 5, "text": '{"day": "x"}', "nothing": "", "lines": "a\n", "ds": "2026-11-30"}
    templates = [f"{{{{ {name} }}}}" for name in context]
    assert list(rendered(native, *templates, **context).args) == ["5", *map(str, list(context.values())[1:])]


def test_the_dag_s_macros_and_filters_are_known(native):
    day = datetime(2026, 11, 30)
    assert rendered(native, "{{ day | ds_nodash }} {{ half(5) }}", day=day).args == ("20261130 2.5",)
