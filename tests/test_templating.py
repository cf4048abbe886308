from __future__ import annotations

import pytest

from airflow_provider_emrkit import BootstrapAction, ClusterSpec, DynamicCluster, InvalidValueError, SparkJob
from airflow_provider_emrkit.templating import is_template, map_strings


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{{ ds }}", True),
        ("{% if x %}", True),
        ("{ds}", False),
        ("", False),
        (None, False),
        (["{{ ds }}"], False),
    ],
)
def test_a_template_is_seen(value, expected):
    assert is_template(value) is expected


def render(text: str) -> str:
    return text.replace("{{ x }}", "7")


def test_every_string_of_a_spec_is_mapped_however_deep():
    cluster = DynamicCluster(
        ClusterSpec(
            "emr-{{ x }}.11.0",
            tags={"key-{{ x }}": "value-{{ x }}"},
            configurations={"spark-{{ x }}": {"a.{{ x }}": "b-{{ x }}"}},
            bootstrap_actions=[BootstrapAction("s3://b/{{ x }}.sh", args=["{{ x }}"])],
            overrides={"Instances": {"Placement": {"AvailabilityZone": "zone-{{ x }}"}}},
        ),
        name="n-{{ x }}",
    )
    rendered = map_strings(cluster, render)
    assert "{{" not in repr(rendered)
    assert rendered.name == "n-7"
    assert rendered.spec.release_label == "emr-7.11.0"
    assert rendered.spec.tags == {"key-7": "value-7"}
    assert rendered.spec.configurations[0]["Properties"] == {"a.7": "b-7"}
    assert rendered.spec.bootstrap_actions[0].args == ("7",)
    assert rendered.spec.overrides["Instances"]["Placement"]["AvailabilityZone"] == "zone-7"


def test_numbers_and_switches_stay():
    spec = ClusterSpec("emr-7.{{ x }}.0", step_concurrency=3, termination_protected=True)
    assert map_strings(spec, render).step_concurrency == 3


def test_what_was_rendered_is_checked():
    with pytest.raises(InvalidValueError, match=r"SparkJob.entry_point: 'jobs/a.txt' is neither"):
        map_strings(SparkJob("{{ path }}"), lambda text: text.replace("{{ path }}", "jobs/a.txt"))


def test_a_spec_without_templates_is_given_back_as_it_is():
    job = SparkJob("jobs/a.py", args=["x"])
    assert map_strings(job, render) is job


def test_keys_that_become_the_same_are_an_error():
    with pytest.raises(ValueError, match="two keys became 'A7' when they were rendered"):
        map_strings(SparkJob("a.py", env={"A{{ x }}": "1", "A7": "2"}), render)


def test_plain_data_is_mapped_too():
    assert map_strings(["{{ x }}", ("{{ x }}", 1), {"{{ x }}": None}], render) == ["7", ("7", 1), {"7": None}]
