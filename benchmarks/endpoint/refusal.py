"""How AWS says no."""

from __future__ import annotations


class RefusedError(Exception):
    """The answer is an error of AWS.

    :param code: For example ``ValidationException``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
