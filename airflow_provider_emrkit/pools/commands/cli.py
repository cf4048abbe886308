"""``emrkit pool``: see the pools of an account, drain and delete them."""

from __future__ import annotations

import json
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.account import (
    AccountError,
    PatientClient,
    add_account_options,
    open_client,
    open_session,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from airflow_provider_emrkit.compute.pool import ClusterPool
    from airflow_provider_emrkit.pools.commands.changing import PoolChange
    from airflow_provider_emrkit.pools.commands.listing import ListedPool, PoolListing

OK, FAILED, USAGE, NOTHING = 0, 1, 2, 3

# So that a row stays one line where nobody looks at a terminal.
_WIDE = 1_000

_DESCRIPTION = """The pools of clusters of an account and region, as EMR and the pools' own records have them.
Airflow is not asked, so that this shows what all Airflow environments of the account share."""

_EXAMPLES = """examples:
  emrkit pool list                             which pools there are, and how busy they are
  emrkit pool show medium                      its clusters, their steps, and who waits
  emrkit pool drain medium --cluster j-ABC     let one cluster finish its work, then end it
  emrkit pool delete medium                    end all of it
"""

_LIST_EXAMPLES = """examples:
  emrkit pool list
  emrkit pool list --region eu-west-1 --profile data
  emrkit pool list --pools-file pools.yaml     with how far each may grow, and those without clusters
  emrkit pool list --json | jq '.[].name'
"""

_SHOW_EXAMPLES = """examples:
  emrkit pool show medium
  emrkit pool show medium --team sales --json
"""

_DRAIN_EXAMPLES = """examples:
  emrkit pool drain medium                     no cluster of today gets more work; each ends when it is idle
  emrkit pool drain medium --cluster j-ABC --cluster j-DEF
"""

_DELETE_EXAMPLES = """examples:
  emrkit pool delete medium                    wait for the work that runs, then end all clusters
  emrkit pool delete medium --force            end them now, whatever runs on them
  emrkit pool delete medium --force --yes --no-wait
"""


def add_parser(commands: Any, formatter: type[argparse.HelpFormatter]) -> None:
    """Add ``pool`` and its commands to a parser.

    :param commands: What ``add_subparsers`` returned.
    """
    pool = commands.add_parser(
        "pool",
        help="see, drain and delete pools of clusters",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=formatter,
    )
    actions = pool.add_subparsers(dest="action", required=True, metavar="COMMAND")

    def action(name: str, run: Any, text: str, examples: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = actions.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=examples,
            formatter_class=formatter,
        )
        parser.set_defaults(run=partial(_run, run))
        return parser

    pools = action("list", _list, "show the pools that have clusters", _LIST_EXAMPLES)
    pools.add_argument("--pools-file", metavar="FILE", help="show the pools defined there, and their bounds")
    pools.add_argument("--json", action="store_true", help="print JSON")
    show = action("show", _show, "show a pool's clusters, what they do, and who waits", _SHOW_EXAMPLES)
    _add_name(show)
    show.add_argument("--json", action="store_true", help="print JSON")
    drain = action("drain", _drain, "let clusters finish their work, and give them no more", _DRAIN_EXAMPLES)
    _add_name(drain)
    drain.add_argument(
        "--cluster", action="append", default=[], metavar="ID", help="this one alone (may be repeated)"
    )
    delete = action("delete", _delete, "end all clusters of a pool", _DELETE_EXAMPLES)
    _add_name(delete)
    delete.add_argument("--force", action="store_true", help="end them now, whatever runs on them")
    delete.add_argument("--yes", "-y", action="store_true", help="do not ask")
    delete.add_argument("--no-wait", action="store_true", help="do not wait until they are gone")
    for parser in (pools, show, drain, delete):
        add_account_options(parser)


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of the pool")
    parser.add_argument("--team", help="whose pool it is, where several have one of the name")
    parser.add_argument(
        "--lease-uri",
        metavar="URI",
        help="where it is kept, where there are several: the pool's lease_uri, the staging_uri of Airflow's "
        "connection, or the lease object itself",
    )


def _run(run: Callable[[argparse.Namespace], int], given: argparse.Namespace) -> int:
    """Run a command; a name that does not lead to one pool is told by an exit code of its own."""
    from airflow_provider_emrkit.pools.commands.by_name import NoSuchPoolError, SeveralPoolsError
    from airflow_provider_emrkit.pools.commands.changing import UnclearError
    from airflow_provider_emrkit.validation import InvalidValueError

    try:
        return run(given)
    except NoSuchPoolError as error:
        _say_error(str(error))
        return NOTHING
    except (SeveralPoolsError, UnclearError, InvalidValueError) as error:
        _say_error(str(error))
        return USAGE


# --- seeing -----------------------------------------------------------------------------------------------


def _list(given: argparse.Namespace) -> int:
    from airflow_provider_emrkit.pools.commands.by_name import with_defined
    from airflow_provider_emrkit.pools.commands.views import pool_json, pools_table

    defined = None if given.pools_file is None else _defined(given.pools_file)
    listing = _listing(given)
    found = with_defined(listing, listing.pools(), defined or ())
    pools = [pool for pool, _ in found]
    if given.json:
        _say(json.dumps([pool_json(pool, definition) for pool, definition in found], indent=2))
        return OK
    if not pools:
        _say("no cluster of this account and region is in a pool")
        return OK
    _print(pools_table(pools, None if defined is None else [definition for _, definition in found]))
    _tell_problems(pools)
    return OK


def _defined(path: str) -> list[ClusterPool]:
    from airflow_provider_emrkit.compute.pools_file import load_pools

    try:
        return list(load_pools(path).values())
    except OSError as error:
        raise AccountError(f"{path} can't be read: {error.strerror}") from error


def _tell_problems(pools: Sequence[ListedPool]) -> None:
    from airflow_provider_emrkit.logs.text import one_line

    for pool in pools:
        if pool.problem:
            _say_error(f"who waits for pool {pool.name} is not known: {one_line(pool.problem)}")


def _show(given: argparse.Namespace) -> int:
    from airflow_provider_emrkit.pools.commands.views import clusters_table, facts_of, pool_json, steps_table

    pool = _find(given)
    if given.json:
        _say(json.dumps(pool_json(pool), indent=2))
        return OK
    tables = [facts_of(pool), clusters_table(pool), steps_table(pool)]
    for number, table in enumerate(table for table in tables if table.row_count):
        _say("") if number else None
        _print(table)
    return OK


# --- changing ---------------------------------------------------------------------------------------------


def _drain(given: argparse.Namespace) -> int:
    _change(given).drain(given.cluster)
    return OK


def _delete(given: argparse.Namespace) -> int:
    _change(given).delete(force=given.force, yes=given.yes, wait=not given.no_wait)
    return OK


def _change(given: argparse.Namespace) -> PoolChange:
    from airflow_provider_emrkit.pools.commands.changing import PoolChange, open_care

    return PoolChange(_find(given), partial(open_care, given), _say)


# --- what all of them need --------------------------------------------------------------------------------


def _find(given: argparse.Namespace) -> ListedPool:
    from airflow_provider_emrkit.pools.commands.by_name import find_pool

    return find_pool(_listing(given), given.name, given.team, given.lease_uri)


def _listing(given: argparse.Namespace) -> PoolListing:
    from airflow_provider_emrkit.pools.commands.listing import PoolListing

    session = open_session(given)
    emr = PatientClient(open_client(session, "emr", given), _patience())
    return PoolListing(emr, open_client(session, "s3", given))


def _patience() -> Callable[[float], bool]:
    """Give what waits while AWS throttles, and says so once."""
    said = threading.Lock()

    def wait(seconds: float) -> bool:
        if said.acquire(blocking=False):
            _say_error("AWS limits the rate of such calls; this takes a while")
        return _sleep(seconds)

    return wait


def _sleep(seconds: float) -> bool:
    return threading.Event().wait(seconds)


def _print(table: Any) -> None:
    from rich.console import Console

    console = Console() if sys.stdout.isatty() else Console(width=_WIDE)
    console.print(table)


def _say(text: str) -> None:
    print(text, flush=True)


def _say_error(text: str) -> None:
    print(f"emrkit: {text}", file=sys.stderr, flush=True)
