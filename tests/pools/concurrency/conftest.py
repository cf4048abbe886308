"""The concurrency of pools: where it finds its own modules."""

from __future__ import annotations

import sys
from pathlib import Path

# Test directories are no packages.
sys.path.append(str(Path(__file__).parent))
