"""Makes text that a job wrote safe to show: it may hold anything."""

from __future__ import annotations

import re

# A longer line tells nobody more, and the log viewer chokes on it.
MAX_CHARACTERS = 4_096

# Terminal escapes: CSI … letter, OSC … BEL or ST, and the two-character ones.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# All controls but tab, the separators that some viewers take for the end of a line, and what turns the order
# of the characters around.
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n|\n|\r")


def clean_lines(message: str) -> list[str]:
    r"""Split a log event into lines that are safe to show.

    Terminal escapes are removed, control characters written out, over-long lines cut.

    >>> clean_lines("\x1b[31mred\x1b[0m\nbell\x07")
    ['red', 'bell\\x07']
    """
    return [clean_line(line) for line in _LINE_ENDS.split(message.rstrip("\r\n"))]


def clean_line(line: str, maximum: int = MAX_CHARACTERS) -> str:
    """Make one line safe to show; see :func:`clean_lines`.

    :param maximum: Characters to keep; what is cut is counted in the line.
    """
    # Cut first, so that a huge line costs no more than a long one.
    left_out = len(line) - maximum
    if left_out > 0:
        line = f"{line[:maximum]} … ({left_out:,} more characters)"
    return _CONTROLS.sub(_written_out, _ESCAPES.sub("", line))


def one_line(text: str, maximum: int = 300) -> str:
    r"""Make text fit into a sentence: one line, safe, short.

    >>> one_line("first\n  second")
    'first second'
    """
    return clean_line(" ".join(text.split()), maximum)


def _written_out(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode("ascii")
