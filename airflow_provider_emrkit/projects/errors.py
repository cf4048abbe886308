"""The error of a project that can't be packaged."""

from __future__ import annotations


class PackagingError(Exception):
    """A project can't be packaged; the message says why, and how to mend it.

    :param problem: What is wrong, a sentence without a full stop.
    :param mend: What to do about it.

    >>> print(PackagingError("the project has no modules", "name its directory"))
    the project has no modules; name its directory
    """

    def __init__(self, problem: str, mend: str) -> None:
        self.problem = problem
        self.mend = mend
        super().__init__(problem, mend)

    def __str__(self) -> str:
        return f"{self.problem}; {self.mend}" if self.mend else self.problem
