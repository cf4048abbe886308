"""``emrkit local faults``: see, set and take away the faults of a running local EMR."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.faults.checks import InvalidFaultError
from airflow_provider_emrkit.localemr.faults.client import FaultsClient

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

EXAMPLES = """examples:
  emrkit local faults                            see them, and how often each has struck
  echo '{"throttle": "ListSteps"}' | emrkit local faults set -
  echo '{"quotas": "emr", "slow_start": 30}' | emrkit local faults set -
  emrkit local faults set faults.json            these, instead of all there are
  emrkit local faults show --json > faults.json
  emrkit local faults clear
"""

_STDIN = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "what", nargs="?", choices=("show", "set", "clear"), default="show", help="default: %(default)s"
    )
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="the faults to set, JSON; - for standard input"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, in the form of FILE")


def problem(given: argparse.Namespace) -> str | None:
    """Say what is wrong with the arguments, or None."""
    if given.what == "set" and not given.file:
        return "faults set: name a FILE, or - for standard input"
    if given.what != "set" and given.file:
        return f"faults {given.what} takes no FILE"
    return None


def run(url: str, given: argparse.Namespace) -> Iterator[str]:
    """Carry out the command; gives the lines to print.

    :param url: Address of the local EMR.
    :raises InvalidFaultError: when there can be no such faults.
    :raises FaultsError: when the local EMR does not answer.
    """
    client = FaultsClient(url)
    if given.what == "clear":
        answer = client.remove()
    elif given.what == "set":
        answer = client.put(_read(given.file))
    else:
        answer = client.show()
    if given.json:
        yield json.dumps(answer["faults"])
    else:
        yield from _lines(answer["active"])


def _read(file: str) -> Any:
    try:
        text = sys.stdin.read() if file == _STDIN else Path(file).expanduser().read_text(encoding="utf-8")
        return json.loads(text)
    except OSError as error:
        raise InvalidFaultError("FILE", file, f"one that can be read ({error.strerror})") from error
    except ValueError as error:
        raise InvalidFaultError("FILE", file, f"one with JSON ({error})") from error


def _lines(active: list[Mapping[str, Any]]) -> Iterator[str]:
    if not active:
        yield "no faults"
    for item in active:
        fields = " ".join(f"{name}={json.dumps(value)}" for name, value in item["fields"].items())
        yield (
            f"{item['kind']} {fields}".rstrip()
            + f"; struck {item['struck']} of {item['seen']} ({item['set']})"
        )
