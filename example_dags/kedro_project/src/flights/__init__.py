"""Two pipelines over the flights that left New York in 2013."""

from __future__ import annotations

__version__ = "1.0.0"
