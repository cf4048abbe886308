"""The life of one submitted job: its identity, handle, states and the protocol every compute speaks."""

from __future__ import annotations
