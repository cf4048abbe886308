"""The trigger that watches a submitted job while its task is deferred."""

from __future__ import annotations
