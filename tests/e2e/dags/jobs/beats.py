"""Prints a numbered line each half second, as many as the command line says, and needs no Spark for it."""

from __future__ import annotations

import sys
import time

label, beats = sys.argv[1], int(sys.argv[2])
for number in range(beats):
    print(f"beat {number} of {label}", flush=True)
    time.sleep(0.5)
