"""What a text in a log can be about."""

from __future__ import annotations

import re
from dataclasses import dataclass

# What a failure can be about.
MEMORY = "memory"
DOCKER = "docker"
NODE = "node"
DENIED = "denied"
NOT_FOUND = "not_found"


@dataclass(frozen=True)
class Signal:
    """One text that tells what a failure is about.

    :param about: ``memory``, ``docker``, ``node``, ``denied`` or ``not_found``; empty for none of these.
    :param pattern: The text; only what it matches is quoted when it is found in a log.
    :param hint: What may help.
    :param parts: What a line of a log must hold one of, for a signal that tells as much there as in an
        exception's message. What a program may log and survive has none.
    :param by_yarn: Whether only YARN, EMR and Docker say it: a program may print the same words.

    >>> Signal.of(NODE, "Slave lost", "take On-Demand instances", "Slave lost").about
    'node'
    """

    about: str
    pattern: re.Pattern[str]
    hint: str
    parts: tuple[str, ...] = ()
    by_yarn: bool = False

    @classmethod
    def of(cls, about: str, pattern: str, hint: str, *parts: str) -> Signal:
        """Make one of a pattern's text."""
        return cls(about, re.compile(pattern), hint, parts)
