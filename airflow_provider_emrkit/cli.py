"""The command ``emrkit``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from airflow_provider_emrkit import __version__
from airflow_provider_emrkit.events import cli as events
from airflow_provider_emrkit.images.commands import cli as images
from airflow_provider_emrkit.localemr import cli as local
from airflow_provider_emrkit.pools.commands import cli as pools
from airflow_provider_emrkit.projects.commands import package

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXAMPLES = """examples:
  emrkit local up                  start a local EMR
  eval "$(emrkit local env)"       point this shell at it
  emrkit local status
  emrkit local down
  emrkit events-setup              print the queue and rule that let state changes reach Airflow at once
  emrkit pool list                 the pools of clusters of an AWS account
  emrkit image build --tag etl:1.4 the image a Spark job brings along
  emrkit package --archive         take a Python or Kedro project to EMR
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    :param argv: Arguments; those of the process by default.
    :return: Exit code: 0 done, 1 failed, 2 wrong usage, 3 nothing runs.
    """
    given = _parser().parse_args(argv)
    try:
        return int(given.run(given))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return local.FAILED
    except Exception as error:
        if not _is_for_users(error):
            raise
        local.say_error(str(error))
        return local.FAILED


def _is_for_users(error: Exception) -> bool:
    from airflow_provider_emrkit.account import AccountError
    from airflow_provider_emrkit.localemr.faults.checks import InvalidFaultError
    from airflow_provider_emrkit.localemr.faults.client import FaultsError
    from airflow_provider_emrkit.localemr.instance import InstanceError
    from airflow_provider_emrkit.localemr.s3_access import S3AccessError

    users = (InstanceError, S3AccessError, InvalidFaultError, FaultsError, AccountError)
    return isinstance(error, users)


def _parser() -> argparse.ArgumentParser:
    formatter = _formatter()
    parser = argparse.ArgumentParser(
        prog="emrkit",
        description="Spark on Amazon EMR from Airflow, and a local EMR.",
        epilog=_EXAMPLES,
        formatter_class=formatter,
    )
    parser.add_argument("--version", action="version", version=f"emrkit {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    local.add_parser(commands, formatter)
    events.add_parser(commands, formatter)
    pools.add_parser(commands, formatter)
    images.add_parser(commands, formatter)
    package.add_parser(commands, formatter)
    return parser


def _formatter() -> type[argparse.HelpFormatter]:
    try:
        from rich_argparse import RawDescriptionRichHelpFormatter
    except ImportError:
        return argparse.RawDescriptionHelpFormatter
    return RawDescriptionRichHelpFormatter


if __name__ == "__main__":
    sys.exit(main())
