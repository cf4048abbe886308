"""A world with a clock of its own, in which many processes use one pool."""

from __future__ import annotations
