"""When a run that AWS does not list is believed to be lost."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_emrkit.runs.tolerance import NEW

# Looks in a row, and seconds between the first and the last of them, in which AWS has to leave a run out
# before that is believed.
UNLISTED_LOOKS = 3
UNLISTED_FOR = 30.0


@dataclass
class Unlisted:
    """Runs that AWS left out at the last looks. Threads may share it.

    :param looks: By their ids: in how many looks, and since when.

    >>> unlisted = Unlisted()
    >>> [unlisted.is_lost("s-1", age=90.0, clock=clock) for clock in (0.0, 20.0, 40.0)]
    [False, False, True]
    """

    looks: dict[str, tuple[int, float]] = field(default_factory=dict)

    def is_lost(self, run_id: str, *, age: float, clock: float) -> bool:
        """Count a look that left a run out, and tell whether that is believed.

        :param age: Seconds since its submission: what is new may not be known everywhere.
        :param clock: Now, in seconds that only go up.
        """
        looks, since = self.looks.get(run_id, (0, clock))
        self.looks[run_id] = (looks + 1, since)
        return age >= NEW and looks + 1 >= UNLISTED_LOOKS and clock - since >= UNLISTED_FOR

    def forget(self, run_id: str) -> None:
        """Begin anew with a run: it was listed, or is over."""
        self.looks.pop(run_id, None)
