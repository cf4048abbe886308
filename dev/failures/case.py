"""A job that fails, and what a reader of its logs would name as the cause."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

SPARK_33, SPARK_35, SPARK_40 = "emr-6.9.0", "emr-7.11.0", "emr-spark-8.0.0"
CLIENT, CLUSTER = "client", "cluster"

REAL = "real run on localemr"

Run = tuple[str, str]
"""An EMR release and a deploy mode."""

# The end of the line, in a job's source, that a traceback should lead to; it never reaches the job.
_MARK = re.compile(r"  (?:#|//) fails$", re.MULTILINE)
_MINORS = {SPARK_33: "3.3", SPARK_35: "3.5", SPARK_40: "4.0"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One failure, on one or several Sparks.

    :param name: Its name; the Python job is called so, with underscores.
    :param runs: What it runs on.
    :param contains: What the cause's message must contain: one text, or one for each Spark minor version.
    :param error: The exception's type.
    :param about: What it is about, as in :class:`airflow_provider_emrkit.logs.causes.Cause`.
    :param script: File name of the Python job, where it matters.
    :param job: Python source of the job; the line that fails ends in ``# fails``.
    :param scala: Scala source of the job instead, an object ``Job``; its line ends in ``// fails``.
    :param library: Scala source of what the Scala job is compiled with.
    :param shipped: Scala source of what it is run with (``--jars``) instead.
    :param compiled_for: Release whose Scala it is compiled by; its own by default.
    :param modules: Further Python files, by name: shipped as one zip in ``--py-files``.
    :param data: Files that the job finds at ``s3://data-lake/<name>/``.
    :param main_class: The class that is named to spark-submit.
    :param options: Options of ``spark-submit``. In them, ``args`` and ``command``, ``{python}`` is the
        cluster's Python and ``{other}`` one of another version.
    :param args: The job's arguments.
    :param command: The step's whole command instead.
    :param executors: Whether executors are threads of the driver or processes, with logs of their own.

    >>> from failures.cases import CASES
    >>> [case.name for case in CASES][:1]
    ['missing-module']
    """

    name: str
    runs: tuple[Run, ...]
    contains: str | Mapping[str, str]
    error: str
    about: str = ""
    script: str = ""
    job: str = ""
    scala: str = ""
    library: str = ""
    shipped: str = ""
    compiled_for: str = ""
    main_class: str = "Job"
    modules: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    executors: Literal["threads", "processes"] = "threads"

    @property
    def file(self) -> str:
        """Name of its Python job."""
        return self.script or f"{self.name.replace('-', '_')}.py"

    @property
    def place(self) -> str:
        """The line that fails, e.g. ``missing_module.py line 3``; empty when there is none."""
        for name, source in {self.file: self.job, "Job.scala": self.scala, **self.modules}.items():
            for number, line in enumerate(source.splitlines(), 1):
                if _MARK.search(line):
                    return f"{name.rpartition('/')[2]} line {number}"
        return ""

    def expected(self, release: str) -> str:
        """Give what the cause's message must contain on a release."""
        return self.contains if isinstance(self.contains, str) else self.contains[minor(release)]


def unmarked(source: str) -> str:
    """Give a source as the job runs it."""
    return _MARK.sub("", source)


def minor(release: str) -> str:
    """Give the Spark minor version of a release.

    >>> minor("emr-7.11.0")
    '3.5'
    """
    return _MINORS[release]


def folder_name(name: str, run: Run) -> str:
    """Name a run's folder in the corpus.

    >>> folder_name("missing-module", ("emr-7.11.0", "cluster"))
    'missing-module-3.5-cluster'
    """
    release, mode = run
    return f"{name}-{minor(release)}-{mode}"
