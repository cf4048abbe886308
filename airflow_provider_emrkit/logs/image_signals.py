"""The texts by which failures of a job's image are told, and what may help. Pure data.

They come from Docker, from Hadoop's ``container-executor`` (``docker-util.c``) and its
``DockerLinuxContainerRuntime``. All but those of exceptions count only where YARN or Docker says them.
"""

from __future__ import annotations

import re

from airflow_provider_emrkit.logs.signal import DENIED, DOCKER, Signal

# Where Docker's words begin: in a line of theirs, in YARN's report, in the NodeManager's log, in EMR's words.
_BEGINS = r"(?:^|(?<=output: )|(?<=\): )|(?<=; )|(?<=\d\]))"


def _yarn(pattern: str, hint: str, *parts: str) -> Signal:
    """Make a signal of what YARN says; what Docker says is quoted from its beginning."""
    return _own(
        rf"(?:{_BEGINS}(?:docker|Error response from daemon): .{{0,400}}?)?(?:{pattern})", hint, *parts
    )


def _docker(pattern: str, hint: str, *parts: str) -> Signal:
    """Make a signal of what only Docker's own line tells: what runs in a container says it, too."""
    return _own(
        rf"{_BEGINS}(?:docker|Error response from daemon|Error): .{{0,400}}?(?:{pattern})", hint, *parts
    )


def _own(pattern: str, hint: str, *parts: str) -> Signal:
    """Make a signal that is quoted without what is before it."""
    return Signal(DOCKER, re.compile(pattern), hint, parts, by_yarn=True)


_TRUST = (
    "trust its registry: ClusterSpec(docker=DockerOnYarn(trusted_registries=[…])), or for a cluster of "
    "others docker.trusted.registries (classification container-executor, docker)"
)
_CHECK = (
    "`emrkit image check` tells what an image lacks, `emrkit image new` writes a Dockerfile with all of it"
)
_READ = "ecr:BatchGetImage, ecr:GetDownloadUrlForLayer and ecr:BatchCheckLayerAvailability"
_BUILT_FOR = (
    "build the image for the architecture of the cluster's instance types: amd64, or arm64 for Graviton "
    "(`emrkit image build --arch`)"
)
_MOUNT_USERS = (
    "the container does not know the job's user: mount /etc/passwd, as DockerImage does "
    "(YARN_CONTAINER_RUNTIME_DOCKER_MOUNTS=/etc/passwd:/etc/passwd:ro)"
)
_MOUNTS = (
    "mount less by DockerImage(mounts=…), or have the path on each node and allow it: "
    "docker.allowed.ro-mounts or rw-mounts (classification container-executor, docker) of the cluster"
)
PYTHON_HINT = (
    "the image has no such Python: install it there, or name the image's own by "
    "SparkJob(env={'PYSPARK_PYTHON': …}); `emrkit image check` tells what it has"
)
# What shells and coreutils put around a name.
_QUOTE = "['\"`\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}]?"

# What is raised where a container lacks something, and nowhere else; and what a step says that could not log
# in to ECR.
IMAGE_EXCEPTIONS: tuple[Signal, ...] = (
    Signal.of(
        DENIED,
        r"^emrkit: could not log in to ECR registry .{1,600}(?:AccessDenied|not authorized)",
        "allow ecr:GetAuthorizationToken to the cluster's instance profile (job_flow_role)",
    ),
    Signal.of(
        DOCKER,
        r"^emrkit: could not (?:log in to ECR registry|put the login to ECR) ",
        "let the primary node reach ECR in the image's region, and see that HDFS is up",
    ),
    # The local EMR, on a machine without an engine; it says itself what to do.
    Signal.of(
        DOCKER,
        r"a job's image needs a container engine, .{1,500}",
        "it is Docker or Podman of this machine, which the local EMR uses (`emrkit local up --engine`)",
        "needs a container engine",
    ),
    Signal.of(DOCKER, r"invalid null input: name\b", _MOUNT_USERS),
    Signal.of(
        DOCKER,
        r"UnsupportedClassVersionError: org/apache/(?:spark|hadoop)/",
        "the image's Java is older than what Spark of this release needs: let JAVA_HOME lead to the "
        f"release's; {_CHECK}",
    ),
)

