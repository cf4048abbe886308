"""The ``yarn`` that scripts of a cluster find in PATH: lists and kills the cluster's applications."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_emrkit.localemr.run.yarn_wire import YarnAddress, YarnGoneError, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_ROW = "{:>30}\t{:>20}\t{:>20}\t{:>10}\t{:>10}\t{:>18}\t{:>18}\t{:>15}\t{:>35}"
_TITLES = (
    "Application-Id", "Application-Name", "Application-Type", "User", "Queue", "State", "Final-State",
    "Progress", "Tracking-URL",
)  # fmt: skip
_LIVE_STATES = ("SUBMITTED", "ACCEPTED", "RUNNING")
_STATES = ("NEW", "NEW_SAVING", "SUBMITTED", "ACCEPTED", "RUNNING", "FINISHED", "FAILED", "KILLED")

_FAILED = 255
"""What the shell sees of the real program's -1."""

_USAGE = """usage: yarn application -list [-appStates STATES] [-appTags TAGS] [-appTypes TYPES]
       yarn application -status ID
       yarn application -kill ID [ID ...]"""


class UsageError(Exception):
    """The arguments mean nothing here; the message says which."""


def read_address(settings: Path) -> YarnAddress:
    """Read where the cluster's service listens."""
    return YarnAddress(**json.loads(settings.read_text(encoding="utf-8"))["yarn"])


def main(argv: Sequence[str]) -> NoReturn:
    """Do what the command says, and exit.

    :param argv: Path of the settings, name of the program, its arguments.
    """
    settings, tool, *args = argv
    try:
        address = read_address(Path(settings))
        code = run(args, lambda **request: list(ask(address, **request)), print)
    except (UsageError, YarnGoneError) as error:
        print(f"{tool}: {error}", file=sys.stderr)
        code = _FAILED
    sys.exit(code)


def run(args: Sequence[str], call: Callable[..., list[Any]], say: Callable[[str], None]) -> int:
    """Carry out a command line and give its exit code.

    :param call: Asks the cluster's service.
    :param say: Prints a line.
    :raises UsageError: for what is not known here.
    """
    # Both spellings are taken by the real program.
    words = [f"-{word.lstrip('-')}" if word.startswith("-") else word for word in args]
    if words[:1] not in (["application"], ["app"]) or len(words) < 2:
        raise UsageError(f"{' '.join(args[:1]) or 'no command'!r} is not known here\n{_USAGE}")
    action, rest = words[1], words[2:]
    if action == "-list":
        return _list(_options(rest), call, say)
    if action == "-kill" and rest:
        return max(_kill(name, call, say) for name in rest)
    if action == "-status" and len(rest) == 1:
        return _status(rest[0], call, say)
    raise UsageError(f"{' '.join(args[1:])!r} is not known here\n{_USAGE}")


def _options(words: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"-appStates": [], "-appTags": [], "-appTypes": []}
    for option, value in zip(words[::2], [*words[1::2], ""], strict=False):
        if option not in found or not value:
            raise UsageError(f"{option!r} is not known here, or has no value\n{_USAGE}")
        found[option] += [part.strip() for part in value.split(",") if part.strip()]
    return found


def _list(
    options: Mapping[str, list[str]], call: Callable[..., list[Any]], say: Callable[[str], None]
) -> int:
    states = [state.upper() for state in options["-appStates"]] or list(_LIVE_STATES)
    if "ALL" in states:
        states = list(_STATES)
    unknown = [state for state in states if state not in _STATES]
    if unknown:
        raise UsageError(f"the application state {unknown[0]} is invalid; use ALL, {', '.join(_STATES)}")
    tags = [tag.lower() for tag in options["-appTags"]]
    types = [kind.upper() for kind in options["-appTypes"]]
    found = [known for known in call(action="list") if _fits(known, states, tags, types)]
    shown = [state for state in _STATES if state in states]
    say(
        f"Total number of applications (application-types: {_set(types)}, states: {_set(shown)} "
        f"and tags: {_set(tags)}):{len(found)}"
    )
    say(_ROW.format(*_TITLES))
    for known in found:
        progress = "100%" if known["state"] != "RUNNING" else "10%"
        say(
            _ROW.format(
                known["id"], _one_line(known["name"]), "SPARK", "hadoop", "default", known["state"],
                known["final"], progress, "N/A",
            )
        )  # fmt: skip
    return 0


def _fits(known: Mapping[str, Any], states: Iterable[str], tags: Sequence[str], types: Sequence[str]) -> bool:
    has_tag = not tags or any(tag in tags for tag in known["tags"])
    return known["state"] in states and has_tag and (not types or "SPARK" in types)


def _kill(name: str, call: Callable[..., list[Any]], say: Callable[[str], None]) -> int:
    found = call(action="kill", id=name)
    if not found:
        say(f"Application with id '{name}' doesn't exist in RM.")
        return _FAILED
    if len(found) == 1:
        say(f"Application {name} has already finished ")
        return 0
    say(f"Killing application {name}")
    return 0


def _status(name: str, call: Callable[..., list[Any]], say: Callable[[str], None]) -> int:
    known = next((known for known in call(action="list") if known["id"] == name), None)
    if known is None:
        say(f"Application with id '{name}' doesn't exist in RM.")
        return _FAILED
    say("Application Report : ")
    rows = {
        "Application-Id": known["id"],
        "Application-Name": _one_line(known["name"]),
        "Application-Type": "SPARK",
        "User": "hadoop",
        "Queue": "default",
        "Start-Time": int(known["started"] * 1000),
        "State": known["state"],
        "Final-State": known["final"],
    }
    for title, value in rows.items():
        say(f"\t{title} : {value}")
    return 0


def _set(words: Sequence[str]) -> str:
    return f"[{', '.join(words)}]"


def _one_line(text: str) -> str:
    return " ".join(text.split())
