"""The ``aws`` of a cluster: AWS's command line where this machine has it, else what a step needs of it.

Every machine of EMR has AWS's command line. A step that logs in to ECR asks it for a token; without that,
such a step would fail on a laptop alone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ECR_LOGIN = ("ecr", "get-authorization-token")
# Exit codes of AWS's command line: a command it does not know, and an error of the service.
_USAGE, _SERVICE = 252, 254


def main(argv: Sequence[str]) -> NoReturn:
    """Become AWS's command line, or answer in its place, and exit.

    :param argv: Path of the cluster's settings, name of the program, its arguments.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    settings, tool, *args = argv
    program = real_program(os.environ.get("PATH", ""), Path(settings).parent / "bin")
    if program:
        os.execv(program, [tool, *args])  # noqa: S606 - becoming that program is the purpose
    try:
        answer = run(args, _client)
    except (BotoCoreError, ClientError) as error:
        print(f"\n{error}", file=sys.stderr)
        sys.exit(_SERVICE)
    if answer is None:
        print(
            "aws: AWS's command line is not installed here, and localemr has only "
            f"'{' '.join(ECR_LOGIN)}' of it: install awscli, e.g. by a bootstrap action.",
            file=sys.stderr,
        )
        sys.exit(_USAGE)
    print(answer)
    sys.exit(0)


def real_program(path: str, own: Path) -> str | None:
    """Find AWS's command line in PATH.

    :param own: The directory of this program, which is not looked into.
    """
    folders = (folder for folder in path.split(os.pathsep) if folder and Path(folder) != own)
    return shutil.which("aws", path=os.pathsep.join(folders))


def run(args: Sequence[str], client: Callable[[str | None], Any]) -> str | None:
    """Give what AWS's command line would print; None for another command than the one that is known.

    :param client: Makes ECR's client for a region, None for the default one.
    """
    if tuple(args[: len(ECR_LOGIN)]) != ECR_LOGIN:
        return None
    import jmespath  # type: ignore[import-untyped,unused-ignore]

    given, _ = _parser().parse_known_args(args[len(ECR_LOGIN) :])
    ids = {"registryIds": given.registry_ids} if given.registry_ids else {}
    answer = client(given.region).get_authorization_token(**ids)
    found = jmespath.search(given.query, answer)
    return "None" if found is None else str(found)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="aws", add_help=False)
    parser.add_argument("--registry-ids", nargs="+", default=[])
    parser.add_argument("--region")
    parser.add_argument("--query", default="authorizationData[0].authorizationToken")
    return parser


def _client(region: str | None) -> Any:
    import boto3

    return boto3.client("ecr", region_name=region)
