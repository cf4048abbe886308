"""Addresses of pages of the AWS console. Pure."""

from __future__ import annotations

from urllib.parse import quote

_CONSOLES = (("cn-", "amazonaws.cn"), ("us-gov-", "amazonaws-us-gov.com"), ("", "aws.amazon.com"))


def stream_link(region: str, group: str, stream: str) -> str:
    """Give the console's page of a CloudWatch log stream.

    >>> stream_link("eu-west-1", "/aws/emr/j-1", "steps/s-1/stderr").partition("#")[2]
    'logsV2:log-groups/log-group/$252Faws$252Femr$252Fj-1/log-events/steps$252Fs-1$252Fstderr'
    """
    page = f"logsV2:log-groups/log-group/{_twice_quoted(group)}/log-events/{_twice_quoted(stream)}"
    return f"{console_host(region)}/cloudwatch/home?region={quote(region, safe='')}#{page}"


def streams_link(region: str, group: str, prefix: str) -> str:
    """Give the console's page of the streams of a CloudWatch log group whose names begin alike.

    >>> streams_link("eu-west-1", "/aws/emr-serverless", "/jobs/1/").partition("log-group/")[2]
    '$252Faws$252Femr-serverless$3FlogStreamNameFilter$3D$252Fjobs$252F1$252F'
    """
    page = (
        f"logsV2:log-groups/log-group/{_twice_quoted(group)}$3FlogStreamNameFilter$3D{_twice_quoted(prefix)}"
    )
    return f"{console_host(region)}/cloudwatch/home?region={quote(region, safe='')}#{page}"


def folder_link(region: str, bucket: str, prefix: str) -> str:
    """Give the console's page of the S3 objects below a prefix.

    >>> folder_link("eu-west-1", "logs", "j-1/steps/s-1/").partition(".com/")[2]
    's3/buckets/logs?region=eu-west-1&prefix=j-1/steps/s-1/'
    """
    place = f"s3/buckets/{quote(bucket, safe='')}?region={quote(region, safe='')}&prefix={quote(prefix)}"
    return f"{console_host(region)}/{place}"


def object_link(region: str, bucket: str, key: str) -> str:
    """Give the console's page of an S3 object.

    >>> object_link("eu-west-1", "logs", "j-1/steps/s-1/stderr.gz").partition(".com/")[2]
    's3/object/logs?region=eu-west-1&prefix=j-1/steps/s-1/stderr.gz'
    """
    place = f"s3/object/{quote(bucket, safe='')}?region={quote(region, safe='')}&prefix={quote(key)}"
    return f"{console_host(region)}/{place}"


def console_host(region: str) -> str:
    """Give the console's address for a region of any of AWS's partitions."""
    domain = next(domain for prefix, domain in _CONSOLES if region.startswith(prefix))
    return f"https://{quote(region, safe='')}.console.{domain}"


def _twice_quoted(name: str) -> str:
    """Quote as the CloudWatch console does, which reads its fragment twice, with ``$`` for ``%``."""
    return quote(quote(name, safe=""), safe="").replace("%", "$")
