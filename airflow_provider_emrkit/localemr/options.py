"""The options of a server, declared once: `emrkit local up` and the server's own process both read them."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from airflow_provider_emrkit.localemr.config import (
    DEFAULT_HOST,
    EngineName,
    ExecutorKind,
    JvmProfile,
    S3FileSystem,
    ServerConfig,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how a server serves; its place (port and directories) is not among it."""
    parser.add_argument("--host", default=DEFAULT_HOST, help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        dest="allowed_hosts",
        metavar="NAME",
        help="another host name that clients use",
    )
    parser.add_argument(
        "--ephemeral", action="store_true", help="begin with nothing of earlier starts, and keep nothing"
    )
    parser.add_argument(
        "--jvm-profile",
        choices=get_args(JvmProfile),
        default="fast",
        help="fast: steps start quickly; full: Java's own settings, for long jobs (default: %(default)s)",
    )
    parser.add_argument(
        "--executors",
        choices=get_args(ExecutorKind),
        default="threads",
        help="what Spark's executors are: threads of the driver, or processes with logs of their own, as on "
        "EMR, which start more slowly (default: %(default)s)",
    )
    parser.add_argument(
        "--engine",
        choices=get_args(EngineName),
        help="what runs the images of jobs (default: EMRKIT_ENGINE, else the first of the two that is there)",
    )
    add_s3_option(parser)
    parser.add_argument(
        "--s3-endpoint", metavar="URL", help="use this S3 instead of the built-in one, e.g. a MinIO"
    )
    parser.add_argument(
        "--s3-credentials",
        type=_file,
        metavar="FILE",
        help="key pair of --s3-endpoint, as an AWS credentials file",
    )
    parser.add_argument("--faults", type=_file, metavar="FILE", help="faults to begin with, JSON")


def add_s3_option(parser: argparse.ArgumentParser) -> None:
    """Add the choice of Spark's S3 file system."""
    parser.add_argument(
        "--s3",
        choices=get_args(S3FileSystem),
        default="builtin",
        dest="s3_filesystem",
        help="what serves s3:// in Spark: the built-in file system or Hadoop's S3A (default: %(default)s)",
    )


def server_config(given: argparse.Namespace, *, port: int, data_dir: Path, cache_dir: Path) -> ServerConfig:
    """Make a configuration of parsed options and a place."""
    names = {option.name for option in fields(ServerConfig)} & set(vars(given))
    options = {name: getattr(given, name) for name in names}
    options["allowed_hosts"] = tuple(name.lower() for name in given.allowed_hosts)
    return ServerConfig(**{**options, "port": port, "data_dir": data_dir, "cache_dir": cache_dir})


def option_words(config: ServerConfig) -> list[str]:
    """Give the words of a command line that :func:`add_options` would read as this configuration."""
    values: Mapping[str, object] = {
        "--host": config.host,
        "--jvm-profile": config.jvm_profile,
        "--executors": config.executors,
        "--engine": config.engine,
        "--s3": config.s3_filesystem,
        "--s3-endpoint": config.s3_endpoint,
        "--s3-credentials": config.s3_credentials,
        "--faults": config.faults,
    }
    return [
        *(word for name, value in values.items() if value is not None for word in (name, str(value))),
        *(word for host in config.allowed_hosts for word in ("--allow-host", host)),
        *(["--ephemeral"] if config.ephemeral else []),
    ]


def _file(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is no file; name one that is there")
    return path
