"""Hadoop's properties for ``s3://``, ``s3a://`` and ``s3n://``: our own file system, or Hadoop's S3A."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.config import S3FileSystem
    from airflow_provider_emrkit.localemr.s3_access import S3Access

SCHEMES = ("s3", "s3a", "s3n")

_BUILTIN = "org.emrkit.s3.LocalS3FileSystem"
_BUILTIN_CONTEXT = "org.emrkit.s3.LocalS3"
_S3A = "org.apache.hadoop.fs.s3a.S3AFileSystem"
_S3A_COMMITTERS = "org.apache.hadoop.fs.s3a.commit.S3ACommitterFactory"
_PLAIN_COMMITTER = "org.apache.hadoop.mapreduce.lib.output.FileOutputCommitterFactory"
_FIXED_KEYS = "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider"
_TEMPORARY_KEYS = "org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider"


# What serves a scheme, where S3A finds S3, and with whose keys; S3A takes them for each bucket as well.
_LEADS_ELSEWHERE = re.compile(
    r"fs\.(AbstractFileSystem\.)?s3[an]?\.impl|fs\.emrkit\.s3\.(endpoint|region|\w+\.key|session\.token)|"
    r"fs\.s3a\.(bucket\..+\.)?(endpoint(\.\w+)?|path\.style\.access|connection\.ssl\.enabled|"
    r"aws\.credentials\.provider|access\.key|secret\.key|session\.token|proxy\.\w+|assumed\.role\..+)"
)


def leads_elsewhere(key: str) -> bool:
    """Tell whether one of Hadoop's properties could lead a job to another S3 than the one there is.

    >>> leads_elsewhere("fs.s3a.bucket.my.bucket.endpoint"), leads_elsewhere("fs.s3a.threads.max")
    (True, False)
    """
    return _LEADS_ELSEWHERE.fullmatch(key) is not None


def s3_properties(kind: S3FileSystem, s3: S3Access, region: str) -> dict[str, str]:
    """Give the properties; they lead to the one S3 there is, whatever the cluster's own say.

    :param kind: What serves the schemes.
    :param s3: How S3 is reached.
    :param region: AWS region that requests are signed for.
    """
    return _s3a(s3, region) if kind == "s3a" else _builtin(s3, region)


def _builtin(s3: S3Access, region: str) -> dict[str, str]:
    token = {"fs.emrkit.s3.session.token": s3.session_token} if s3.session_token else {}
    return {
        **{f"fs.{scheme}.impl": _BUILTIN for scheme in SCHEMES},
        **{f"fs.AbstractFileSystem.{scheme}.impl": _BUILTIN_CONTEXT for scheme in SCHEMES},
        "fs.emrkit.s3.endpoint": s3.url,
        "fs.emrkit.s3.region": region,
        "fs.emrkit.s3.access.key": s3.access_key,
        "fs.emrkit.s3.secret.key": s3.secret_key,
        **token,
        # Without this, s3a:// would ask for a committer that only hadoop-aws has.
        "mapreduce.outputcommitter.factory.scheme.s3a": _PLAIN_COMMITTER,
    }


def _s3a(s3: S3Access, region: str) -> dict[str, str]:
    token = {"fs.s3a.session.token": s3.session_token} if s3.session_token else {}
    return {
        # Not fs.AbstractFileSystem.s3.impl: S3A's own refuses a scheme that is not s3a, and whoever finds
        # none (Spark's checkpoints) takes the FileSystem instead.
        **{f"fs.{scheme}.impl": _S3A for scheme in SCHEMES},
        "fs.s3a.endpoint": s3.url,
        "fs.s3a.endpoint.region": region,
        "fs.s3a.path.style.access": "true",
        "fs.s3a.connection.ssl.enabled": str(s3.url.startswith("https:")).lower(),
        "fs.s3a.aws.credentials.provider": _TEMPORARY_KEYS if s3.session_token else _FIXED_KEYS,
        "fs.s3a.access.key": s3.access_key,
        "fs.s3a.secret.key": s3.secret_key,
        **token,
        # S3A's committers (fs.s3a.committer.name) for the scheme that EMR's jobs use too; the default is
        # Hadoop's own committer, as without this.
        **{f"mapreduce.outputcommitter.factory.scheme.{scheme}": _S3A_COMMITTERS for scheme in SCHEMES},
    }
