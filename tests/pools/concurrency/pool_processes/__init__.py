"""Many real processes that use one pool of a local EMR."""

from __future__ import annotations
