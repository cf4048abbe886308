"""What makes ``.master("yarn")`` in Python code mean this machine.

Code that names its master overrules ``spark-submit`` and all configuration; there is no YARN to connect to
here. Python reads a module ``sitecustomize`` at its start: ours does not let code set that (and what else is
fitted to this machine), and then runs the machine's own ``sitecustomize``, which it hides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# For every Python that a Spark takes, from 3.4 on.
_SITE = '''"""Runs at the start of every Python here: a YARN that is named in code is this machine."""
import atexit
import importlib.util
import sys
from importlib.machinery import ModuleSpec, PathFinder

FITTED = {fitted!r}


def stop():
    """End the executors before the JVM ends: it would try to start others in their place."""
    context = getattr(sys.modules.get("pyspark"), "SparkContext", None)
    active = getattr(context, "_active_spark_context", None)
    if active is not None:
        py4j = getattr(sys.modules.get("py4j.protocol"), "Py4JError", OSError)
        try:
            active.stop()
        except (EOFError, OSError, py4j):
            # The JVM is gone, as the job has said by itself.
            pass


def adapt(conf):
    if {stops!r}:
        atexit.register(stop)
    original = conf.set

    def set(self, key, value):
        if key in FITTED or (key == "spark.master" and str(value).startswith("yarn")):
            # What spark-submit, or the configuration, has said holds.
            return self
        return original(self, key, value)

    conf.set = set


class Adapted(object):
    """Finds pyspark.conf, once, and changes it."""

    def find_spec(self, name, path=None, target=None):
        if name != "pyspark.conf":
            return None
        sys.meta_path.remove(self)
        self.module = importlib.import_module(name)
        # While it is there, an import in progress takes it for what it looks for, and loads it once more.
        del sys.modules[name]
        adapt(self.module.SparkConf)
        return ModuleSpec(name, self, origin=self.module.__file__)

    def create_module(self, spec):
        return self.module

    def exec_module(self, module):
        pass


sys.meta_path.insert(0, Adapted())
other = PathFinder.find_spec("sitecustomize", [folder for folder in sys.path if folder != {folder!r}])
if other is not None and other.loader is not None and hasattr(other.loader, "exec_module"):
    other.loader.exec_module(importlib.util.module_from_spec(other))
'''


def write_python_site(folder: Path, fitted: Sequence[str] = (), *, stops: bool = False) -> None:
    """Write the module into a folder that is to come first in ``PYTHONPATH``.

    :param fitted: Properties that code does not change.
    :param stops: Stop Spark at the end of a program that does not do so itself.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = ("spark.submit.deployMode", *fitted)
    text = _SITE.format(fitted=kept, stops=stops, folder=str(folder))
    (folder / "sitecustomize.py").write_text(text, encoding="utf-8")
