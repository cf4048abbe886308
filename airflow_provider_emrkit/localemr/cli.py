"""``emrkit local``: start, see, use and stop a local EMR."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.cli_examples import EXAMPLES, LOCAL
from airflow_provider_emrkit.localemr.client_formats import FORMATS, shell
from airflow_provider_emrkit.localemr.config import (
    DEFAULT_PORT,
    ServerConfig,
    default_cache_dir,
    default_data_dir,
)
from airflow_provider_emrkit.localemr.faults import command as faults_command
from airflow_provider_emrkit.localemr.options import add_options, add_s3_option, server_config
from airflow_provider_emrkit.localemr.s3_access import s3_access

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.localemr.instance import Status
    from airflow_provider_emrkit.localemr.s3_access import S3Access

OK, FAILED, USAGE, NOT_RUNNING = 0, 1, 2, 3

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def add_parser(commands: Any, formatter: type[argparse.HelpFormatter]) -> None:
    """Add ``local`` and its commands to a parser.

    :param commands: What ``add_subparsers`` returned.
    """
    local = commands.add_parser(
        "local",
        help="run a local EMR",
        description="A local EMR: the AWS APIs on this machine, with EMR steps that really run Spark.",
        epilog=LOCAL,
        formatter_class=formatter,
    )
    actions = local.add_subparsers(dest="action", required=True, metavar="COMMAND")

    def action(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = actions.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=EXAMPLES.get(name),
            formatter_class=formatter,
        )
        parser.set_defaults(run=run)
        return parser

    up = action("up", _up, "start a local EMR, in the background unless told otherwise")
    _add_place(up)
    add_options(up)
    up.add_argument("--foreground", action="store_true", help="serve in this terminal until Ctrl-C")
    status = action("status", _show_status, f"show a local EMR; exit code {NOT_RUNNING} when none runs")
    _add_place(status)
    status.add_argument("--json", action="store_true", help="print JSON")
    _add_place(action("down", _down, "stop a local EMR and everything it started"))
    reset = action("reset", _reset, "remove all clusters, runs, S3 objects and everything else it holds")
    _add_place(reset)
    reset.add_argument("--yes", "-y", action="store_true", help="do not ask")
    env = action("env", _env, "print what points AWS clients and Airflow at a local EMR")
    _add_place(env)
    env.add_argument(
        "--format",
        choices=list(FORMATS),
        default="shell",
        help="commands for a shell, JSON, an env file, or a file for `airflow connections import` "
        "(default: %(default)s)",
    )
    env.add_argument("--url", help="its address for those clients, e.g. http://localemr:5005 in a container")
    faults = action("faults", _faults, "see and set what goes wrong on demand")
    _add_place(faults)
    faults_command.add_arguments(faults)
    prefetch = action("prefetch", _prefetch, "install the Spark and Java of releases before they are needed")
    prefetch.add_argument("labels", nargs="*", metavar="LABEL", help="EMR release label, e.g. emr-7.11.0")
    prefetch.add_argument("--list", action="store_true", help="show what is installed")
    add_s3_option(prefetch)


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help="its port (default: %(default)s)")
    parser.add_argument("--data-dir", type=Path, help="its files (default: a directory of its port)")


def _port(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) < 65_536:
        return int(text)
    raise argparse.ArgumentTypeError(
        f"{text!r} is no port; use a number from 1 to 65535, or 0 for any free one"
    )


def _data_dir(given: argparse.Namespace) -> Path:
    chosen: Path | None = given.data_dir
    return chosen.expanduser().absolute() if chosen else default_data_dir(given.port, os.environ)


def _up(given: argparse.Namespace) -> int:
    from airflow_provider_emrkit.localemr.launcher import missing_packages

    missing = missing_packages()
    if missing:
        say_error(
            f"the local EMR needs {', '.join(missing)}; "
            'install it with: pip install "airflow-provider-emrkit[local]"'
        )
        return FAILED
    if given.host not in _LOOPBACK:
        say_error(
            f"warning: --host {given.host} lets everybody who reaches port {given.port} of this machine "
            "run commands on it"
        )
    config = server_config(
        given, port=given.port, data_dir=_data_dir(given), cache_dir=default_cache_dir(os.environ)
    )
    s3_access(config)
    _check_faults(config)
    if given.foreground:
        from airflow_provider_emrkit.localemr.serve import serve

        return serve(config)
    return _start(config)


def _check_faults(config: ServerConfig) -> None:
    """Refuse faults that can't be, before anything is started."""
    if config.faults is not None:
        from airflow_provider_emrkit.localemr.faults.reading import read_file

        read_file(config.faults)


def _start(config: ServerConfig) -> int:
    from airflow_provider_emrkit.localemr.instance import LOG_FILE
    from airflow_provider_emrkit.localemr.launcher import start

    status = start(config, say)
    say(f"local EMR at {status.url} (pid {status.pid})")
    say(f"files and log: {config.data_dir} ({LOG_FILE})")
    say("point a shell at it: " + _env_command(config))
    say("stop it: " + _command("down", config.port, config.data_dir))
    if status.s3_endpoint is not None:
        # What that command prints holds keys that may open something: they are not for everybody's eyes.
        say(f"S3 is the one at {status.s3_endpoint}")
        return OK
    say("")
    for line in shell(status.url, {}):
        say(line)
    return OK


def _env_command(config: ServerConfig) -> str:
    return f'eval "$({_command("env", config.port, config.data_dir)})"'


def _command(action: str, port: int, data_dir: Path) -> str:
    place = [] if data_dir == default_data_dir(port, os.environ) else ["--data-dir", str(data_dir)]
    number = [] if port == DEFAULT_PORT else ["--port", str(port)]
    return shlex.join(["emrkit", "local", action, *number, *place])


