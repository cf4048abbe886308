"""When AWS's refusal to tell a run's state is believed: permissions and new clusters need time to spread."""

from __future__ import annotations

import time
from dataclasses import dataclass

from airflow_provider_emrkit.hooks.errors import is_denied, is_not_found

# Refusals in a row that are believed: permissions take a while to spread, and changed credentials to be
# noticed. Seconds after the first of them; each pause is longer than the one before.
REFUSALS = 4
REFUSAL_PAUSE = 10.0
# Seconds after its submission in which AWS may not know a run everywhere.
NEW = 60.0


@dataclass(slots=True)
class Tolerance:
    """Counts refusals in a row.

    >>> Tolerance().pause(ValueError("not AWS's"), submitted_at=0.0) is None
    True
    """

    refusals: int = 0

    def pause(self, error: BaseException, submitted_at: float) -> float | None:
        """Give the seconds until AWS is asked again; None for an error that is to be believed.

        :param submitted_at: When the youngest run that was asked for was submitted, in seconds since 1970.
        """
        may_pass = is_denied(error) or (is_not_found(error) and time.time() - submitted_at < NEW)
        if not may_pass or self.refusals + 1 >= REFUSALS:
            return None
        self.refusals += 1
        return REFUSAL_PAUSE * self.refusals

    def end(self) -> None:
        """AWS has answered."""
        self.refusals = 0
