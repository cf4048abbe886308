"""Requests to EMR, made of specs: RunJobFlow and its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.configurations import with_properties
from airflow_provider_emrkit.compute.defaults import ClusterDefaults
from airflow_provider_emrkit.compute.docker_on_yarn import with_docker
from airflow_provider_emrkit.compute.instance_request import instances
from airflow_provider_emrkit.compute.overrides import merged
from airflow_provider_emrkit.compute.tags import check_tag_count
from airflow_provider_emrkit.frozen import thaw
from airflow_provider_emrkit.releases import release
from airflow_provider_emrkit.validation import InvalidValueError, check_choice, check_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_emrkit.compute.cluster_spec import ClusterSpec
    from airflow_provider_emrkit.jobs.docker_image import DockerImage

ACTIONS_ON_FAILURE = ("TERMINATE_CLUSTER", "CANCEL_AND_WAIT", "CONTINUE")
MAX_NAME = 256
# Characters of all strings of one step together (HadoopJarStepConfig).
MAX_STEP_CHARACTERS = 10_240
COMMAND_RUNNER = "command-runner.jar"
CLOUDWATCH_AGENT = "AmazonCloudWatchAgent"
EXECUTOR_LOGS = "SPARK_EXECUTOR"
DRIVERS_ON_CORE_NODES = {
    "yarn.node-labels.enabled": "true",
    "yarn.node-labels.am.default-node-label-expression": "CORE",
}


def run_job_flow_request(
    spec: ClusterSpec,
    *,
    name: str,
    defaults: ClusterDefaults | None = None,
    keep_alive: bool = False,
    tags: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    executor_logs: bool = False,
    image: DockerImage | None = None,
) -> dict[str, Any]:
    """Compile a cluster to RunJobFlow's input, without ``Steps``; see :func:`step_request`.

    :param spec: The cluster, rendered.
    :param name: The cluster's name, at most 256 characters.
    :param defaults: What the connection says, for what the spec leaves open.
    :param keep_alive: Whether the cluster waits for more steps when it has done those it was started with.
    :param tags: Tags of emrkit's own; they win over the spec's.
    :param executor_logs: Whether executors' logs go to CloudWatch too, where the cluster sends logs there.
    :param image: The image of the job it is made for, rendered, which it is to trust.
    :raises InvalidValueError: when the name is too long or there are too many tags.

    >>> from airflow_provider_emrkit.compute.cluster_spec import ClusterSpec
    >>> run_job_flow_request(ClusterSpec("emr-7.11.0", size="tiny"), name="sales")["AutoTerminationPolicy"]
    {'IdleTimeout': 3600}
    """
    defaults = defaults or ClusterDefaults()
    subnet_ids = spec.subnet_ids or defaults.subnet_ids
    request: dict[str, Any] = {
        "Name": check_text("run_job_flow_request", "name", name, maximum=MAX_NAME),
        "ReleaseLabel": spec.release_label,
        "Applications": _applications(spec),
        "Configurations": thaw(with_docker(spec, _configurations(spec), image)),
        "Instances": instances(spec, subnet_ids, keep_alive=keep_alive),
        "JobFlowRole": spec.job_flow_role or defaults.job_flow_role,
        "ServiceRole": spec.service_role or defaults.service_role,
        "BootstrapActions": _bootstrap_actions(spec),
        "Tags": _tags(spec, dict(tags)),
        "LogUri": spec.log_uri or defaults.log_uri,
        "AutoScalingRole": spec.auto_scaling_role,
        "CustomAmiId": spec.custom_ami_id,
        "EbsRootVolumeSize": spec.ebs_root_volume_size,
        "SecurityConfiguration": spec.security_configuration,
        **_by_release(spec, defaults, executor_logs=executor_logs),
    }
    request = {member: value for member, value in request.items() if value not in (None, [], {})}
    return merged(request, spec.overrides)


def step_request(name: str, argv: Sequence[str], action_on_failure: str) -> dict[str, Any]:
    """Compile a command to EMR's ``StepConfig``.

    :param name: The step's name, at most 256 characters.
    :param argv: The command and its arguments, at most 10,240 characters in all; see :func:`step_characters`.
    :param action_on_failure: ``TERMINATE_CLUSTER``, ``CANCEL_AND_WAIT`` or ``CONTINUE``.
    :raises InvalidValueError: when one of them can't be right.

    >>> step_request("sales", ["spark-submit", "s3://code/job.py"], "CONTINUE")["HadoopJarStep"]
    {'Jar': 'command-runner.jar', 'Args': ['spark-submit', 's3://code/job.py']}
    """
    owner = "step_request"
    check_text(owner, "name", name, maximum=MAX_NAME)
    check_choice(owner, "action_on_failure", action_on_failure, ACTIONS_ON_FAILURE)
    characters = step_characters(argv)
    if characters > MAX_STEP_CHARACTERS:
        problem = f"characters are more than the {MAX_STEP_CHARACTERS:,} that EMR takes for one step"
        mend = "put long arguments or properties into a file and pass its URI"
        raise InvalidValueError(owner, "argv", characters, problem, mend)
    return {
        "Name": name,
        "ActionOnFailure": action_on_failure,
        "HadoopJarStep": {"Jar": COMMAND_RUNNER, "Args": list(argv)},
    }


def step_characters(argv: Sequence[str]) -> int:
    """Count the characters of a step as EMR does, in whose Java one beyond U+FFFF counts twice.

    >>> step_characters(["spark-submit", "s3://code/job.py"])
    46
    """
    return sum(len(text.encode("utf-16-le", "surrogatepass")) // 2 for text in (COMMAND_RUNNER, *argv))


def _applications(spec: ClusterSpec) -> list[dict[str, str]]:
    names = dict.fromkeys(spec.applications)
    if spec.logs_to_cloudwatch:
        names[CLOUDWATCH_AGENT] = None
    return [{"Name": name} for name in names]


def _configurations(spec: ClusterSpec) -> Sequence[Mapping[str, Any]]:
    """Give the configurations, with YARN told to keep drivers off Spot nodes where it has to be told."""
    configurations: Any = spec.configurations
    task = spec.roles.task
    if task and task.count and task.is_spot and release(spec.release_label).label.major >= 6:
        return with_properties(configurations, "yarn-site", DRIVERS_ON_CORE_NODES)
    return list(configurations)


def _bootstrap_actions(spec: ClusterSpec) -> list[dict[str, Any]]:
    return [
        {"Name": action.shown_name, "ScriptBootstrapAction": {"Path": action.path, "Args": list(action.args)}}
        for action in spec.bootstrap_actions
    ]


def _tags(spec: ClusterSpec, own: Mapping[str, str]) -> list[dict[str, str]]:
    tags = {**spec.tags, **own}
    check_tag_count("run_job_flow_request", "tags", tags)
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _by_release(spec: ClusterSpec, defaults: ClusterDefaults, *, executor_logs: bool) -> dict[str, Any]:
    """Give the members that only some releases know."""
    supports = release(spec.release_label).supports
    members: dict[str, Any] = {}
    if supports("auto_termination"):
        members["AutoTerminationPolicy"] = {"IdleTimeout": spec.idle_timeout}
    if supports("step_concurrency"):
        members["StepConcurrencyLevel"] = spec.step_concurrency
    if spec.managed_scaling:
        unit = "InstanceFleetUnits" if spec.instance_collection == "fleets" else "Instances"
        members["ManagedScalingPolicy"] = {"ComputeLimits": spec.managed_scaling.limits(unit)}
    if spec.logs_to_cloudwatch:
        config = _cloudwatch(spec, defaults, executor_logs=executor_logs)
        members["MonitoringConfiguration"] = {"CloudWatchLogConfiguration": config}
    return members


def _cloudwatch(spec: ClusterSpec, defaults: ClusterDefaults, *, executor_logs: bool) -> dict[str, Any]:
    names = {
        "LogGroupName": spec.log_group or defaults.log_group,
        "LogStreamNamePrefix": spec.log_stream_prefix,
    }
    types = ("STEP_LOGS", "SPARK_DRIVER", *((EXECUTOR_LOGS,) if executor_logs else ()))
    return {
        "Enabled": True,
        **{member: value for member, value in names.items() if value},
        "LogTypes": {name: ["STDOUT", "STDERR"] for name in types},
    }
