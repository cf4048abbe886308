"""Named groups of clusters that share the work: choosing one, leases, growing, retiring."""

from __future__ import annotations
