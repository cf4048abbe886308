"""Prints a numbered line each half second from inside the example's image, and needs no Spark for it."""

from __future__ import annotations

import sys
import time

import haversine

label, beats = sys.argv[1], int(sys.argv[2])
for number in range(beats):
    print(f"beat {number} of {label} with {haversine.__file__}", flush=True)
    time.sleep(0.5)
