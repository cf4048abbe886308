"""When a refusal of the credentials is believed at a pool: changed ones take a while to be noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emrkit.exceptions import AccessDeniedError
from airflow_provider_emrkit.pools.outcomes import Refused, Waits
from airflow_provider_emrkit.runs.tolerance import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.pools.outcomes import Outcome


class PoolRefusals:
    """Counts rounds in a row in which AWS refuses the credentials.

    A worker's round comes before, so that those who lack a permission hear of it at once.

    >>> PoolRefusals().tolerated({"c66c9179a54ad449-0-1": Refused(AccessDeniedError("expired"))})
    {'c66c9179a54ad449-0-1': Waits(words='expired', ahead=0)}
    """

    def __init__(self) -> None:
        self._in_a_row = 0

    @property
    def may_pass(self) -> bool:
        """Whether the last round was refused and that is not believed yet."""
        return 0 < self._in_a_row < REFUSALS

    def tolerated(self, outcomes: Mapping[str, Outcome]) -> Mapping[str, Outcome]:
        """Let those wait whose refusal may pass."""
        denied = {
            token: Waits(str(one.error))
            for token, one in outcomes.items()
            if isinstance(one, Refused) and isinstance(one.error, AccessDeniedError)
        }
        self._in_a_row = self._in_a_row + 1 if denied else 0
        return {**outcomes, **denied} if self.may_pass else outcomes
