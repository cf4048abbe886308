"""How often rounds are made: EMR's quotas are those of the whole account, and runs are watched too."""

from __future__ import annotations

import random

# A round of many clusters takes as long as EMR's quota makes it; the pause after it is so many times that.
REST = 2.0


def pause_after(took: float, usual: float) -> float:
    """Give the seconds between the end of a round and the next one.

    :param took: Seconds that the round took.
    :param usual: The shortest pause.

    >>> 60.0 <= pause_after(30.0, usual=10.0) <= 72.0
    True
    """
    return max(usual, REST * took) * random.uniform(1.0, 1.2)
