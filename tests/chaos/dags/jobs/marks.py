"""Leaves marks in a file while it runs, so that everybody can see how often it ran, and when.

With each mark it writes a line into its log, with the same number.

Its arguments: the file, the number of the try, seconds to run, the exit code.
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid

PAUSE = 0.25

path, try_number, seconds, exit_code = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
execution = uuid.uuid4().hex
marks = 0


def mark(event: str) -> None:
    """Append a line in one write, so that two executions can't mix theirs."""
    global marks
    marks += 1
    print(f"execution {execution} mark {marks}", flush=True)
    line = {"execution": execution, "event": event, "at": time.time(), "try": try_number, "mark": marks}
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, json.dumps(line).encode() + b"\n")
    os.close(file)


mark("start")
until = time.monotonic() + seconds
while time.monotonic() < until:
    time.sleep(PAUSE)
    mark("alive")
mark("end")
print(f"execution {execution} of try {try_number} ends with {exit_code}", flush=True)
sys.exit(exit_code)
