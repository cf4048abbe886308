"""The ``package.json`` that tells what a package consists of; ``PythonProject.read`` makes jobs of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from airflow_provider_emrkit.jobs.package_manifest import FORMAT


@dataclass(frozen=True)
class Manifest:
    r"""What a package consists of; files by their names beside it.

    :param kind: ``python`` or ``kedro``.
    :param name: Name of the project.
    :param version: Its version.
    :param module: What a run calls, as ``etl.cli:main``.
    :param entry_point: The script that Spark starts.
    :param wheel: The project's wheel.
    :param requirements: Its libraries, pinned.
    :param conf_source: Kedro's configuration.
    :param archive: The environment with Python, libraries and project.
    :param python: Version of the Python that runs it.
    :param release: Release of EMR it is for.
    :param architecture: ``x86_64`` or ``arm64``.
    :param image: Name of the image with Python, libraries and project.
    :param image_digest: Its digest, once it is pushed.
    :param image_python: Path of its Python.
    :param image_conf_source: Where Kedro's configuration is inside.
    :param files: All that was written beside it.

    >>> Manifest("python", "etl", "1.0", "etl", "entrypoint.py", "etl.whl", "requirements.txt").text()[:16]
    '{\n  "format": 1,'
    """

    kind: str
    name: str
    version: str
    module: str
    entry_point: str
    wheel: str
    requirements: str
    conf_source: str | None = None
    archive: str | None = None
    python: str = ""
    release: str = ""
    architecture: str = ""
    image: str | None = None
    image_digest: str | None = None
    image_python: str | None = None
    image_conf_source: str | None = None
    files: tuple[str, ...] = ()

    def text(self) -> str:
        """Write it as JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n"
