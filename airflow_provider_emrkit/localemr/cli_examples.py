"""What ``emrkit local COMMAND --help`` ends with."""

from __future__ import annotations

LOCAL = """examples:
  emrkit local up                          start it on port 5005
  eval "$(emrkit local env)"               point the AWS CLI, boto3 and Airflow of this shell at it
  aws emr list-clusters
  emrkit local prefetch emr-7.11.0         download Spark and Java now instead of at the first cluster
  emrkit local up --port 5006              a second one, which shares nothing but the downloads
  emrkit local down --port 5006
  emrkit local reset                       away with all clusters, runs and S3 objects
  emrkit local faults --help               let things go wrong
"""

EXAMPLES = {
    "up": """examples:
  emrkit local up                                     on port 5005, in the background
  emrkit local up --port 5006                         a second one, with files of its own
  emrkit local up --ephemeral                         begin with nothing, keep nothing
  emrkit local up --foreground                        in this terminal, until Ctrl-C
  emrkit local up --data-dir ./emr --jvm-profile full
  emrkit local up --s3-endpoint http://127.0.0.1:9000 --s3-credentials minio.ini
""",
    "status": """examples:
  emrkit local status
  emrkit local status --port 5006
  emrkit local status --json | python3 -m json.tool
  emrkit local status > /dev/null 2>&1 || emrkit local up
""",
    "down": """examples:
  emrkit local down
  emrkit local down --port 5006
  emrkit local down --data-dir ./emr

Processes, temporary files and the files of clusters are gone then. The data directory stays, with what the
next start needs to know, and so do the downloads.
""",
    "reset": """examples:
  emrkit local reset
  emrkit local reset --yes --port 5006
""",
    "env": """examples:
  eval "$(emrkit local env)"                                     this shell's AWS CLI, boto3 and Airflow
  emrkit local env --format json
  emrkit local env --format dotenv > local.env                   for docker --env-file
  emrkit local env --format airflow > connections.json && airflow connections import connections.json
  emrkit local env --format dotenv --url http://localemr:5005    for a container beside the local EMR's
""",
    "prefetch": """examples:
  emrkit local prefetch emr-7.11.0
  emrkit local prefetch emr-6.15.0 emr-7.11.0
  EMRKIT_CACHE_DIR=/big/disk emrkit local prefetch emr-7.11.0
""",
}
