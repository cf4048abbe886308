"""The command ``emrkit package``."""

from __future__ import annotations
