"""Make the image of the example DAG in this machine's container engine: ``python3 dev/example_image.py``.

Its name is printed when it is there. It is made once: by debootstrap, which pulls no image, where root has
it; else from a public image.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from bootstrap import end_with, ensure_supported_python

if TYPE_CHECKING:
    from collections.abc import Sequence


def say(line: str) -> None:
    """Show one line of progress."""
    print(f"[image] {line}", file=sys.stderr, flush=True)


def main(_: Sequence[str]) -> int:
    """Make it and print its name; the exit code."""
    from environments.catalog import Layout
    from environments.command_line import ROOT
    from environments.problems import BootstrapError
    from images.engine import Engine, EngineError
    from images.example import ExampleImage

    try:
        print(ExampleImage(Engine.find(os.environ), Layout(ROOT), say).ensure())
    except (EngineError, BootstrapError) as error:
        text = str(error)
        print(text if text.startswith("error: ") else f"error: {text}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    ensure_supported_python()
    end_with(main)
