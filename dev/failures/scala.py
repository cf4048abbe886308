"""Compiles jobs with the Scala compiler that comes with a cluster's Spark."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Compiler:
    """A Spark's Scala compiler.

    :param java: Java's program.
    :param jars: The directory of Spark's jars.
    :param folder: Where sources and jars are put.

    >>> Compiler(java, Path("/usr/lib/spark/jars"), folder).jar("Job", source)  # doctest: +SKIP
    """

    java: Path
    jars: Path
    folder: Path

    def jar(self, name: str, source: str, *libraries: Path) -> Path:
        """Compile a source to ``<name>.jar``.

        :param libraries: Jars it needs beside Spark's.
        """
        file, made = self.folder / f"{name}.scala", self.folder / f"{name}.jar"
        file.write_text(source, encoding="utf-8")
        class_path = ":".join([f"{self.jars}/*", *map(os.fspath, libraries)])
        compiler = [os.fspath(self.java), "-cp", class_path, "scala.tools.nsc.Main", "-usejavacp", "-nowarn"]
        argv = [*compiler, "-d", os.fspath(made), file.name]
        subprocess.run(argv, cwd=self.folder, check=True, env={"PATH": os.defpath}, timeout=180)
        return made
