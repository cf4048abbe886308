"""Virtual environments by name, made from lock files with a uv of our own."""

from __future__ import annotations
