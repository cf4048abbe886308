"""Run the checks of this repository: ``python3 dev/checks.py [STAGE…]``; those but chaos by default.

Each stage runs in an environment of its own, which is made first. All stages are run even when one fails; the
closing table says how each of them ended.
"""

from __future__ import annotations

from bootstrap import end_with, ensure_supported_python

if __name__ == "__main__":
    ensure_supported_python()
    from stages.command_line import main

    end_with(main)
