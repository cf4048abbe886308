"""An application of EMR Serverless whose spec sets every field."""

from __future__ import annotations

from airflow_provider_emrkit import ApplicationSpec, Workers

LABEL = "emr-7.11.0"
HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
DIGEST = f"sha256:{'0' * 64}"

FULL = ApplicationSpec(
    "nightly",
    LABEL,
    architecture="ARM64",
    image=f"{HOST}/etl:1.4",
    driver_image=f"{HOST}/driver@{DIGEST}",
    executor_image=f"{HOST}/executor:2",
    resolve_digests_at_start=True,
    drivers=Workers(1, 2, 8),
    executors=Workers(4, 4, 16, disk_gb=100, disk_type="SHUFFLE_OPTIMIZED"),
    max_cpu=100,
    max_memory_gb=400,
    max_disk_gb=1000,
    auto_start=False,
    idle_minutes=None,
    subnet_ids=["subnet-1", "subnet-2"],
    security_group_ids=["sg-1"],
    log_group="/emrkit/nightly",
    log_uri="s3://logs/serverless/",
    managed_logs=False,
    max_concurrent_runs=5,
    queue_timeout_minutes=30,
    configurations={"spark-defaults": {"spark.x": 1}},
    tags={"team": "data"},
    overrides={"interactiveConfiguration": {"livyEndpointEnabled": True}},
)
