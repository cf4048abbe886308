"""Renew the lock files in ``requirements/``: ``python3 dev/relock.py [--upgrade] [NAME…]``."""

from __future__ import annotations

from bootstrap import end_with, ensure_supported_python

if __name__ == "__main__":
    ensure_supported_python()
    from environments.relock import main

    end_with(main)
