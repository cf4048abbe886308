"""Makes text that a job wrote safe to show: it may hold anything."""

from __future__ import annotations

import re

# A longer line tells nobody more, and the log viewer chokes on it.
MAX_CHARACTERS = 4_096
# An event of CloudWatch may hold a hundred thousand lines of next to nothing.
MAX_EVENT_LINES = 1_000

# Terminal escapes: CSI … letter, OSC … BEL or ST, and the two-character ones.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# All controls but tab, the separators that some viewers take for the end of a line, and what turns the order
# of the characters around.
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# What Airflow's viewers fold the lines after, until they meet the end of it.
_GROUPS = re.compile(r"(::|##\[)(?=(?:end)?group(?:::|\]))")
# One state of a progress bar, as Spark, tqdm and pip draw them over one another.
_PROGRESS = re.compile(r"\[Stage \d+:|\d%|(?<![\d/])\d+\s*/\s*\d+(?![\d/])|^\s*$")


def clean_lines(message: str) -> list[str]:
    r"""Split a log event into lines that are safe to show.

    Terminal escapes are removed, control characters written out, over-long lines cut. Of a progress bar the
    state that a terminal would show in the end is kept.

    >>> clean_lines("\x1b[31mred\x1b[0m\nbell\x07")
    ['red', 'bell\\x07']
    >>> clean_lines("[Stage 1:>  (0 + 2) / 8]\r[Stage 1:=> (4 + 2) / 8]\r")
    ['[Stage 1:=> (4 + 2) / 8]']
    """
    if _is_plain(message):
        return [message]
    lines = message.rstrip("\r\n").replace("\r\n", "\n").split("\n")
    return [clean_line(part) for line in lines for part in _overwritten(line)]


def event_lines(message: str) -> list[str]:
    """Split a log event as :func:`clean_lines` does, into at most :data:`MAX_EVENT_LINES` lines and one more.

    Of more, the first and the last are given, with a line between them that says how many are missing.
    """
    lines = clean_lines(message)
    left_out = len(lines) - MAX_EVENT_LINES
    if left_out <= 0:
        return lines
    head = MAX_EVENT_LINES // 2
    return [*lines[:head], f"… {left_out:,} lines of this event left out here …", *lines[head + left_out :]]


def clean_line(line: str, maximum: int = MAX_CHARACTERS) -> str:
    """Make one line safe to show; see :func:`clean_lines`.

    :param maximum: Characters to keep; what is cut is counted in the line.
    """
    if _is_plain(line) and len(line) <= maximum:
        return line
    # Cut first, so that a huge line costs no more than a long one.
    left_out = len(line) - maximum
    if left_out > 0:
        line = f"{line[:maximum]} … ({left_out:,} more characters)"
    shown = _CONTROLS.sub(_written_out, _ESCAPES.sub("", line))
    return _GROUPS.sub(_parted, shown) if "group" in shown else shown


def _is_plain(text: str) -> bool:
    """Whether there is nothing to do about a line, as there is about few."""
    return text.isascii() and text.isprintable() and len(text) <= MAX_CHARACTERS and "group" not in text


def _overwritten(line: str) -> list[str]:
    """Part a line at its carriage returns, without the states of a progress bar that others overwrite."""
    if "\r" not in line:
        return [line]
    parts = line.split("\r")
    while len(parts) > 1 and not parts[-1].strip():
        parts.pop()  # a bar that was wiped out, or is to be drawn over
    return [*(part for part in parts[:-1] if not _PROGRESS.search(part)), parts[-1]]


def one_line(text: str, maximum: int = 300) -> str:
    r"""Make text fit into a sentence: one line, safe, short.

    >>> one_line("first\n  second")
    'first second'
    """
    return clean_line(" ".join(text.split()), maximum)


def _written_out(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode("ascii")


def _parted(match: re.Match[str]) -> str:
    return ": :" if match.group() == "::" else "## ["
