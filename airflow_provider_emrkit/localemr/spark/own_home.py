"""A SPARK_HOME for one command, whose executors' directories are below it.

The workers of Spark's ``local-cluster`` make their executors' directories in ``work`` below SPARK_HOME, which
all commands share: this one is links to the shared one, and a ``work`` of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SHARED_HOME = "EMRKIT_SPARK_HOME"
"""Environment variable with the shared SPARK_HOME, whose jars are those that a class-data archive knows."""

WORK = "work"
"""Where each application has a directory, in it one for each executor by its number."""


def make_own_home(directory: Path, shared: Path) -> Path:
    """Make a SPARK_HOME.

    :param directory: The directory to make.
    :param shared: The installed Spark.
    :returns: ``directory``.
    """
    (directory / WORK).mkdir(parents=True)
    for entry in shared.iterdir():
        if entry.name != WORK:
            (directory / entry.name).symlink_to(entry)
    return directory