# The first that matches counts: what is precise comes before what only follows from it.
_REGISTRY: tuple[Signal, ...] = (
    _yarn(r"[Ii]mage:? \S{1,300} is not trusted", _TRUST, "is not trusted"),
    _yarn(r"Docker image is not trusted", _TRUST, "is not trusted"),
    _own(
        r"(?:denied: )?User: \S{1,200} is not authorized to perform: ecr:GetAuthorizationToken.{0,100}",
        "allow ecr:GetAuthorizationToken to the cluster's instance profile",
        "ecr:GetAuthorizationToken",
    ),
    _own(
        r"(?:denied: )?User: \S{1,200} is not authorized to perform: ecr:\w+.{0,200}|denied: Not Authorized"
        r"|unexpected status.{0,80} 403 Forbidden",
        f"allow {_READ} to the cluster's instance profile; a repository of another account has to allow "
        "it, too",
        "not authorized to perform: ecr:",
        "denied: Not Authorized",
        "403 Forbidden",
    ),
    _docker(
        r"[Aa]uthorization token has expired.{0,60}",
        "DockerImage(ecr_login=True) renews the login to ECR while the job runs; a client_config of your own "
        "has to be renewed within 12 hours",
        "token has expired",
    ),
    _docker(
        r"no basic auth credentials|unauthorized: authentication required",
        "the nodes did not log in. For ECR: the instance profile needs ecr:GetAuthorizationToken and "
        f"{_READ}, emr-6.9 or later the credential provider that ClusterSpec(docker=…) sets in yarn-site, "
        "and emr-6.0 or an image of another region DockerImage(ecr_login=True). For other registries: "
        "DockerImage(client_config=…)",
        "no basic auth",
        "authentication required",
    ),
    _docker(
        r"(?:incorrect username or password|unauthorized: \S).{0,100}",
        "put a valid login into the file that DockerImage(client_config=…) names",
        "incorrect username",
        "unauthorized: ",
    ),
    _docker(
        r"pull access denied for [^\s,]+|requested access to the resource is denied",
        "check the image's name, which without a registry is of Docker Hub; a private repository needs "
        "DockerImage(client_config=…)",
        "pull access denied",
        "access to the resource is denied",
    ),
    _docker(
        r"toomanyrequests: .{0,200}",
        "the registry limits anonymous pulls: copy the image to ECR, or log in by "
        "DockerImage(client_config=…)",
        "toomanyrequests: ",
    ),
    _docker(r"no matching manifest for \S+.{0,40}", _BUILT_FOR, "no matching manifest"),
    _docker(
        r"(?:manifest unknown|manifest for \S+ not found|name unknown|repository \S+ not found).{0,200}",
        "check the image's name and tag, and whether it was pushed (`emrkit image push`)",
        "manifest ",
        "name unknown",
        " not found",
    ),
    _docker(
        r"no space left on device",
        "the node has no room for the image: give the instances larger volumes, or build a smaller image",
        "no space left on device",
    ),
    _docker(
        r"(?:Client\.Timeout exceeded|request canceled|TLS handshake timeout|i/o timeout|no such host"
        r"|connection refused|deadline exceeded|network is unreachable).{0,100}",
        "let the nodes reach the registry: by NAT or a public subnet, or by VPC endpoints (for ECR ecr.api, "
        "ecr.dkr and a gateway to S3)",
        "Client.Timeout",
        "request canceled",
        "handshake timeout",
        "i/o timeout",
        "no such host",
        "connection refused",
        "deadline exceeded",
        "network is unreachable",
    ),
)
_SETTINGS: tuple[Signal, ...] = (
    _yarn(
        r"Privileged containers are disabled.{0,100}|Cannot launch privileged container\..{0,100}"
        r"|Privileged container being requested but privileged containers are not enabled.{0,40}",
        "ask for no privileged container, or allow it: DockerOnYarn(privileged_registries=[…])",
        "rivileged container",
    ),
    _yarn(
        r"Configuration does not allow docker mount '[^']{1,300}'|Invalid docker mount '[^']{1,300}'",
        _MOUNTS,
        "docker mount '",
    ),
    _yarn(r"Invalid docker (?:\w+[- ]){0,2}mount\b", _MOUNTS, "Invalid docker "),
    _yarn(
        r"Unable to find permitted docker mounts on disk|Mount access error",
        "every path of docker.allowed.ro-mounts and rw-mounts has to be on each node: make it by a bootstrap "
        "action",
        "permitted docker mounts",
        "Mount access error",
    ),
    _yarn(
        r"Unable to parse (?:some mounts in )?user supplied mount list.{0,200}"
        r"|Mount must be absolute: .{0,200}|Invalid mount mode requested.{0,200}"
        r"|invalid (?:mount config|volume specification|mode:).{1,200}",
        "correct DockerImage(mounts=…): source:destination:ro or rw, of paths that are on each node",
        "mount list",
        "Mount must be",
        "Invalid mount mode",
        "invalid ",
    ),
    _yarn(
        r"unable to find user \S{1,100}.{0,60}|User \S{1,100} does not exist in host OS",
        _MOUNT_USERS,
        "unable to find user",
        "does not exist in host OS",
    ),
    _yarn(
        r"Requested runtime not allowed|Invalid container runtime type.{0,100}"
        r"|Feature disabled: docker.{0,60}",
        "the cluster does not run images: take EMR 6 with ClusterSpec(docker=True), or allow docker among "
        "yarn.nodemanager.runtime.linux.allowed-runtimes (yarn-site)",
        "runtime not allowed",
        "container runtime type",
        "Feature disabled: ",
    ),
    _yarn(
        r"Cannot connect to the Docker daemon.{0,100}|failed to execute docker command! error: .{0,100}"
        r"|docker: command not found",
        "Docker does not run on that node: try another cluster, and see what its bootstrap actions do",
        "Docker daemon",
        "execute docker command",
        "docker: command not found",
    ),
    _yarn(
        r"Fail\w* to read (?:additional )?[Dd]ocker client config.{0,200}"
        r"|Unable to (?:write Docker client credentials|read tokens).{0,200}"
        r"|Error parsing config file .{1,200}",
        "put what `docker login` writes where DockerImage(client_config=…) says, and let user hadoop read it",
        "ocker client config",
        "ocker client credentials",
        "Unable to read tokens",
        "Error parsing config file",
    ),
    _yarn(
        r"Image name '[^']{1,400}' doesn't match docker image name pattern|Invalid docker image name"
        r"|invalid reference format.{0,200}|YARN_CONTAINER_RUNTIME_DOCKER_IMAGE not set!",
        "YARN takes registry/name:tag in lower case, and not on all releases a digest (pin_digest, "
        "name@sha256:…)",
        "image name pattern",
        "Invalid docker image name",
        "invalid reference format",
        "DOCKER_IMAGE not set",
    ),
)
_CONTENT: tuple[Signal, ...] = (
    _yarn(
        r"exec user process caused:? .{1,200}|(?:exec )?/?\S{0,200}: exec format error"
        r"|exec \S{1,200} failed: Exec format error",
        _BUILT_FOR,
        "exec user process",
        "xec format error",
    ),
    _yarn(
        r"JAVA_HOME is not set|(?<!\S)/\S{0,200}/bin/java: No such file or directory"
        r"|\bjava: (?:command )?not found|exec: \"\S{0,200}java\": .{0,80}",
        f"the image needs Java, and JAVA_HOME that leads to it; {_CHECK}",
        "JAVA_HOME is not set",
        "java: ",
        'java": ',
    ),
    _yarn(
        rf"\bpython[\d.]*{_QUOTE}: (?:command not found|not found|No such file or directory)"
        r"|Cannot run program \"\S{0,200}python[\d.]*\".{0,80}|exec: \"\S{0,200}python[\d.]*\": .{0,80}",
        PYTHON_HINT,
        "python",
    ),
    _yarn(
        r"exec: \"\S{0,100}sh\": .{0,80}|exec \S{0,100}sh failed: .{0,80}",
        f"YARN starts its containers by bash: install it in the image; {_CHECK}",
        'sh": ',
        "sh failed: ",
    ),
    _yarn(
        r"The requested image's platform \S+ does not match the detected host platform \S+",
        _BUILT_FOR,
        "does not match the detected host platform",
    ),
)
# Whatever else Docker says, and the codes by which YARN tells that it said something.
_OTHERS: tuple[Signal, ...] = (
    _yarn(
        r"docker: .{1,300}|Error response from daemon: .{1,300}"
        r"|Error constructing docker command, .{1,200}",
        _CHECK,
        "docker: ",
        "Error response from daemon: ",
        "constructing docker command",
    ),
    _yarn(
        r"Container exited with a non-zero exit code (?:29|12[567])\b",
        "YARN could not start the image's container: Docker refused it (29, 125), or it lacks a program "
        f"(126, 127); the NodeManager's log may say more. {_CHECK}",
        "non-zero exit code 29",
        "non-zero exit code 12",
    ),
)
IMAGE_SIGNALS = (*_REGISTRY, *_SETTINGS, *_CONTENT, *_OTHERS)
