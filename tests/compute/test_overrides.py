from __future__ import annotations

import re

import pytest

from airflow_provider_emrkit.compute.overrides import (
    APPLICATION_MEMBERS,
    RUN_JOB_FLOW_MEMBERS,
    checked_application_overrides,
    checked_overrides,
    merged,
)
from airflow_provider_emrkit.frozen import freeze
from airflow_provider_emrkit.validation import InvalidValueError


def test_the_known_members_are_those_of_the_service_model():
    import botocore
    from botocore.session import Session
    from packaging.version import Version

    shape = Session().get_service_model("emr").operation_model("RunJobFlow").input_shape
    assert set(shape.members) <= RUN_JOB_FLOW_MEMBERS
    if Version(botocore.__version__) >= Version("1.43.117"):  # earlier ones had not heard of all of them
        assert set(shape.members) == RUN_JOB_FLOW_MEMBERS


def test_the_members_of_an_application_are_those_that_both_requests_have():
    from botocore.session import Session

    model = Session().get_service_model("emr-serverless")
    creation, update = (
        set(model.operation_model(name).input_shape.members)
        for name in ("CreateApplication", "UpdateApplication")
    )
    assert creation & update - {"clientToken"} <= APPLICATION_MEMBERS
    if "jobLevelCostAllocationConfiguration" in creation:  # earlier ones had not heard of all of them
        assert creation & update - {"clientToken"} == APPLICATION_MEMBERS


@pytest.mark.parametrize("member", ["applicationId", "clientToken", "name", "releaseLabel", "tags", "type"])
def test_what_emrkit_itself_says_of_an_application_is_not_overridden(member):
    with pytest.raises(InvalidValueError, match=re.escape(f"X.overrides: {member!r} belongs to emrkit; ")):
        checked_application_overrides("X", "overrides", {member: "x"})
    with pytest.raises(InvalidValueError, match=r"'Name' is not known; use a member of CreateApplication's"):
        checked_application_overrides("X", "overrides", {"Name": "x"})


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"Instance": {}},
            "ClusterSpec.overrides: 'Instance' is not known; use a member of RunJobFlow's request",
        ),
        (
            {"Name": "x"},
            "ClusterSpec.overrides: 'Name' belongs to emrkit; emrkit finds its clusters by their names",
        ),
        ({"Steps": []}, "'Steps' belongs to emrkit"),
        ({"Tags": []}, "'Tags' belongs to emrkit; use ClusterSpec.tags"),
        ({"ReleaseLabel": "x"}, "'ReleaseLabel' belongs to emrkit; use ClusterSpec.release_label"),
        (
            {"Instances": {"KeepJobFlowAliveWhenNoSteps": True}},
            "'Instances.KeepJobFlowAliveWhenNoSteps' belongs to emrkit; leave it out",
        ),
        ([], "ClusterSpec.overrides: [] is of type list; pass a dict"),
    ],
)
def test_overrides_that_are_refused(overrides, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        checked_overrides("ClusterSpec", "overrides", overrides)


def test_mappings_are_merged_and_lists_replaced():
    request = {"Instances": {"Ec2KeyName": "a", "Ec2SubnetIds": ["s1", "s2"]}, "LogUri": "s3://a/"}
    overrides = freeze(
        {"Instances": {"Ec2SubnetIds": ["s3"], "Placement": {"AvailabilityZone": "z"}}, "New": {"a": 1}}
    )
    assert merged(request, overrides) == {
        "Instances": {"Ec2KeyName": "a", "Ec2SubnetIds": ["s3"], "Placement": {"AvailabilityZone": "z"}},
        "LogUri": "s3://a/",
        "New": {"a": 1},
    }


def test_none_removes_a_member():
    assert merged({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": None}, "x": None}) == {
        "b": {"d": 3}
    }


def test_the_request_itself_is_not_changed():
    request = {"a": {"b": 1}}
    merged(request, {"a": {"b": 2}})
    assert request == {"a": {"b": 1}}
