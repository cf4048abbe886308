from __future__ import annotations

import json
import re

import pytest

from airflow_provider_emrkit.compute.instances import EbsVolumes, InstanceRole
from airflow_provider_emrkit.compute.sizes import OWN_SIZES, SIZES, ClusterSize, load_sizes
from airflow_provider_emrkit.validation import InvalidValueError

ONE = {"types": ["m5.xlarge"]}


def written(tmp_path, content) -> str:
    file = tmp_path / "sizes.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(file)


def test_the_sizes_are_these():
    assert list(SIZES) == ["tiny", "small", "medium", "large", "xlarge"]


def test_each_size_is_bigger_than_the_one_before():
    instances = [size.core.count + size.task_count for size in SIZES.values()]
    assert instances == sorted(set(instances))


@pytest.mark.parametrize("name", SIZES)
def test_what_must_not_be_lost_is_on_demand_and_the_rest_is_spot(name):
    size = SIZES[name]
    assert (size.primary.count, size.primary.is_spot, size.core.is_spot) == (1, False, False)
    assert size.task is None or size.task.is_spot


@pytest.mark.parametrize("name", SIZES)
def test_a_role_offers_at_least_five_types_of_one_size(name):
    for role in (SIZES[name].primary, SIZES[name].core, SIZES[name].task):
        if role:
            assert len(role.types) >= 5
            assert len({instance.split(".")[1] for instance in role.types}) == 1
            # General purpose, x86: the same cores and 4 GiB for each.
            assert all(re.fullmatch(r"m5[adn]*", instance.split(".")[0]) for instance in role.types)


def test_a_size_of_ones_own_is_read_from_json(tmp_path):
    task = {
        "types": ["r5.xlarge"],
        "count": 9,
        "market": "spot",
        "bid_percent": 70,
        "ebs": {"size_gib": 64, "count": 2},
    }
    sizes = load_sizes(
        written(tmp_path, {"huge": {"primary": ONE, "core": {**ONE, "count": 3}, "task": task}})
    )
    assert sizes == {
        "huge": ClusterSize(
            InstanceRole(["m5.xlarge"]),
            InstanceRole(["m5.xlarge"], count=3),
            InstanceRole(["r5.xlarge"], count=9, market="spot", bid_percent=70, ebs=EbsVolumes(64, count=2)),
        )
    }


def test_the_packages_own_file_has_the_documented_shape():
    assert load_sizes(OWN_SIZES) == SIZES


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "load_sizes.path: {path!r} is not JSON: Expecting property name"),
        ([], "sizes.json.the file: [] is of type list; write an object: names with"),
        ({"x": []}, "sizes.json.x: [] is of type list; write an object: names with"),
        ({"x": {"primary": ONE}}, "sizes.json.x: 'core' is missing; add it"),
        (
            {"x": {"primary": ONE, "core": ONE, "worker": ONE}},
            "'worker' is not known; use one of primary, core, task",
        ),
        ({"x": {"primary": ONE, "core": {"count": 1}}}, "sizes.json.x.core: 'types' is missing; add it"),
        (
            {"x": {"primary": ONE, "core": {**ONE, "cuont": 1}}},
            "sizes.json.x.core: 'cuont' is not known; use one of types",
        ),
        (
            {"x": {"primary": ONE, "core": {**ONE, "count": "2"}}},
            "sizes.json.x.core.count: '2' is of type str",
        ),
        ({"x": {"primary": ONE, "core": {**ONE, "ebs": {}}}}, "sizes.json.x.core.ebs: 'size_gib' is missing"),
        ({"x": {"primary": ONE, "core": {**ONE, "ebs": 4}}}, "sizes.json.x.core.ebs: 4 is of type int"),
        (
            {"x": {"primary": {**ONE, "count": 2}, "core": ONE}},
            "sizes.json.x.primary: 2 instances can't be; use count=1",
        ),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_place(tmp_path, content, message):
    path = written(tmp_path, content)
    with pytest.raises(InvalidValueError) as caught:
        load_sizes(path)
    assert (
        message.format(path=path) in str(caught.value) if "{path" in message else message in str(caught.value)
    )


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_sizes(tmp_path / "none.json")


def test_task_nodes_need_core_nodes():
    role = InstanceRole(["m5.xlarge"])
    with pytest.raises(InvalidValueError, match=r"ClusterSize.task: .* can't work without core nodes"):
        ClusterSize(role, InstanceRole(["m5.xlarge"], count=0), role)
