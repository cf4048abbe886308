"""What it costs to wait for many deferred EMR steps: emrkit's trigger beside the amazon provider's."""

from __future__ import annotations
