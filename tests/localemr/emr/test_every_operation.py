"""Every operation of EMR's service model over HTTP: an answer that fits the model, or an AWS error."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from botocore.model import ListShape, MapShape, StringShape, StructureShape
from model_problems import problems

from airflow_provider_emrkit.localemr.aws_json import AwsJson
from airflow_provider_emrkit.localemr.emr.service import OPERATIONS

WIRE = AwsJson("emr")
SUPPORTED = set(OPERATIONS)
NOT_SUPPORTED = {
    "DescribeNotebookExecution",
    "GetSession",
    "GetSessionEndpoint",
    "ListNotebookExecutions",
    "ListSessions",
    "StartNotebookExecution",
    "StartSession",
    "StopNotebookExecution",
    "TerminateSession",
}
STEP = {"Name": "first", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]}}
GROUP = {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 1}
FLEET = {"TargetOnDemandCapacity": 1, "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}]}
EBS = {"EbsBlockDeviceConfigs": [{"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": 32}}]}
SCALING = {
    "Constraints": {"MinCapacity": 1, "MaxCapacity": 5},
    "Rules": [
        {
            "Name": "out",
            "Action": {"SimpleScalingPolicyConfiguration": {"ScalingAdjustment": 1}},
            "Trigger": {
                "CloudWatchAlarmDefinition": {
                    "ComparisonOperator": "LESS_THAN",
                    "MetricName": "YARNMemoryAvailablePercentage",
                    "Period": 300,
                    "Threshold": 15.5,
                    "Dimensions": [{"Key": "JobFlowId", "Value": "${emr.clusterId}"}],
                }
            },
        }
    ],
}
STUDIO = {
    "Name": "studio",
    "AuthMode": "SSO",
    "VpcId": "vpc-1",
    "SubnetIds": ["subnet-1"],
    "ServiceRole": "role",
    "UserRole": "user",
    "WorkspaceSecurityGroupId": "sg-1",
    "EngineSecurityGroupId": "sg-2",
    "DefaultS3Location": "s3://studio/home",
    "Tags": [{"Key": "team", "Value": "data"}],
}
LIMITS = {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 5}
ROLE = "arn:aws:iam::123456789012:role/job"
SECURITY = {"AuthorizationConfiguration": {"IAMConfiguration": {"EnableApplicationScopedIAMRole": True}}}


def minimal(shape):
    """Give the smallest value that a model accepts."""
    if isinstance(shape, StructureShape):
        return {name: minimal(shape.members[name]) for name in shape.required_members}
    if isinstance(shape, ListShape):
        return [minimal(shape.member)]
    if isinstance(shape, MapShape):
        return {}
    if isinstance(shape, StringShape):
        return shape.enum[0] if shape.enum else "x"
    return {"boolean": True, "timestamp": 1_700_000_000, "double": 1.5, "float": 1.5}.get(shape.type_name, 1)


class Wire:
    """Sends requests as botocore does, and reads the answers as they are."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: set[str] = set()

    def send(self, operation, params):
        """Return the status, the content type and the JSON of an answer."""
        scope = "Credential=localemr/20260101/us-east-1/elasticmapreduce/aws4_request"
        request = urllib.request.Request(
            self.url,
            json.dumps(params).encode(),
            {
                "X-Amz-Target": f"ElasticMapReduce.{operation}",
                "Content-Type": "application/x-amz-json-1.1",
                "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=none",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers["Content-Type"], json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"], json.load(error)

    def __call__(self, operation, **params):
        """Send a request that must succeed with an answer that fits the model."""
        status, _, answer = self.send(operation, params)
        assert status == 200, (operation, answer)
        output = WIRE.operation(operation).output_shape
        found = list(problems(output, answer)) if output is not None else []
        assert found == [], operation
        self.seen.add(operation)
        return answer


@pytest.fixture
def wire(localemr_server):
    return Wire(localemr_server.endpoint_url)


def test_what_is_not_supported_is_known():
    assert set(WIRE.model.operation_names) - SUPPORTED == NOT_SUPPORTED


@pytest.mark.parametrize("operation", WIRE.model.operation_names)
def test_minimal_parameters_get_an_answer_or_an_aws_error(wire, operation):
    shape = WIRE.operation(operation).input_shape
    status, content_type, answer = wire.send(operation, minimal(shape))
    assert content_type == "application/x-amz-json-1.1"
    assert status in (200, 400)
    if status == 400:
        assert answer["__type"] in (
            "InvalidRequestException",
            "ValidationException",
            "UnsupportedOperationException",
        )
        assert answer["Message"]
    assert (answer.get("__type") == "UnsupportedOperationException") == (operation in NOT_SUPPORTED)
    assert (operation in answer.get("Message", "")) == (operation in NOT_SUPPORTED)


@pytest.mark.parametrize("operation", WIRE.model.operation_names)
def test_parameters_of_a_wrong_type_are_an_aws_error(wire, operation):
    shape = WIRE.operation(operation).input_shape
    if not shape.members:
        pytest.skip("it has no parameters")
    status, _, answer = wire.send(operation, dict.fromkeys(shape.members, 1.5))
    assert status == 400
    assert answer["__type"] in (
        "ValidationException",
        "SerializationException",
        "UnsupportedOperationException",
    )


def test_every_successful_answer_fits_the_model(localemr_server, wire):
    localemr_server.runner.script("fails", fails="ValueError: no")
    cluster = cluster_with_everything(localemr_server, wire)
    changes_of_a_cluster(wire, cluster)
    descriptions_of_a_cluster(wire, cluster)
    fleets(localemr_server, wire)
    account(wire)
    wire("SetTerminationProtection", JobFlowIds=[cluster], TerminationProtected=False)
    wire("TerminateJobFlows", JobFlowIds=[cluster])
    localemr_server.wait_cluster(cluster, "TERMINATED")
    descriptions_of_a_cluster(wire, cluster)
    assert wire.seen == SUPPORTED


def cluster_with_everything(localemr_server, wire):
    localemr_server.client("s3").create_bucket(Bucket="logs")
    wire("CreateSecurityConfiguration", Name="roles", SecurityConfiguration=json.dumps(SECURITY))
    groups = [
        {**GROUP, "InstanceRole": "MASTER"},
        {**GROUP, "InstanceRole": "CORE", "InstanceCount": 2, "EbsConfiguration": EBS},
        {**GROUP, "Market": "SPOT", "BidPrice": "0.1", "AutoScalingPolicy": SCALING},
    ]
    cluster = wire(
        "RunJobFlow",
        Name="everything",
        ReleaseLabel="emr-7.11.0",
        LogUri="s3://logs/x",
        JobFlowRole="EMR_EC2_DefaultRole",
        ServiceRole="EMR_DefaultRole",
        AutoScalingRole="EMR_AutoScaling_DefaultRole",
        SecurityConfiguration="roles",
        Applications=[{"Name": "Spark"}],
        BootstrapActions=[
            {"Name": "one", "ScriptBootstrapAction": {"Path": "s3://code/a.sh", "Args": ["x"]}}
        ],
        Configurations=[{"Classification": "spark-defaults", "Properties": {"a": "b"}, "Configurations": []}],
        KerberosAttributes={"Realm": "EC2.INTERNAL", "KdcAdminPassword": "secret"},
        CustomAmiId="ami-0123456789abcdef0",
        EbsRootVolumeSize=20,
        EbsRootVolumeIops=3000,
        EbsRootVolumeThroughput=125,
        ScaleDownBehavior="TERMINATE_AT_TASK_COMPLETION",
        RepoUpgradeOnBoot="NONE",
        Tags=[{"Key": "a", "Value": "b"}],
        AutoTerminationPolicy={"IdleTimeout": 3600},
        Steps=[STEP],
        StepExecutionRoleArn=ROLE,
        Instances={
            "InstanceGroups": groups,
            "KeepJobFlowAliveWhenNoSteps": True,
            "Ec2KeyName": "key",
            "Ec2SubnetId": "subnet-1",
            "EmrManagedMasterSecurityGroup": "sg-1",
            "AdditionalMasterSecurityGroups": ["sg-2"],
        },
    )["JobFlowId"]
    localemr_server.wait_cluster(cluster, "WAITING")
    (failing,) = wire(
        "AddJobFlowSteps",
        JobFlowId=cluster,
        ExecutionRoleArn=ROLE,
        Steps=[{**STEP, "Name": "fails", "ActionOnFailure": "CONTINUE"}],
    )["StepIds"]
    localemr_server.wait_step(cluster, failing, "FAILED")
    wire("DescribeStep", ClusterId=cluster, StepId=failing)
    wire("CancelSteps", ClusterId=cluster, StepIds=[failing])
    return cluster


def changes_of_a_cluster(wire, cluster):
    flows = {"JobFlowIds": [cluster]}
    (group,) = wire("AddInstanceGroups", JobFlowId=cluster, InstanceGroups=[GROUP])["InstanceGroupIds"]
    change = {"InstanceGroupId": group, "InstanceCount": 3, "ShrinkPolicy": {"DecommissionTimeout": 5}}
    wire("ModifyInstanceGroups", ClusterId=cluster, InstanceGroups=[change])
    wire("PutAutoScalingPolicy", ClusterId=cluster, InstanceGroupId=group, AutoScalingPolicy=SCALING)
    wire("ListInstanceGroups", ClusterId=cluster)
    wire("AddTags", ResourceId=cluster, Tags=[{"Key": "c", "Value": "d"}])
    wire("RemoveTags", ResourceId=cluster, TagKeys=["c"])
    wire("ModifyCluster", ClusterId=cluster, StepConcurrencyLevel=2)
    wire("SetKeepJobFlowAliveWhenNoSteps", **flows, KeepJobFlowAliveWhenNoSteps=True)
    wire("SetTerminationProtection", **flows, TerminationProtected=True)
    wire("SetUnhealthyNodeReplacement", **flows, UnhealthyNodeReplacement=True)
    wire("SetVisibleToAllUsers", **flows, VisibleToAllUsers=True)
    wire("PutAutoTerminationPolicy", ClusterId=cluster, AutoTerminationPolicy={"IdleTimeout": 60})
    for record in wire("ListInstanceGroups", ClusterId=cluster)["InstanceGroups"]:
        wire("RemoveAutoScalingPolicy", ClusterId=cluster, InstanceGroupId=record["Id"])
    wire("PutManagedScalingPolicy", ClusterId=cluster, ManagedScalingPolicy={"ComputeLimits": LIMITS})
    wire("GetManagedScalingPolicy", ClusterId=cluster)
    wire("RemoveManagedScalingPolicy", ClusterId=cluster)
    wire("GetAutoTerminationPolicy", ClusterId=cluster)
    wire("RemoveAutoTerminationPolicy", ClusterId=cluster)
    wire("GetClusterSessionCredentials", ClusterId=cluster, ExecutionRoleArn=ROLE)
    wire("GetOnClusterAppUIPresignedURL", ClusterId=cluster, ApplicationId="application_1_0001")


def descriptions_of_a_cluster(wire, cluster):
    described = wire("DescribeCluster", ClusterId=cluster)["Cluster"]
    wire("ListClusters")
    wire("ListSteps", ClusterId=cluster)
    wire("ListInstanceGroups", ClusterId=cluster)
    wire("ListInstances", ClusterId=cluster)
    wire("ListBootstrapActions", ClusterId=cluster)
    (flow,) = wire("DescribeJobFlows", JobFlowIds=[cluster])["JobFlows"]
    assert len(flow["Steps"]) == 2
    page = wire("CreatePersistentAppUI", TargetResourceArn=described["ClusterArn"])["PersistentAppUIId"]
    wire("DescribePersistentAppUI", PersistentAppUIId=page)
    assert wire("GetPersistentAppUIPresignedURL", PersistentAppUIId=page)["PresignedURLReady"]


def fleets(localemr_server, wire):
    instances = {
        "InstanceFleets": [{**FLEET, "InstanceFleetType": role} for role in ("MASTER", "CORE")],
        "KeepJobFlowAliveWhenNoSteps": True,
    }
    cluster = localemr_server.run_cluster(Instances=instances)
    localemr_server.wait_cluster(cluster, "WAITING")
    added = {**FLEET, "InstanceFleetType": "TASK"}
    fleet = wire("AddInstanceFleet", ClusterId=cluster, InstanceFleet=added)["InstanceFleetId"]
    change = {"InstanceFleetId": fleet, "TargetSpotCapacity": 3}
    wire("ModifyInstanceFleet", ClusterId=cluster, InstanceFleet=change)
    wire("ListInstanceFleets", ClusterId=cluster)
    wire("DescribeJobFlows", JobFlowIds=[cluster])


def account(wire):
    wire("DescribeSecurityConfiguration", Name="roles")
    wire("ListSecurityConfigurations")
    wire("DeleteSecurityConfiguration", Name="roles")
    wire("ListReleaseLabels", Filters={"Prefix": "emr-7"})
    wire("DescribeReleaseLabel", ReleaseLabel="emr-7.11.0")
    wire("ListSupportedInstanceTypes", ReleaseLabel="emr-7.11.0")
    wire("GetBlockPublicAccessConfiguration")
    ports = {"BlockPublicSecurityGroupRules": True, "PermittedPublicSecurityGroupRuleRanges": []}
    wire("PutBlockPublicAccessConfiguration", BlockPublicAccessConfiguration=ports)
    wire("GetBlockPublicAccessConfiguration")
    studio = wire("CreateStudio", **STUDIO)["StudioId"]
    who = {"StudioId": studio, "IdentityName": "ada", "IdentityType": "USER"}
    policy = {"SessionPolicyArn": "arn:aws:iam::123456789012:policy/x"}
    wire("CreateStudioSessionMapping", **who, **policy)
    wire("UpdateStudioSessionMapping", **who, **policy)
    wire("GetStudioSessionMapping", **who)
    wire("ListStudioSessionMappings", StudioId=studio)
    wire("DeleteStudioSessionMapping", **who)
    wire("UpdateStudio", StudioId=studio, Description="new")
    wire("DescribeStudio", StudioId=studio)
    wire("ListStudios")
    wire("DeleteStudio", StudioId=studio)
