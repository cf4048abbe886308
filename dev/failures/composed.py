# ruff: noqa: E501 - logs are as they are
"""Failures that only a real YARN has, composed from Hadoop's and Spark's own message formats. Few. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from failures.case import CLUSTER, SPARK_35
from failures.corpus import Entry
from failures.yarn_frame import (
    APPLICATION,
    CONTAINER,
    NODE,
    LostMaster,
    exited_with,
    failed_call,
    launch_failed,
    lost_executors,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HOW = "composed from the message formats of Hadoop's YARN and of Spark"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.4"
_JOB_LINE = "daily_sales.py line 31"
_SAYS = f'Unknown Error.; Exception in thread "main" org.apache.spark.SparkException: Application {APPLICATION} finished with failed status'
_TIME = "[2024-01-31 08:51:33"


def entry(
    name: str,
    logs: Mapping[str, Sequence[str]],
    told: Mapping[str, str],
    how: str = HOW,
) -> Entry:
    """Make an entry of a driver in deploy mode ``cluster`` on Spark 3.5.

    :param told: ``contains``, ``about``, ``error`` and, where there is one, ``place``.
    """
    where = {"spark": "3.5.6", "release": SPARK_35, "deploy_mode": CLUSTER, "emr_says": _SAYS}
    return Entry(name, {**where, "place": "", **told, "how": how}, logs)


def entries() -> Iterator[Entry]:
    """Make them all."""
    yield _executor_beyond_its_memory()
    yield _executor_killed()
    yield _node_lost()
    yield _driver_beyond_its_memory()
    yield _driver_killed()
    yield from _images()
    yield _above_the_maximum()
    yield _denied_by_emrfs()
    yield _denied_by_hdfs()


def _lost(name: str, told: Mapping[str, str], reason: str, *more: str) -> Entry:
    stderr, stdout = lost_executors(reason, *more)
    logs = {"submit.log": exited_with(1), "stderr.log": stderr, "stdout.log": stdout}
    return entry(name, logs, {**told, "place": _JOB_LINE})


def _executor_beyond_its_memory() -> Entry:
    words = "Container killed by YARN for exceeding physical memory limits. 5.6 GB of 5.5 GB physical memory used."
    told = {"contains": words, "about": "memory", "error": "OutOfMemoryError"}
    return _lost(
        "executor-beyond-its-memory", told, f"{words} Consider boosting spark.executor.memoryOverhead."
    )


def _executor_killed() -> Entry:
    container = CONTAINER.replace("000001", "000004")
    told = {"contains": "137", "about": "memory", "error": "OutOfMemoryError"}
    return _lost(
        "executor-killed-by-yarn",
        told,
        f"Container from a bad node: {container} on host: {NODE}. Exit status: 137. Diagnostics: "
        f"{_TIME}.617]Container killed on request. Exit code is 137",
        f"{_TIME}.618]Container exited with a non-zero exit code 137. ",
        f"{_TIME}.618]Killed by external signal",
        ".",
    )


def _node_lost() -> Entry:
    container = CONTAINER.replace("000001", "000005")
    told = {"contains": "Container released on a *lost* node", "about": "node", "error": "ClusterLostError"}
    return _lost(
        "node-lost",
        told,
        f"Container marked as failed: {container} on host: {NODE}. Exit status: -100. Diagnostics: Container "
        "released on a *lost* node.",
    )


def _driver_beyond_its_memory() -> Entry:
    words = "running 39825408B beyond the 'PHYSICAL' memory limit"
    master = LostMaster(
        -104,
        [
            f"Container [pid=8117,containerID={CONTAINER}] is {words}. Current usage: 1.4 GB of 1.4 GB physical "
            "memory used; 3.6 GB of 6.9 GB virtual memory used. Killing container.",
            f"Dump of the process-tree for {CONTAINER} :",
            "\t|- PID PPID PGRPID SESSID CMD_NAME USER_MODE_TIME(MILLIS) SYSTEM_TIME(MILLIS) VMEM_USAGE(BYTES) "
            "RSSMEM_USAGE(PAGES) FULL_CMD_LINE",
            "\t|- 8125 8117 8117 8117 (java) 4210 312 3812339712 371020 /usr/lib/jvm/jre-17/bin/java -server "
            "-Xmx1024m org.apache.spark.deploy.yarn.ApplicationMaster --class org.apache.spark.deploy.PythonRunner",
            "",
            f"{_TIME}.620]Container killed on request. Exit code is 143",
            f"{_TIME}.640]Container exited with a non-zero exit code 143. ",
        ],
    )
    told = {"contains": words, "about": "memory", "error": "OutOfMemoryError"}
    return entry("driver-beyond-its-memory", {"submit.log": master.submit_log()}, told)


def _driver_killed() -> Entry:
    master = LostMaster(
        137,
        [
            "Container killed on request. Exit code is 137",
            f"{_TIME}.644]Container exited with a non-zero exit code 137. ",
            f"{_TIME}.645]Killed by external signal",
        ],
    )
    stderr = [
        "24/01/31 08:51:20 INFO SparkContext: Running Spark version 3.5.6",
        "24/01/31 08:51:31 INFO DAGScheduler: Submitting 200 missing tasks from ResultStage 7 (MapPartitionsRDD[31])",
    ]
    told = {"contains": "137", "about": "memory", "error": "OutOfMemoryError"}
    return entry("driver-killed", {"submit.log": master.submit_log(), "stderr.log": stderr}, told)


def _images() -> Iterator[Entry]:
    """Make those of images, in the words of container-executor (``docker-util.c``) and of Java."""
    not_trusted = f"image: {IMAGE} is not trusted"
    yield _image(
        "docker-not-trusted",
        not_trusted,
        29,
        f"{not_trusted}.",
        "Disable mount volume for container",
        "Error constructing docker command, docker error code=14, error message='Docker image is not trusted'",
    )
    # Such an image may run all the same, without mounts: nobody knows the user then.
    yield _image(
        "docker-not-trusted-without-mounts",
        not_trusted,
        7,
        f"{not_trusted}.",
        "Disable mount volume for untrusted image",
        f"{not_trusted}.",
        "Disable cap-add for untrusted image",
        "docker: Error response from daemon: linux spec user: unable to find user hadoop: no matching entries in "
        "passwd file.",
        "See 'docker run --help'.",
    )
    mount = "Configuration does not allow docker mount '/mnt/models:/models'"
    refused = "Error constructing docker command, docker error code=13, error message='Invalid docker read-only mount'"
    yield _image("docker-mount-refused", mount, 29, f"{mount}, realpath=/mnt/models", refused)
    stderr = [
        'Exception in thread "main" java.lang.reflect.UndeclaredThrowableException',
        "\tat org.apache.hadoop.security.UserGroupInformation.doAs(UserGroupInformation.java:1915)",
        "\tat org.apache.spark.deploy.yarn.ApplicationMaster$.main(ApplicationMaster.scala:909)",
        "Caused by: javax.security.auth.login.LoginException: java.lang.NullPointerException: invalid null input: name",
        "\tat com.sun.security.auth.UnixPrincipal.<init>(UnixPrincipal.java:71)",
        "\tat com.sun.security.auth.module.UnixLoginModule.login(UnixLoginModule.java:133)",
    ]
    logs = {"submit.log": launch_failed(1, [], stderr).submit_log(), "stderr.log": stderr}
    told = {"contains": "invalid null input: name", "about": "docker", "error": "DockerError"}
    yield entry("docker-user-without-a-name", logs, told)


def _image(name: str, contains: str, code: int, *said: str) -> Entry:
    told = {"contains": contains, "about": "docker", "error": "DockerError"}
    return entry(name, {"submit.log": launch_failed(code, said).submit_log()}, told)


def _above_the_maximum() -> Entry:
    words = "Required executor memory (20480 MB), offHeap memory (0) MB, overhead (2048 MB), and PySpark memory (0 MB)"
    submit = [
        "24/01/31 08:51:20 INFO DefaultNoHARMFailoverProxyProvider: Connecting to ResourceManager at "
        f"{NODE}/10.0.0.12:8032",
        "24/01/31 08:51:21 INFO Client: Verifying our application has not requested more than the maximum memory "
        "capability of the cluster (12288 MB per container)",
        f'Exception in thread "main" java.lang.IllegalArgumentException: {words} is above the max threshold '
        "(12288 MB) of this cluster! Please check the values of 'yarn.scheduler.maximum-allocation-mb' and/or "
        "'yarn.nodemanager.resource.memory-mb'.",
        "\tat org.apache.spark.deploy.yarn.Client.verifyClusterResources(Client.scala:463)",
        "\tat org.apache.spark.deploy.yarn.Client.submitApplication(Client.scala:215)",
        "\tat org.apache.spark.deploy.SparkSubmit.main(SparkSubmit.scala)",
        "24/01/31 08:51:21 INFO ShutdownHookManager: Shutdown hook called",
    ]
    told = {"contains": words, "about": "", "error": "UserCodeError"}
    return entry("above-the-maximum", {"submit.log": submit}, told)


def _failed_call(name: str, told: Mapping[str, str], *exception: str) -> Entry:
    """Make an entry of a PySpark job whose call of the JVM failed."""
    logs = {"submit.log": exited_with(1), "stdout.log": failed_call(*exception)}
    return entry(name, logs, {**told, "about": "denied", "error": "JobDeniedError", "place": _JOB_LINE})


def _denied_by_emrfs() -> Entry:
    s3 = "com.amazon.ws.emr.hadoop.fs.shaded.com.amazonaws"
    return _failed_call(
        "denied-by-emrfs",
        {"contains": "Access Denied (Service: Amazon S3; Status Code: 403; Error Code: AccessDenied"},
        f": java.io.IOException: {s3}.services.s3.model.AmazonS3Exception: Access Denied (Service: Amazon S3; "
        "Status Code: 403; Error Code: AccessDenied; Request ID: 0A1B2C3D4E5F6071; S3 Extended Request ID: "
        "abc=; Proxy: null), S3 Extended Request ID: abc=",
        "\tat com.amazon.ws.emr.hadoop.fs.s3n.Jets3tNativeFileSystemStore.list(Jets3tNativeFileSystemStore.java:426)",
        "\tat com.amazon.ws.emr.hadoop.fs.EmrFileSystem.getFileStatus(EmrFileSystem.java:574)",
        f"Caused by: {s3}.services.s3.model.AmazonS3Exception: Access Denied (Service: Amazon S3; Status Code: 403; "
        "Error Code: AccessDenied; Request ID: 0A1B2C3D4E5F6071; S3 Extended Request ID: abc=; Proxy: null), "
        "S3 Extended Request ID: abc=",
        f"\tat {s3}.http.AmazonHttpClient$RequestExecutor.handleErrorResponse(AmazonHttpClient.java:1879)",
        "\t... 41 more",
        "",
    )


def _denied_by_hdfs() -> Entry:
    words = 'Permission denied: user=hadoop, access=WRITE, inode="/":hdfs:hdfsadmingroup:drwxr-xr-x'
    control = "org.apache.hadoop.security.AccessControlException"
    return _failed_call(
        "denied-by-hdfs",
        {"contains": words},
        f": {control}: {words}",
        "\tat org.apache.hadoop.hdfs.server.namenode.FSPermissionChecker.check(FSPermissionChecker.java:506)",
        "\tat org.apache.hadoop.ipc.Server$Handler.run(Server.java:2899)",
        f"Caused by: org.apache.hadoop.ipc.RemoteException({control}): {words}",
        "\tat org.apache.hadoop.ipc.Client.getRpcResponse(Client.java:1612)",
        "\t... 38 more",
        "",
    )
