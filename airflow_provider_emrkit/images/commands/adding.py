"""What the commands of ``emrkit image`` have in common."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_emrkit.images.building import BuildError
from airflow_provider_emrkit.images.engine import CHOSEN, ENGINES, EngineError
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from types import FrameType

OK, FAILED, USAGE, NOTHING = 0, 1, 2, 3

# What ends a program that does not listen to it, so that nothing of it would be cleared away.
_ENDS = (signal.SIGTERM, signal.SIGHUP)


class Adding:
    """Adds commands to the parser of ``emrkit image``.

    :param actions: What its ``add_subparsers`` returned.
    :param formatter: Of the help texts.

    >>> Adding(actions, formatter).command("push", run, "push it", "examples: …")  # doctest: +SKIP
    """

    def __init__(self, actions: Any, formatter: type[argparse.HelpFormatter]) -> None:
        self._actions = actions
        self._formatter = formatter

    def command(
        self,
        name: str,
        run: Callable[[argparse.Namespace], int],
        text: str,
        examples: str,
        description: str = "",
    ) -> argparse.ArgumentParser:
        """Add a command.

        :param run: Gets what was given, and gives the exit code. It may raise what is told to the user:
            ``EngineError`` (exit code 1), ``InvalidValueError`` (2).
        :param text: The command in one line.
        :param examples: Shown below its options.
        :param description: Shown above its options; the one line by default.
        """
        parser: argparse.ArgumentParser = self._actions.add_parser(
            name,
            help=text,
            description=description or f"{text[0].upper()}{text[1:]}.",
            epilog=examples,
            formatter_class=self._formatter,
        )
        parser.set_defaults(run=partial(_run, run))
        return parser


def add_engine_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--engine``; without it ``engine`` is None, for what the environment chooses."""
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        help=f"container engine to use (default: {CHOSEN}, else the first that is installed)",
    )


def say(text: str) -> None:
    """Tell the user what was asked for."""
    print(text, flush=True)


def say_error(text: str) -> None:
    """Tell the user what is no answer: problems, and what goes on."""
    print(f"emrkit: {text}", file=sys.stderr, flush=True)


def _run(run: Callable[[argparse.Namespace], int], given: argparse.Namespace) -> int:
    try:
        with _cleared_away():
            return run(given)
    except EngineError as error:
        say_error(str(error))
        return error.code if isinstance(error, BuildError) else FAILED
    except InvalidValueError as error:
        say_error(str(error).removeprefix(f"{error.owner}."))
        return USAGE


@contextlib.contextmanager
def _cleared_away() -> Iterator[None]:
    """Let a signal that would end this process at once leave as an exception does, past every ``finally``."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Not one that is ignored, as by nohup, or that somebody else listens to.
    ends = [number for number in _ENDS if signal.getsignal(number) is signal.SIG_DFL]
    for number in ends:
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number in ends:
            signal.signal(number, signal.SIG_DFL)


def _leave(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    # Only once: a second signal must not break off the clearing away.
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)
