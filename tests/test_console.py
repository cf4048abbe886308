from __future__ import annotations

import pytest

from airflow_provider_emrkit.console import object_link, stream_link


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "https://eu-west-1.console.aws.amazon.com/"),
        ("cn-north-1", "https://cn-north-1.console.amazonaws.cn/"),
        ("us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com/"),
    ],
)
def test_every_partition_has_a_console_of_its_own(region, host):
    assert stream_link(region, "/emr", "s").startswith(host)
    assert object_link(region, "logs", "k").startswith(host)


def test_a_hostile_name_can_not_leave_its_place_in_a_link():
    assert stream_link("eu-west-1", "/g", "a/b?x=1#<script>").endswith(
        "/log-events/a$252Fb$253Fx$253D1$2523$253Cscript$253E"
    )
    assert object_link("eu-west-1", "logs", "a b&region=x").endswith("&prefix=a%20b%26region%3Dx")
