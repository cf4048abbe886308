"""Which S3 everything here uses, and with which keys: the built-in one, or another that the user names."""

from __future__ import annotations

import configparser
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_emrkit.localemr.config import ACCESS_KEY, SECRET_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_emrkit.localemr.config import ServerConfig

PROFILE = "default"


class S3AccessError(ValueError):
    """The settings of the external S3 can't be used; the message says why and how to mend it."""


@dataclass(frozen=True)
class S3Access:
    """How programs reach S3.

    :param url: Address of its API.
    :param access_key: Access key of every request.
    :param secret_key: What requests are signed with.
    :param session_token: Token of temporary keys.
    :param is_external: Whether it is another S3 than the built-in one.

    >>> S3Access("http://127.0.0.1:5005").is_external
    False
    """

    url: str
    access_key: str = ACCESS_KEY
    secret_key: str = field(default=SECRET_KEY, repr=False)
    session_token: str | None = field(default=None, repr=False)
    is_external: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """What AWS clients need on top of a local EMR's own variables: nothing for the built-in S3."""
        if not self.is_external:
            return {}
        token = {"AWS_SESSION_TOKEN": self.session_token} if self.session_token else {}
        return {
            "AWS_ENDPOINT_URL_S3": self.url,
            # AWS clients have one key pair for all services; localemr's own services take any.
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            **token,
        }


@functools.lru_cache(maxsize=8)
def s3_access(config: ServerConfig) -> S3Access:
    """Say how S3 is reached under a configuration; a file of keys is read once.

    :raises S3AccessError: when the external S3's address or its file of keys can't be used.
    """
    if config.s3_endpoint is None:
        if config.s3_credentials is not None:
            raise S3AccessError("--s3-credentials holds the keys of --s3-endpoint; name that S3 as well")
        return S3Access(config.url)
    url = _address(config.s3_endpoint)
    if config.s3_credentials is None:
        return S3Access(url, is_external=True)
    access_key, secret_key, token = read_keys(config.s3_credentials)
    return S3Access(url, access_key, secret_key, token, is_external=True)


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise S3AccessError(
            f"--s3-endpoint: {text!r} is not the address of an S3; write it like http://127.0.0.1:9000"
        )
    return f"{parts.scheme}://{parts.netloc}"


def read_keys(file: Path) -> tuple[str, str, str | None]:
    """Read access key, secret key and session token of the profile ``default`` of an AWS credentials file.

    :raises S3AccessError: when they are not there.
    """
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
        keys = parser[PROFILE]
        return keys["aws_access_key_id"], keys["aws_secret_access_key"], keys.get("aws_session_token")
    except OSError as error:
        raise S3AccessError(f"--s3-credentials: {file} can't be read: {error.strerror}") from error
    except KeyError as error:
        raise S3AccessError(f"--s3-credentials: {file} has no {error} in the profile [{PROFILE}]") from error
    except (configparser.Error, UnicodeDecodeError) as error:
        # Not the parser's own words: they repeat lines of the file.
        raise S3AccessError(
            f"--s3-credentials: {file} is no AWS credentials file; it has a line [{PROFILE}] and then "
            "aws_access_key_id = … and aws_secret_access_key = …"
        ) from error
