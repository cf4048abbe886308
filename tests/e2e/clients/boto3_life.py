"""What a boto3 script does with EMR and EMR Serverless; only its environment leads to a local EMR.

``python boto3_life.py BUCKET JOB`` prints one line of JSON: what it saw.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
import uuid
from pathlib import Path

import boto3

LABEL = "emr-7.11.0"
ROLE = "arn:aws:iam::123456789012:role/job"
ENDED = ("SUCCESS", "FAILED", "CANCELLED")


def main(bucket: str, job: str) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.upload_file(job, bucket, "job.py")
    s3.put_object(Bucket=bucket, Key="text.txt", Body=b"to be or not to be")
    seen = {"emr": emr_life(bucket), "serverless": serverless_life(bucket)}
    seen["counts"] = {name: counts(s3, bucket, name) for name in ("emr", "serverless")}
    print(json.dumps(seen))


def emr_life(bucket: str) -> dict[str, object]:
    emr = boto3.client("emr")
    cluster = emr.run_job_flow(
        Name="boto3",
        ReleaseLabel=LABEL,
        LogUri=f"s3://{bucket}/logs/",
        JobFlowRole="EMR_EC2_DefaultRole",
        ServiceRole="EMR_DefaultRole",
        Instances={
            "MasterInstanceType": "m5.xlarge",
            "SlaveInstanceType": "m5.xlarge",
            "InstanceCount": 2,
            "KeepJobFlowAliveWhenNoSteps": True,
        },
        Tags=[{"Key": "team", "Value": "data"}],
    )["JobFlowId"]
    emr.get_waiter("cluster_running").wait(ClusterId=cluster)
    good, bad = emr.add_job_flow_steps(
        JobFlowId=cluster,
        Steps=[_step("good", *_arguments(bucket, "emr")), _step("bad", f"s3://{bucket}/no/such.py")],
    )["StepIds"]
    emr.get_waiter("step_complete").wait(ClusterId=cluster, StepId=good)
    try:
        emr.get_waiter("step_complete").wait(ClusterId=cluster, StepId=bad)
    except boto3.exceptions.botocore.exceptions.WaiterError as error:
        complaint = str(error)
    failed = emr.describe_step(ClusterId=cluster, StepId=bad)["Step"]["Status"]
    emr.terminate_job_flows(JobFlowIds=[cluster])
    emr.get_waiter("cluster_terminated").wait(ClusterId=cluster)
    log = boto3.client("s3").get_object(Bucket=bucket, Key=f"logs/{cluster}/steps/{good}/controller.gz")
    return {
        "cluster": emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]["State"],
        "complaint": complaint,
        "failure": failed["FailureDetails"],
        "controller": gzip.decompress(log["Body"].read()).decode(),
    }


def serverless_life(bucket: str) -> dict[str, object]:
    serverless = boto3.client("emr-serverless")
    application = serverless.create_application(
        name="boto3", releaseLabel=LABEL, type="SPARK", clientToken=str(uuid.uuid4())
    )["applicationId"]
    entry, *arguments = _arguments(bucket, "serverless")
    request = {
        "applicationId": application,
        "executionRoleArn": ROLE,
        "clientToken": str(uuid.uuid4()),
        "jobDriver": {"sparkSubmit": {"entryPoint": entry, "entryPointArguments": arguments}},
        "configurationOverrides": {
            "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": f"s3://{bucket}/logs/"}}
        },
    }
    run = serverless.start_job_run(**request)["jobRunId"]
    again = serverless.start_job_run(**request)["jobRunId"]
    names = {"applicationId": application, "jobRunId": run}
    deadline = time.monotonic() + 400
    while (found := serverless.get_job_run(**names)["jobRun"])["state"] not in ENDED:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    serverless.stop_application(applicationId=application)
    while serverless.get_application(applicationId=application)["application"]["state"] != "STOPPED":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    serverless.delete_application(applicationId=application)
    key = f"logs/applications/{application}/jobs/{run}/SPARK_DRIVER/stdout.gz"
    log = boto3.client("s3").get_object(Bucket=bucket, Key=key)
    return {
        "state": found["state"],
        "same_run": run == again,
        "seconds": found["totalExecutionDurationSeconds"],
        "billed": found["billedResourceUtilization"],
        "stdout": gzip.decompress(log["Body"].read()).decode(),
    }


def counts(s3, bucket: str, name: str) -> dict[str, int]:
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=f"{name}/")["Contents"]]
    text = b"".join(s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys)
    return {row["word"]: row["count"] for row in map(json.loads, text.splitlines())}


def _arguments(bucket: str, name: str) -> list[str]:
    return [
        f"s3://{bucket}/job.py",
        *("--input", f"s3://{bucket}/text.txt"),
        *("--output", f"s3://{bucket}/{name}/"),
    ]


def _step(name: str, *job: str) -> dict[str, object]:
    return {
        "Name": name,
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["spark-submit", *job]},
    }


if __name__ == "__main__":
    main(sys.argv[1], str(Path(sys.argv[2]).absolute()))
