"""A step that logs its cluster in to ECR: before the job, and again and again while the job runs.

The cluster does it by itself from emr-6.1.0 on, for images of its own region. Where it does not, YARN reads
the login from a Docker client configuration on HDFS, whose token is good for twelve hours only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emrkit.jobs.image_reference import EcrRegistry
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Seconds between two logins, half of what a token is good for.
REFRESH_SECONDS = 6 * 3_600
# And after one that failed.
RETRY_SECONDS = 600
# A token has a line to itself; ECR's have thousands of characters.
BASE64 = "[A-Za-z0-9+/=]{32,}"

# The token is in variables of bash and in pipes only: no argument, file or environment holds it. Docker takes
# it as it comes, as it is the Base64 of user and password. The file is for YARN to read, which is another
# user; whoever runs on the cluster gets such a token from AWS too.
_LOGIN = (
    "login() { local i o a=; for ((i = 0; i < ${#r[@]}; i += 3)); do "
    'o=$(exec 2>&1 </dev/null; aws ecr get-authorization-token --registry-ids "${r[i]}" --region "${r[i+1]}" '
    "--query 'authorizationData[0].authorizationToken' --output text "
    "--cli-connect-timeout 10 --cli-read-timeout 30) || { "
    'why="could not log in to ECR registry ${r[i+2]}: $(words "$o")"; '
    "case $o in *AccessDenied*|*'not authorized'*) denied=1; "
    'why+="; allow ecr:GetAuthorizationToken to the instance profile";; esac; return 1; }; '
    "[[ $o =~ (^|$l)($t)($l|$) ]] || { "
    'why="could not log in to ECR registry ${r[i+2]}: aws gave no token"; return 1; }; '
    'a+=",\\"${r[i+2]}\\":{\\"auth\\":\\"${BASH_REMATCH[2]}\\"}"; done; '
    'o=$(exec 2>&1; printf \'{"auths":{%s}}\' "${a#,}" | '
    'hdfs dfs -D fs.permissions.umask-mode=022 -put -f - "$f") || { '
    'why="could not put the login to ECR to $f: $(words "$o")"; return 1; }; }'
)
# Nobody but the job has the other end of what this reads: it reads the end of it when the job is gone,
# however it went, and is gone too. It keeps nothing else of the step open, so that nobody waits for it.
_REFRESH = (
    'exec 199> >(exec >/dev/null 2>&1; w=$n; while read -r -t "$w" _; (($? > 128)); do '
    f"if login; then w=$n; else w=$((n < {RETRY_SECONDS} ? n : {RETRY_SECONDS})); "
    'timeout 5 bash -c \'echo "emrkit: the login to ECR is not renewed yet: $1" >> "/proc/$2/fd/2"\' '
    'emrkit "$why" $$; fi; done)'
)
# One line, as EMR shows it. `exec` makes a signal for the step reach the job itself. Programs and options are
# those of emr-6.0: bash 4.2 and version 1.16 of AWS's command line. Two steps that log in at once may spoil
# each other's file; one of them tries again.
SCRIPT = (
    'f=$1 n=$2; shift 2; r=(); while [[ $1 != -- ]]; do r+=("$1"); shift; done; shift; '
    f"t='{BASE64}' l=$'\\n' denied= why=; "
    'words() { local x; x=$(set -f; echo $1); echo "${x:0:1000}"; }; '
    f"{_LOGIN}; "
    'for p in 2 5 15 ""; do login && break; '
    '[[ $p && ! $denied ]] || { echo "emrkit: $why" >&2; exit 1; }; '
    'sleep "$p.$((RANDOM % 10))" >/dev/null 2>&1; done; '
    f"{_REFRESH}; "
    'exec "$@"'
)


def client_config_of(registries: Sequence[str]) -> str:
    """Give where the login to registries is on a cluster's HDFS; jobs with the same ones share it.

    :param registries: Hosts of registries in ECR.

    >>> client_config_of(["123456789012.dkr.ecr.us-east-1.amazonaws.com"])
    'hdfs:///user/hadoop/emrkit-123456789012.dkr.ecr.us-east-1.amazonaws.com.json'
    """
    return f"hdfs:///user/hadoop/emrkit-{'-'.join(sorted(registries))}.json"


def logged_in(argv: Sequence[str], registries: Sequence[str], every: int = REFRESH_SECONDS) -> list[str]:
    """Give the command of a step that logs in to ECR, and then runs another command.

    :param argv: That command; YARN is to read the login from :func:`client_config_of` the registries.
    :param registries: Hosts of registries in ECR.
    :param every: Seconds between two logins.
    :raises InvalidValueError: when a host is none of ECR.

    >>> logged_in(["spark-submit", "s3://code/job.py"], ["123456789012.dkr.ecr.eu-west-1.amazonaws.com"])[5:8]
    ['21600', '123456789012', 'eu-west-1']
    """
    places = [part for host in registries for part in _place(host)]
    return ["bash", "-c", SCRIPT, "emrkit", client_config_of(registries), str(every), *places, "--", *argv]


def _place(host: str) -> tuple[str, str, str]:
    ecr = EcrRegistry.of(host)
    if ecr is None:
        mend = "give one like 123456789012.dkr.ecr.us-east-1.amazonaws.com"
        raise InvalidValueError("logged_in", "registries", host, "is no registry of ECR", mend)
    return ecr.account, ecr.region, host
