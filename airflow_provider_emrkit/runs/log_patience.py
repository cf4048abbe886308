"""How long a search waits for logs that EMR has not put where they are looked for."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_emrkit.logs.causes import LogText

log = logging.getLogger(__name__)

# Seconds between two looks for logs that EMR has not put on S3 yet.
LOOK_EVERY = 5.0


@dataclass
class LogPatience:
    """How long logs are waited for, all together.

    :param seconds: How long at most.
    :param pause: Waits some seconds; gives True when the task is to stop.

    >>> LogPatience(60.0, stop.wait).until(bool, read_logs, "s3://logs/j-1/")  # doctest: +SKIP
    """

    seconds: float
    pause: Callable[[float], bool]
    used: bool = False
    _until: float = field(init=False)

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.seconds

    def wait(self, where: str) -> bool:
        """Wait until the next look makes sense; gives False when it's no use to wait any longer."""
        left = self._until - time.monotonic()
        if left <= 0:
            return False
        if not self.used:
            self.used = True
            log.info("Waiting up to %.0f s for the logs that EMR puts to %s", self.seconds, where)
        return not self.pause(min(LOOK_EVERY, left))

    def until(
        self,
        ready: Callable[[Sequence[LogText]], bool],
        look: Callable[[], Sequence[LogText]],
        where: str,
    ) -> Sequence[LogText]:
        """Look again and again until what is found suffices; gives what was found last."""
        found = look()
        while not ready(found) and self.wait(where):
            found = look() or found
        return found
