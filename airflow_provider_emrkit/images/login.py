"""A login to one registry that lasts as long as one push, and is nowhere else than in a directory of its own.

``docker login`` would put the token into the user's configuration, or into the keychain of the desktop, where
it stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PREFIX = "emrkit-login-"
_CONFIG = "config.json"
_LOCK = "lock"
# A directory has its lock a moment after it was made.
_NEW = 60.0

# What of the user's configuration is about logins, which would go before the one of this push.
_LOGINS = ("auths", "credsStore", "credHelpers")
# Logins of docker that would go before, too.
_IN_ENVIRONMENT = "DOCKER_AUTH_CONFIG"
# The user's contexts say where the engine is; without them docker would push from another.
_KEPT = ("contexts", "cli-plugins")


@contextlib.contextmanager
def logged_in(registry: str, auth: str, environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Log in to a registry; give the environment in which docker and podman know it.

    Everything else is as the user has configured it: where the engine is, proxies, plugins.

    :param registry: Its host.
    :param auth: User and password, ``user:password`` in base64, as ECR gives them.
    :param environ: The user's environment.

    >>> with logged_in(registry, token, os.environ) as login:  # doctest: +SKIP
    ...     engine.push(image, login)
    """
    place = _place(environ)
    clear_left(place)
    own = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    try:
        with _held(own):
            yield _written(own, registry, auth, environ)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def clear_left(place: Path) -> None:
    """Remove the logins of processes that were killed before they could do it."""
    for left in place.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if left.lstat().st_uid == os.getuid() and _is_left(left):
                shutil.rmtree(left, ignore_errors=True)


def _place(environ: Mapping[str, str]) -> Path:
    """Give where the login is kept: in memory where the system has such a place."""
    own = environ.get("XDG_RUNTIME_DIR", "")
    return Path(own) if own and os.access(own, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def _is_left(directory: Path) -> bool:
    try:
        lock = (directory / _LOCK).open("rb")
    except FileNotFoundError:
        return time.time() - directory.lstat().st_mtime > _NEW
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextlib.contextmanager
def _held(directory: Path) -> Iterator[None]:
    """Show that the directory is in use, until this is left or the process dies."""
    with (directory / _LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _written(directory: Path, registry: str, auth: str, environ: Mapping[str, str]) -> dict[str, str]:
    users = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/")) / ".docker")
    config = {**_without_logins(users / _CONFIG), "auths": {registry: {"auth": auth}}}
    file = directory / _CONFIG
    file.touch(mode=0o600)
    file.write_text(json.dumps(config), encoding="utf-8")
    for name in _KEPT:
        if (users / name).is_dir():
            (directory / name).symlink_to((users / name).resolve())
    changed = {"DOCKER_CONFIG": str(directory), "REGISTRY_AUTH_FILE": str(file)}
    return {name: value for name, value in {**environ, **changed}.items() if name != _IN_ENVIRONMENT}


def _without_logins(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = None
    if not isinstance(config, dict):
        # Docker goes on without it, too.
        return {}
    return {name: value for name, value in config.items() if name not in _LOGINS}
