"""Packages installed once per machine into the cache directory: Spark and Java from PyPI.

Each package gets a directory of its own, which appears complete (by a rename) or not at all, and a lock file,
so that two processes that want it install it once. An interrupted installation leaves a ``.partial``
directory, which the next one removes, and what it had downloaded, with which the next one goes on.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from airflow_provider_emrkit.localemr.spark.download import DownloadError, download, locate
from airflow_provider_emrkit.localemr.spark.transfer import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_emrkit.localemr.spark.versions import SparkVersion

__all__ = [
    "REPORT_EVERY", "InstallError", "NotPublishedError", "Package", "Progress", "ensure", "explain",
    "file_lock", "spark_home", "uv_environment", "uv_program",
]  # fmt: skip

REPORT_EVERY = 3.0
"""Seconds between two progress lines."""

_MIB = 1024 * 1024
# The sdist is downloaded, unpacked and built into a wheel before it is put in its place.
_ROOM_FACTOR = 4

# pip's settings that mean the same to uv; uv itself does not read them.
_PIP_TO_UV = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_CERT": "SSL_CERT_FILE",
}
_UV_ALIASES = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}

_MORE_ROOM = "free some, or set EMRKIT_CACHE_DIR to a directory on a larger disk."
_NO_SPACE = ("No space left on device", "os error 28", "Disk quota exceeded")
_UNKNOWN = (
    "No solution found",
    "there is no version of",
    "was not found in the package registry",
    "no wheels",
)
_UNREACHABLE = (
    "Failed to fetch",
    "error sending request",
    "Could not connect",
    "dns error",
    "timed out",
    "Connection refused",
    "Network connectivity is disabled",
)


class InstallError(Exception):
    """A package could not be installed; the message says why and how to mend it."""


class NotPublishedError(InstallError):
    """The package index has no such package for this machine."""


@dataclass(frozen=True)
class Package:
    """One package to have in the cache.

    :param name: Name on PyPI.
    :param version: Exact version.
    :param title: What the user calls it, e.g. ``Spark 3.5.6``.
    :param size_mb: Rough size of the download (MiB), for progress lines and the check of free space.
    :param source: Whether it is published as a source archive, which is then downloaded so that it can be
        interrupted.
    :param build_constraints: What its build must not take newer versions of.

    >>> Package("pyspark", "3.5.6", "Spark 3.5.6", 340).requirement
    'pyspark==3.5.6'
    """

    name: str
    version: str
    title: str
    size_mb: int
    source: bool = False
    build_constraints: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        """The requirement as pip and uv read it."""
        return f"{self.name}=={self.version}"


def spark_home(spark: SparkVersion, cache_dir: Path, progress: Progress) -> Path:
    """Give the SPARK_HOME of a version, installing it first when it is not there.

    :param progress: Called with one line of text every few seconds while something is downloaded.
    :raises InstallError: when it can't be installed.
    """
    package = Package(
        "pyspark", spark.version, f"Spark {spark.version}", spark.install_mb, True, spark.build_constraints
    )
    return ensure(package, cache_dir / "spark" / spark.version, progress) / "pyspark"


def ensure(package: Package, target: Path, progress: Progress) -> Path:
    """Have a package installed in a directory, without its dependencies; a directory that exists is complete.

    :param target: Directory that will hold the package's modules; its parent holds the lock file.
    :raises InstallError: when it can't be installed.
    """
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(target.with_name(f".{target.name}.lock"), package.title, progress):
            if not target.is_dir():
                _install(package, target, progress)
    except OSError as error:
        raise InstallError(f"{package.title}: can't write to {target.parent}: {error}.") from error
    return target


def uv_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Give uv the user's settings for pip as well, where uv has none of its own (index, certificates)."""
    env = dict(environ)
    for pip, uv in _PIP_TO_UV.items():
        if env.get(pip) and not env.get(uv) and not env.get(_UV_ALIASES.get(uv, uv)):
            env[uv] = env[pip]
    return env


def uv_program() -> str:
    """Find uv's program, which comes with the package ``uv``.

    :raises InstallError: when the package is not there.
    """
    try:
        from uv import find_uv_bin
    except ImportError as error:
        raise InstallError(
            "uv is not installed; mend it with: pip install 'airflow-provider-emrkit[local]'."
        ) from error
    return os.fspath(find_uv_bin())


