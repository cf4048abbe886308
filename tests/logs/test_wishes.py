from __future__ import annotations

import pytest

from airflow_provider_emrkit.logs.wishes import LogStream, LogWishes
from airflow_provider_emrkit.templating import map_strings
from airflow_provider_emrkit.validation import InvalidValueError


@pytest.mark.parametrize(
    ("group", "stream"),
    [
        ("/team/sales", "driver"),
        ("a.b-c_d/e#F1", "driver-*"),
        ("/team/{{ var.value.team }}", "driver: {{ ds }}"),
        ("/team", "run=manual__2026-11-28T12/with blanks"),
    ],
)
def test_what_cloudwatch_takes_is_taken(group, stream):
    assert LogStream(group, stream).stream == stream


@pytest.mark.parametrize(
    ("group", "stream", "field", "problem"),
    [
        ("/team sales", "driver", "group", "is not well formed"),
        ("", "driver", "group", "is empty"),
        ("/team", "", "stream", "is empty"),
        ("/team", "a:b", "stream", "is not well formed"),
        ("/team", "*", "stream", "is not well formed"),
        ("/team", "a*b", "stream", "is not well formed"),
        ("/team", "x" * 513, "stream", "is longer than 512 characters"),
        ("/team", None, "stream", "is of type NoneType"),
    ],
)
def test_what_it_does_not_take_is_refused_when_the_dag_is_parsed(group, stream, field, problem):
    with pytest.raises(InvalidValueError, match=problem) as raised:
        LogStream(group, stream)
    assert (raised.value.owner, raised.value.field) == ("LogStream", field)


def test_a_rendered_stream_is_judged_again():
    with pytest.raises(InvalidValueError, match="is not well formed"):
        map_strings(LogStream("/team", "driver-{{ ts }}"), lambda text: text.replace("{{ ts }}", "12:00"))


def test_a_stream_that_is_named_twice_is_read_once():
    stream = LogStream("/team", "driver")
    wishes = LogWishes.of(executor_logs=False, log_streams=[stream, stream])
    assert wishes.streams == (("/team", "driver"),)
