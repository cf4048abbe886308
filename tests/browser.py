"""A real browser, for the tests that click.

They are skipped where there is none; with ``CI`` and ``EMRKIT_BROWSER=required`` set they fail instead, so
that a CI which was to have one can't lose it without a word.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium that is driven by playwright; ``browser.new_page()`` is a user's who is not logged in."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        reason = f"no browser: none of {', '.join(NAMES)} is on the PATH (Debian: apt-get install chromium)"
        if os.environ.get("CI") and os.environ.get("EMRKIT_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Its sandbox does not start as root, as which most CIs run; it only sees this machine's own pages.
        options = ["--no-sandbox", "--no-proxy-server"]
        started = playwright.chromium.launch(executable_path=program, args=options, timeout=120_000)
        yield started
        started.close()
