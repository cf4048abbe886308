"""One module for each pipeline."""

from __future__ import annotations
