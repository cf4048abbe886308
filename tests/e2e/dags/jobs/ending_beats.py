"""Prints a numbered line each half second until a file is there, and needs no Spark for it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

label, most, end = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
number = 0
while number < most and not end.exists():
    print(f"beat {number} of {label}", flush=True)
    number += 1
    time.sleep(0.5)
print(f"ended after {number} beats", flush=True)