def _absence(given: argparse.Namespace) -> str:
    data_dir = _data_dir(given)
    start = _command("up", given.port, data_dir)
    return f"the local EMR of {data_dir} does not run; start it with: {start}"


def _running(given: argparse.Namespace) -> Status | None:
    from airflow_provider_emrkit.localemr.instance import running_instance

    return running_instance(_data_dir(given))


def _show_status(given: argparse.Namespace) -> int:
    from airflow_provider_emrkit.localemr.instance import fetch_health
    from airflow_provider_emrkit.localemr.launcher import hangs
    from airflow_provider_emrkit.localemr.persistence.files import size_text, state_bytes

    status = _running(given)
    health = fetch_health(status.url) if status else None
    if status is None or health is None:
        if given.json:
            problem = "does not answer" if status else "does not run"
            say(json.dumps({"status": problem, "data_dir": str(_data_dir(given))}))
        else:
            say_error(hangs(status) if status else _absence(given))
        return NOT_RUNNING
    if given.json:
        say(json.dumps({**health, "state_bytes": state_bytes(_data_dir(given))}))
    else:
        _print_table(health, size_text(state_bytes(_data_dir(given))))
    return OK


def _print_table(health: Mapping[str, Any], size: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None)
    rows = {
        "address": health["url"],
        "pid": health["pid"],
        "up": uptime(str(health["started"]), datetime.now(timezone.utc)),
        "clusters": _counts(health["clusters"]),
        "steps": _counts(health["steps"]),
        "applications": _counts(health["applications"]),
        "job runs": _counts(health["job_runs"]),
        "data": f"{health['data_dir']} ({size} of state)",
        "version": health["version"],
    }
    for name, value in rows.items():
        table.add_row(Text(name, style="bold"), Text(printable(str(value))))
    Console().print(table)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in counts.items()) or "none"


def uptime(started: str, now: datetime) -> str:
    """Say how long ago something started, e.g. ``2 h 5 min``.

    :param started: ISO 8601 time with its offset.
    """
    seconds = max(0, int((now - datetime.fromisoformat(started)).total_seconds()))
    minutes, hours = seconds // 60, seconds // 3600
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


def _down(given: argparse.Namespace) -> int:
    from airflow_provider_emrkit.localemr.launcher import await_start, clear, stop

    data_dir = _data_dir(given)
    status = await_start(data_dir)
    if status is None:
        clear(data_dir)
        say(f"no local EMR runs on {data_dir}")
        return OK
    say(f"stopping the local EMR at {status.url} (pid {status.pid})")
    stop(status, say)
    say("stopped")
    return OK


def _reset(given: argparse.Namespace) -> int:
    from airflow_provider_emrkit.localemr.reset_command import reset

    return OK if reset(_running(given), _data_dir(given), yes=given.yes, say=say) else FAILED


def _env(given: argparse.Namespace) -> int:
    status = _running(given)
    config = ServerConfig(data_dir=_data_dir(given), port=given.port)
    url = given.url or (status.url if status else config.url)
    # Printed even when nothing runs: a shell that evaluates nothing stays pointed at the user's own account.
    for line in FORMATS[given.format](url, os.environ, _s3_of(status)):
        say(line)
    if status is not None or given.url:
        return OK
    say_error(_absence(given))
    return NOT_RUNNING


def _s3_of(status: Status | None) -> S3Access | None:
    """Say how the S3 of a running instance is reached, where that is not the built-in one."""
    if status is None or status.s3_endpoint is None:
        return None
    return s3_access(
        ServerConfig(
            data_dir=Path(status.data_dir),
            s3_endpoint=status.s3_endpoint,
            s3_credentials=Path(status.s3_credentials) if status.s3_credentials else None,
        )
    )


def _faults(given: argparse.Namespace) -> int:
    problem = faults_command.problem(given)
    if problem is not None:
        say_error(problem)
        return USAGE
    status = _running(given)
    if status is None:
        say_error(_absence(given))
        return NOT_RUNNING
    for line in faults_command.run(status.url, given):
        say(line)
    return OK


def _prefetch(given: argparse.Namespace) -> int:
    from rich.console import Console

    from airflow_provider_emrkit.localemr.prefetch_view import PrefetchView, installed_table
    from airflow_provider_emrkit.localemr.spark.install import InstallError
    from airflow_provider_emrkit.localemr.spark.inventory import inventory
    from airflow_provider_emrkit.localemr.spark.prefetch import prefetch
    from airflow_provider_emrkit.localemr.spark.versions import UnsupportedReleaseError

    if not given.labels and not given.list:
        say_error("name a release to install, e.g. emr-7.11.0, or use --list")
        return USAGE
    for label in given.labels:
        try:
            with PrefetchView(Console(), say) as view:
                prefetch(label, default_cache_dir(os.environ), view, given.s3_filesystem)
        except (InstallError, UnsupportedReleaseError, ValueError) as error:
            say_error(str(error))
            return FAILED
        say(f"{label} is ready")
    if given.list:
        Console().print(installed_table(inventory(default_cache_dir(os.environ))))
    return OK


def say(text: str) -> None:
    """Print for the user."""
    print(printable(text), flush=True)


def say_error(text: str) -> None:
    """Print for the user, where errors go."""
    print(f"emrkit: {printable(text)}", file=sys.stderr, flush=True)


def printable(text: str) -> str:
    r"""Escape what a terminal would take for a command, newlines and tabs left alone.

    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode()
        for char in text
    )
