"""The texts by which a failure is told from another, and what may help. Pure data, and how to look it up.

They come from Spark, Hadoop, Docker and the AWS SDKs, and are matched as parts of lines, since their wording
differs between releases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# What a failure can be about.
MEMORY = "memory"
DOCKER = "docker"
NODE = "node"
DENIED = "denied"
NOT_FOUND = "not_found"


@dataclass(frozen=True)
class Signal:
    """One text that tells what a failure is about.

    :param about: ``memory``, ``docker``, ``node``, ``denied`` or ``not_found``.
    :param pattern: The text; only what it matches is quoted when it is found in a log.
    :param hint: What may help.
    :param anywhere: Whether it tells as much in a line of a log as in an exception's message. What a program
        may log and survive is none of these.

    >>> signal_in("java.lang.OutOfMemoryError: Java heap space").about
    'memory'
    """

    about: str
    pattern: re.Pattern[str]
    hint: str
    anywhere: bool = False


def signal_in(message: str) -> Signal | None:
    """Find out what an exception's message is about; None when it is about something of the job's own."""
    return next((signal for signal in SIGNALS if signal.pattern.search(message)), None)


def _signal(about: str, pattern: str, hint: str, *, anywhere: bool = False) -> Signal:
    return Signal(about, re.compile(pattern), hint, anywhere)


_MORE_MEMORY = "give driver or executors more memory (spark.driver.memory, spark.executor.memory)"
_MORE_OVERHEAD = (
    "give executors or driver more memory outside the heap (spark.executor.memoryOverhead, "
    "spark.driver.memoryOverhead), or more of all (spark.executor.memory, spark.driver.memory)"
)

# The first that matches counts.
SIGNALS: tuple[Signal, ...] = (
    _signal(
        MEMORY,
        r"java\.lang\.OutOfMemoryError: [\w ]+|GC overhead limit exceeded"
        r"|(?:Exit status|exitCode|Exit code is|exit code):? 52\b",
        _MORE_MEMORY,
        anywhere=True,
    ),
    _signal(MEMORY, r"(?:^|[._A-Za-z])MemoryError(?::|$)", _MORE_MEMORY),
    _signal(
        MEMORY,
        r"Container killed by YARN for exceeding (?:physical |virtual )?memory limits\."
        r"|(?:Container \S{1,120} )?is running (?:\d+B )?beyond [\w' ]{1,30}memory limits?"
        r"|(?:Exit status|exitCode|Exit code is|exited with status|exit code):? 137\b",
        _MORE_OVERHEAD,
        anywhere=True,
    ),
    _signal(
        DOCKER,
        r"Docker image is not trusted|[Ii]mage:? \S+ is not trusted",
        "add its registry to docker.trusted.registries (classification container-executor, docker) of the "
        "cluster",
        anywhere=True,
    ),
    _signal(
        DOCKER,
        r"no basic auth credentials|pull access denied for \S+|unauthorized: authentication required"
        r"|denied: Your authorization token has expired",
        "allow ecr:GetAuthorizationToken and ecr:BatchGetImage to the cluster's instance profile; for a "
        "registry other than ECR, set YARN_CONTAINER_RUNTIME_DOCKER_CLIENT_CONFIG",
        anywhere=True,
    ),
    _signal(
        DOCKER,
        r"manifest unknown|manifest for \S+ not found",
        "check the image's name and tag",
        anywhere=True,
    ),
    _signal(
        DOCKER,
        r"exec user process caused:? .*|no matching manifest for \S+|: exec format error",
        "build the image for the architecture of the cluster's instance types (amd64, or arm64 for Graviton)",
        anywhere=True,
    ),
    _signal(
        DOCKER,
        r"Invalid docker (?:\w+ )?mount.*",
        "add the path to docker.allowed.ro-mounts or docker.allowed.rw-mounts (classification "
        "container-executor, docker) of the cluster",
        anywhere=True,
    ),
    _signal(
        DOCKER,
        r"toomanyrequests: .*",
        "the registry limits anonymous pulls: copy the image to ECR",
        anywhere=True,
    ),
    _signal(
        DOCKER, r"JAVA_HOME is not set", "the image needs Java, and JAVA_HOME that leads to it", anywhere=True
    ),
    _signal(
        NODE,
        r"Container released on a \*lost\* node|(?:Exit status|exitCode):? -100\b|Slave lost"
        r"|[Ss]pot [Ii]nstance [Ii]nterruption",
        "keep core nodes, and so the driver, on On-Demand instances",
        anywhere=True,
    ),
    # A container is ended this way for its memory, and also with its node, which says so above.
    _signal(
        MEMORY,
        r"(?:Exit status|exitCode|Exit code is|exited with status):? 143\b",
        _MORE_OVERHEAD,
        anywhere=True,
    ),
    _signal(
        NOT_FOUND,
        r"ModuleNotFoundError|No module named",
        "ship the module with SparkJob.py_files, or install it by a bootstrap action",
    ),
    _signal(
        NOT_FOUND,
        r"ClassNotFoundException|Failed to load class|NoClassDefFoundError|Main Class not found",
        "check main_class and jars",
    ),
    _signal(
        DENIED,
        r"AccessDenied|Access Denied|Status Code: 403|AccessControlException|UnauthorizedOperation"
        r"|is not authorized to perform|Insufficient Lake Formation permission",
        "allow it to the cluster's instance profile (job_flow_role)",
    ),
    _signal(
        NOT_FOUND,
        r"PATH_NOT_FOUND|Path does not exist|NoSuchBucket|NoSuchKey|FileNotFound|Status Code: 404"
        r"|No such file or directory|Input path does not exist",
        "check the path",
    ),
    _signal(
        NOT_FOUND,
        r"TABLE_OR_VIEW_NOT_FOUND|Table or view not found|SCHEMA_NOT_FOUND|NoSuch(?:Table|Database|Namespace)"
        r"Exception|EntityNotFoundException",
        "check the table's name and catalog",
    ),
)
