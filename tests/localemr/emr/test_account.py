"""What an account has besides clusters, and the pages of applications."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from airflow_provider_emrkit.localemr.spark_page import spark_page_url

ROLE = "arn:aws:iam::123456789012:role/job"
ROLES = {"AuthorizationConfiguration": {"IAMConfiguration": {"EnableApplicationScopedIAMRole": True}}}
STEP = {"Name": "first", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]}}
STUDIO = {
    "Name": "studio",
    "AuthMode": "IAM",
    "VpcId": "vpc-1",
    "SubnetIds": ["subnet-1"],
    "ServiceRole": "role",
    "WorkspaceSecurityGroupId": "sg-1",
    "EngineSecurityGroupId": "sg-2",
    "DefaultS3Location": "s3://studio/home",
    "Tags": [{"Key": "team", "Value": "data"}],
}


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    assert error["Code"] in ("InvalidRequestException", "ValidationException")
    return error["Message"]


def persistent_ui(localemr_server, cluster_id):
    emr = localemr_server.client("emr")
    arn = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["ClusterArn"]
    return emr.create_persistent_app_ui(TargetResourceArn=arn)["PersistentAppUIId"]


def test_a_persistent_ui_outlives_its_cluster(localemr_server):
    emr = localemr_server.client("emr")
    cluster_id = localemr_server.run_cluster()
    ui = persistent_ui(localemr_server, cluster_id)
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    localemr_server.wait_cluster(cluster_id, "TERMINATED")
    assert persistent_ui(localemr_server, cluster_id) == ui
    found = emr.describe_persistent_app_ui(PersistentAppUIId=ui)["PersistentAppUI"]
    # SageMaker's and others' clients wait for this status.
    assert (found["PersistentAppUIStatus"], found["PersistentAppUITypeList"]) == ("ATTACHED", ["SHS"])
    answer = emr.get_persistent_app_ui_presigned_url(
        PersistentAppUIId=ui, PersistentAppUIType="SHS", ApplicationId="application_1_0001"
    )
    # Not the history server's own address, which is another one each time that it starts.
    assert answer["PresignedURL"] == spark_page_url(localemr_server.endpoint_url, "application_1_0001")
    assert answer["PresignedURLReady"] is True
    everything = emr.get_persistent_app_ui_presigned_url(PersistentAppUIId=ui)["PresignedURL"]
    assert everything == spark_page_url(localemr_server.endpoint_url, None)


def test_a_ui_on_the_cluster_needs_the_cluster(localemr_server):
    emr = localemr_server.client("emr")
    cluster_id = localemr_server.run_cluster()
    localemr_server.wait_cluster(cluster_id, "WAITING")
    answer = emr.get_on_cluster_app_ui_presigned_url(
        ClusterId=cluster_id, OnClusterAppUIType="ApplicationMaster", ApplicationId="application_1_0001"
    )
    assert answer["PresignedURL"] == spark_page_url(localemr_server.endpoint_url, "application_1_0001")
    assert emr.get_on_cluster_app_ui_presigned_url(ClusterId=cluster_id, DryRun=True)["PresignedURLReady"]
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    localemr_server.wait_cluster(cluster_id, "TERMINATED")
    refused = refusal(emr.get_on_cluster_app_ui_presigned_url, ClusterId=cluster_id)
    assert "TERMINATED" in refused


def test_pages_that_cannot_be_shown_say_why(localemr_server):
    emr = localemr_server.client("emr")
    cluster_id = localemr_server.run_cluster()
    localemr_server.wait_cluster(cluster_id, "WAITING")
    ui = persistent_ui(localemr_server, cluster_id)
    on_cluster, persistent = emr.get_on_cluster_app_ui_presigned_url, emr.get_persistent_app_ui_presigned_url
    assert "TezUI" in refusal(on_cluster, ClusterId=cluster_id, OnClusterAppUIType="TezUI")
    assert "YTS" in refusal(persistent, PersistentAppUIId=ui, PersistentAppUIType="YTS")
    assert "'p-NONE' is not valid" in refusal(persistent, PersistentAppUIId="p-NONE")
    assert "'../x' is not valid" in refusal(on_cluster, ClusterId=cluster_id, ApplicationId="../x")
    assert "'../x' is not valid" in refusal(persistent, PersistentAppUIId=ui, ApplicationId="../x")


def test_a_persistent_ui_is_for_a_cluster_of_the_region(localemr_server):
    emr = localemr_server.client("emr")
    cluster_id = localemr_server.run_cluster()
    for arn in (
        "arn:aws:elasticmapreduce:us-east-1:123456789012:cluster/j-NOTTHERE",
        f"arn:aws:elasticmapreduce:eu-west-1:123456789012:cluster/{cluster_id}",
        "arn:aws:emr-containers:us-east-1:123456789012:/virtualclusters/abc",
    ):
        assert "is not valid" in refusal(emr.create_persistent_app_ui, TargetResourceArn=arn)


@pytest.fixture
def with_roles(localemr_server):
    """A cluster whose security configuration allows runtime roles."""
    emr = localemr_server.client("emr")
    emr.create_security_configuration(Name="roles", SecurityConfiguration=json.dumps(ROLES))
    cluster_id = localemr_server.run_cluster(
        SecurityConfiguration="roles", Steps=[STEP], StepExecutionRoleArn=ROLE
    )
    localemr_server.wait_cluster(cluster_id, "WAITING")
    emr.delete_security_configuration(Name="roles")
    return cluster_id


def test_steps_have_runtime_roles_where_the_security_configuration_allows_it(localemr_server, with_roles):
    emr = localemr_server.client("emr")
    emr.add_job_flow_steps(JobFlowId=with_roles, Steps=[STEP], ExecutionRoleArn=ROLE)
    for step in emr.list_steps(ClusterId=with_roles)["Steps"]:
        assert emr.describe_step(ClusterId=with_roles, StepId=step["Id"])["Step"]["ExecutionRoleArn"] == ROLE


def test_runtime_roles_are_refused_elsewhere(localemr_server, with_roles):
    emr = localemr_server.client("emr")
    other = localemr_server.run_cluster()
    add = emr.add_job_flow_steps
    assert "not enabled" in refusal(add, JobFlowId=other, Steps=[STEP], ExecutionRoleArn=ROLE)
    assert "not enabled" in refusal(localemr_server.run_cluster, StepExecutionRoleArn=ROLE)
    assert "not the ARN" in refusal(add, JobFlowId=with_roles, Steps=[STEP], ExecutionRoleArn="x" * 20)
    emr.create_security_configuration(Name="roles", SecurityConfiguration=json.dumps(ROLES))
    old = {"SecurityConfiguration": "roles", "ReleaseLabel": "emr-6.6.0", "StepExecutionRoleArn": ROLE}
    assert "not supported by release emr-6.6.0" in refusal(localemr_server.run_cluster, **old)


def test_session_credentials_need_runtime_roles(localemr_server, with_roles):
    emr = localemr_server.client("emr")
    one, two = (
        emr.get_cluster_session_credentials(ClusterId=with_roles, ExecutionRoleArn=ROLE) for _ in range(2)
    )
    assert one["Credentials"]["UsernamePassword"] != two["Credentials"]["UsernamePassword"]
    other = localemr_server.run_cluster()
    localemr_server.wait_cluster(other, "WAITING")
    refused = refusal(emr.get_cluster_session_credentials, ClusterId=other, ExecutionRoleArn=ROLE)
    assert "not enabled" in refused


def test_a_studio_is_made_changed_and_deleted_with_its_mappings(localemr_server):
    emr = localemr_server.client("emr")
    made = emr.create_studio(**STUDIO)
    studio = made["StudioId"]
    emr.update_studio(StudioId=studio, Name="other", SubnetIds=["subnet-2"])
    found = emr.describe_studio(StudioId=studio)["Studio"]
    assert (found["Name"], found["SubnetIds"], found["Url"]) == ("other", ["subnet-2"], made["Url"])
    assert found["Tags"] == STUDIO["Tags"]
    assert [item["Name"] for item in emr.list_studios()["Studios"]] == ["other"]
    emr.add_tags(ResourceId=studio, Tags=[{"Key": "env", "Value": "dev"}])
    emr.remove_tags(ResourceId=studio, TagKeys=["team"])
    tags = emr.describe_studio(StudioId=studio)["Studio"]["Tags"]
    assert tags == [{"Key": "env", "Value": "dev"}]
    who = {"StudioId": studio, "IdentityType": "USER"}
    policy = {"SessionPolicyArn": "arn:aws:iam::123456789012:policy/one"}
    emr.create_studio_session_mapping(**who, IdentityName="ada", **policy)
    assert "already exists" in refusal(emr.create_studio_session_mapping, **who, IdentityName="ada", **policy)
    mapping = emr.get_studio_session_mapping(**who, IdentityName="ada")["SessionMapping"]
    by_id = emr.get_studio_session_mapping(**who, IdentityId=mapping["IdentityId"])["SessionMapping"]
    assert by_id == mapping
    changed = "arn:aws:iam::123456789012:policy/two"
    emr.update_studio_session_mapping(**who, IdentityName="ada", SessionPolicyArn=changed)
    (listed,) = emr.list_studio_session_mappings(StudioId=studio, IdentityType="USER")["SessionMappings"]
    assert listed["SessionPolicyArn"] == changed
    assert emr.list_studio_session_mappings(IdentityType="GROUP")["SessionMappings"] == []
    emr.delete_studio(StudioId=studio)
    assert emr.list_studio_session_mappings()["SessionMappings"] == []
    # Terraform's AWS provider looks for these words.
    assert "Studio does not exist." in refusal(emr.describe_studio, StudioId=studio)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"AuthMode": "SSO"}, "UserRole"),
        ({"SubnetIds": [f"subnet-{n}" for n in range(6)]}, "1 to 5 subnets"),
        ({"DefaultS3Location": "/home"}, "DefaultS3Location"),
        ({"Tags": [{"Key": "aws:x", "Value": ""}]}, "aws:"),
    ],
)
def test_create_studio_refuses(localemr_server, change, text):
    assert text in refusal(localemr_server.client("emr").create_studio, **{**STUDIO, **change})


def test_a_session_mapping_names_somebody_of_a_studio(localemr_server):
    emr = localemr_server.client("emr")
    studio = emr.create_studio(**STUDIO)["StudioId"]
    get = emr.get_studio_session_mapping
    assert "Either" in refusal(get, StudioId=studio, IdentityType="USER")
    nobody = {"IdentityType": "USER", "IdentityName": "nobody"}
    assert "mapping does not exist" in refusal(get, StudioId=studio, **nobody)
    assert "Studio does not exist" in refusal(get, StudioId="es-NONE", **nobody)


def test_public_access_is_blocked_but_for_ssh_until_it_is_changed(localemr_server):
    emr = localemr_server.client("emr")
    before = emr.get_block_public_access_configuration()["BlockPublicAccessConfiguration"]
    assert before["PermittedPublicSecurityGroupRuleRanges"] == [{"MinRange": 22, "MaxRange": 22}]
    change = {"BlockPublicSecurityGroupRules": False}
    emr.put_block_public_access_configuration(BlockPublicAccessConfiguration=change)
    after = emr.get_block_public_access_configuration()
    assert after["BlockPublicAccessConfiguration"] == {**change}
    other = localemr_server.client("emr", "eu-west-1").get_block_public_access_configuration()
    assert other["BlockPublicAccessConfiguration"] == before
    ports = {"BlockPublicSecurityGroupRules": True}
    ports["PermittedPublicSecurityGroupRuleRanges"] = [{"MinRange": 9, "MaxRange": 5}]
    put = emr.put_block_public_access_configuration
    assert "9 to 5" in refusal(put, BlockPublicAccessConfiguration=ports)


def test_supported_instance_types(localemr_server):
    emr = localemr_server.client("emr")

    def types(label):
        found, marker = {}, {}
        while True:
            answer = emr.list_supported_instance_types(ReleaseLabel=label, **marker)
            found |= {item["Type"]: item for item in answer["SupportedInstanceTypes"]}
            if "Marker" not in answer:
                return found
            marker = {"Marker": answer["Marker"]}

    new = types("emr-7.11.0")
    assert len(new) > 50
    assert (new["m5.xlarge"]["VCPU"], new["m5.xlarge"]["MemoryGB"]) == (4, 16.0)
    assert (new["r5d.4xlarge"]["NumberOfDisks"], new["r5d.4xlarge"]["StorageGB"]) == (2, 600)
    assert new["m6g.xlarge"]["Architecture"] == "AARCH64"
    assert "m6g.xlarge" not in types("emr-5.29.0")
    assert "release label is invalid" in refusal(emr.list_supported_instance_types, ReleaseLabel="x")


def test_what_an_account_has_survives_a_restart(localemr_server, tmp_path):
    from airflow_provider_emrkit.localemr.emr.context import Call, Emr
    from airflow_provider_emrkit.localemr.emr.journal import Journal
    from airflow_provider_emrkit.localemr.emr.service import OPERATIONS

    def emr():
        return Emr(localemr_server.runner, str, journal=Journal(tmp_path / "state.db"))

    made = OPERATIONS["CreateStudio"](emr(), Call("CreateStudio", STUDIO, "us-east-1"))
    (studio,) = OPERATIONS["ListStudios"](emr(), Call("ListStudios", {}, "us-east-1"))["Studios"]
    assert studio["StudioId"] == made["StudioId"]