@contextlib.contextmanager
def file_lock(path: Path, title: str, progress: Progress) -> Iterator[None]:
    """Hold a file lock; the kernel drops it when the process dies, so it can't be left behind.

    :param title: What the lock's holder makes, for the line shown while another process holds it.
    :param progress: Called every few seconds; what it raises ends the waiting.
    """
    with path.open("w") as file:
        pause = threading.Event()
        while not _locked(file):
            progress(f"waiting for another process that makes {title}")
            pause.wait(REPORT_EVERY)
        yield


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _install(package: Package, target: Path, progress: Progress) -> None:
    for stale in target.parent.glob(f".{target.name}.partial-*"):
        shutil.rmtree(stale, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent))
    try:
        # The user's own uv cache may hold it: then nothing is downloaded at all.
        made = partial / "offline"
        if _run_uv(package, made, ["--offline", package.requirement], lambda _: None):
            made = partial / "online"
            _download(package, target, made, progress)
        made.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _download(package: Package, target: Path, made: Path, progress: Progress) -> None:
    _check_room(package, target.parent)
    # Kept after a failure, so that the next attempt need not download everything again.
    downloads = target.parent / f".{target.name}.downloads"
    progress(f"installing {package.title} (about {package.size_mb} MB)")
    archive = _source(package, downloads, progress) if package.source else None
    what = os.fspath(archive) if archive else package.requirement
    options = ["--cache-dir", os.fspath(downloads), what]
    failure = _run_uv(package, made, options, progress, None if archive else downloads)
    if failure:
        raise explain(package, failure, target.parent)
    shutil.rmtree(downloads, ignore_errors=True)


def _source(package: Package, downloads: Path, progress: Progress) -> Path | None:
    """Download a source archive; None when uv has to find it."""
    environ = uv_environment(os.environ)
    file = locate(uv_program(), package.name, f"{package.name}-{package.version}.tar.gz", environ)
    if file is None:
        return None
    try:
        return download(file, downloads, package.title, progress, environ)
    except DownloadError as error:
        raise InstallError(f"{package.title}: {error}.") from error


def _check_room(package: Package, directory: Path) -> None:
    free, needed = shutil.disk_usage(directory).free // _MIB, package.size_mb * _ROOM_FACTOR
    if free < needed:
        raise InstallError(
            f"{package.title}: {directory} has {free} MB of free disk space, the installation needs about "
            f"{needed} MB; {_MORE_ROOM}"
        )


def _run_uv(
    package: Package, target: Path, options: list[str], progress: Progress, downloads: Path | None = None
) -> str | None:
    """Run uv once; give its output when it failed."""
    argv = [
        uv_program(),
        "pip",
        "install",
        "--no-deps",
        "--no-progress",
        "--no-python-downloads",
        "--color",
        "never",
    ]
    argv += ["--python", sys.executable, "--target", os.fspath(target), *options]
    with tempfile.TemporaryFile() as output, tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.writelines(f"{line}\n" for line in package.build_constraints)
        constraints.flush()
        if package.build_constraints:
            argv += ["--build-constraints", constraints.name]
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=uv_environment(os.environ)
        )
        try:
            _watch(process, package, progress, downloads)
        except BaseException:
            process.kill()
            process.wait()
            raise
        output.seek(0)
        return output.read().decode("utf-8", "replace") if process.returncode else None


def _watch(
    process: subprocess.Popen[bytes], package: Package, progress: Progress, downloads: Path | None
) -> None:
    started = time.monotonic()
    while not _ended(process, REPORT_EVERY):
        seconds = round(time.monotonic() - started)
        state = _stage(_size(downloads) // _MIB, package) if downloads else "unpacking, "
        progress(f"installing {package.title} (about {package.size_mb} MB) … {state}{seconds} s")


def _stage(arrived_mb: int, package: Package) -> str:
    """Say how far an installation is; the download is unpacked in the same place, several times as large."""
    if arrived_mb > package.size_mb:
        return "unpacking, "
    return f"{arrived_mb} MB so far, " if arrived_mb else ""


def _ended(process: subprocess.Popen[bytes], timeout: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout)
    return process.returncode is not None


def _size(directory: Path) -> int:
    """Give the bytes of all files below a directory."""
    total = 0
    for root, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(root) / name).lstat().st_size
    return total


def explain(package: Package, output: str, directory: Path) -> InstallError:
    """Turn what uv printed into an error that says what was wrong and how to mend it."""
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "no output")
    if any(text in output for text in _NO_SPACE):
        return InstallError(f"{package.title}: no space left on the disk of {directory}; {_MORE_ROOM}")
    if any(text in output for text in _UNREACHABLE):
        return InstallError(
            f"{package.title}: the package index can't be reached ({last}); check the network, or name a "
            "mirror in UV_DEFAULT_INDEX or PIP_INDEX_URL."
        )
    if any(text in output for text in _UNKNOWN):
        return NotPublishedError(
            f"{package.title}: the package index has no {package.requirement} for this machine; use "
            "another EMR release label, or name an index that has it in UV_DEFAULT_INDEX or PIP_INDEX_URL."
        )
    return InstallError(f"{package.title}: uv could not install {package.requirement}: {last}")
