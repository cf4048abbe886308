"""A docker engine of a test's own: its images are nobody else's, and hosts are where the test says."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import pytest
from docker_engine import missing
from waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from images.engine import Engine

_PROGRAMS = ("dockerd", "setpriv", "unshare", "mount")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# It ends with this process. Its mounts are its own: they hide the machine's hosts from nobody else.
_APART = ("setpriv", "--pdeathsig", "TERM", "unshare", "--mount", "sh", "-c")
# Its images are in memory, and gone with it: half a gigabyte.
_MOUNTED = 'mount --bind "$0/hosts" /etc/hosts && mount -t tmpfs tmpfs "$0/data" && exec dockerd "$@"'
# No networks for containers but the machine's, whose rules it leaves alone.
_NO_NETWORKS = ("--bridge=none", "--iptables=false", "--ip6tables=false")


@contextlib.contextmanager
def own_engine(hosts: Mapping[str, str], authority: Path) -> Iterator[Engine]:
    """Run an engine; nothing is left of it.

    :param hosts: Where hosts are for it, by their names, beside those of the machine.
    :param authority: The certificate of the only authority that it trusts.
    """
    from images.rootfs import remove

    check_machine()
    folder = Path(tempfile.mkdtemp(prefix="emrkit-engine-"))
    (folder / "data").mkdir()
    added = "".join(f"{address} {name}\n" for name, address in hosts.items())
    # Containers have the file, too: they look for the machine's own name.
    (folder / "hosts").write_text(f"{Path('/etc/hosts').read_text()}\n{added}")
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(
            [*_APART, _MOUNTED, folder, *_options(folder)],
            env={"PATH": _SYSTEM_PATH, "SSL_CERT_FILE": str(authority)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield _that_answers(folder, daemon)
    finally:
        daemon.terminate()
        daemon.wait(120)
        remove(folder)


def check_machine() -> None:
    """End a test where no such engine can be."""
    if os.geteuid() != 0:  # also where an engine is required, which need not be root's
        pytest.skip("an engine of its own takes root")
    absent = [one for one in _PROGRAMS if which(one, path=_SYSTEM_PATH) is None]
    if absent:
        missing(f"an engine of its own takes {', '.join(absent)}")


def _options(folder: Path) -> list[str]:
    places = {"data-root": "data", "exec-root": "exec", "pidfile": "pid"}
    own = [f"--{option}={folder / name}" for option, name in places.items()]
    return [f"--host=unix://{folder / 'socket'}", *own, *_NO_NETWORKS]


def _that_answers(folder: Path, daemon: subprocess.Popen[bytes]) -> Engine:
    from images.engine import Engine, EngineError

    named = {"DOCKER_HOST": f"unix://{folder / 'socket'}", "EMRKIT_ENGINE": "docker"}
    # A context of the user's would be another engine.
    user = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    engine = Engine("docker", {**user, **named})

    def answers() -> bool:
        # Its socket is there long before it does.
        with contextlib.suppress(EngineError):
            engine.run("ps", "--quiet", seconds=20)
            return True
        return daemon.poll() is not None

    with contextlib.suppress(AssertionError):
        wait_until(answers, "an engine", 120)
    try:
        return Engine.find(engine.environ)
    except EngineError as error:
        said = (folder / "log").read_text(errors="replace")[-500:]
        reason = f"{error}; {said}"
    return missing(reason)
