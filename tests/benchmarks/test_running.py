from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.running import environ, in_order
from benchmarks.scenarios import EMRKIT, FULL, PEERS, SENSOR

if TYPE_CHECKING:
    from pathlib import Path


def named(groups: object) -> list[list[tuple[str, str]]]:
    return [[(scenario.name, name) for scenario, name in group] for group in groups]  # type: ignore[attr-defined]


def test_loads_that_need_the_processor_are_measured_one_after_another() -> None:
    groups = named(in_order(FULL, (EMRKIT, *PEERS)))
    alone = [group[0] for group in groups if len(group) == 1]
    assert ("steps-1000", SENSOR) in alone
    assert ("steps-10000", EMRKIT) in alone


def test_nobody_is_measured_beside_another_contestant() -> None:
    for group in named(in_order(FULL, (EMRKIT, *PEERS))):
        assert len({contestant for _, contestant in group}) == 1


def test_everything_is_measured_once() -> None:
    measured = [one for group in named(in_order(FULL, (EMRKIT, *PEERS))) for one in group]
    assert sorted(measured) == sorted((one.name, who) for one in FULL for who in one.contestants)


def test_those_who_do_not_take_part_are_left_out() -> None:
    measured = [one for group in named(in_order(FULL, (EMRKIT,))) for one in group]
    assert {contestant for _, contestant in measured} == {EMRKIT}


def test_the_users_airflow_aws_account_and_proxy_do_not_matter(tmp_path: Path) -> None:
    user = {
        "PATH": "/bin",
        "AIRFLOW__CORE__FERNET_KEY": "theirs",
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        "AWS_PROFILE": "production",
        "HTTPS_PROXY": "http://proxy",
        "PYTHONPATH": "/elsewhere",
    }
    ours = environ(user, tmp_path)
    assert ours["PATH"] == "/bin"
    assert ours["AIRFLOW__CORE__FERNET_KEY"] != "theirs"
    assert not {"AIRFLOW_CONN_AWS_DEFAULT", "AWS_PROFILE", "HTTPS_PROXY", "PYTHONPATH"} & set(ours)
