"""A Kedro project's configuration as one archive, without what is of one developer, and without secrets.

``kedro package`` leaves out ``local/*.yml`` alone. Kedro reads the archive by ``--conf-source``, and takes
the one directory at its top for the configuration.
"""

from __future__ import annotations

import io
import os
import shlex
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emrkit.logs.text import one_line
from airflow_provider_emrkit.projects.errors import PackagingError
from airflow_provider_emrkit.projects.kedro_settings import CONF
from airflow_provider_emrkit.projects.secrets import named_secret, written_secrets
from airflow_provider_emrkit.projects.tar_gz import writing

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from airflow_provider_emrkit.projects.kedro_settings import KedroSettings
    from airflow_provider_emrkit.projects.secrets import Written

# A file of this size is no configuration.
MAX_BYTES = 50_000_000
# Of so many secrets beside the first one an error tells the place.
_SHOWN = 4


@dataclass(frozen=True)
class PackedConf:
    """What became of a configuration.

    :param files: What is in the archive, relative to the configuration's directory.
    :param left_out: What is not, and why.
    :param allowed: What looks like a secret and was said to be none.

    >>> pack_conf(settings, Path("conf-sales.tar.gz")).left_out  # doctest: +SKIP
    {'local': 'it is of one developer', 'base/credentials.yml': 'it holds credentials'}
    """

    files: tuple[str, ...]
    left_out: Mapping[str, str]
    allowed: tuple[str, ...] = ()


def pack_conf(settings: KedroSettings, target: Path, allowed: Collection[str] = ()) -> PackedConf:
    """Write a project's configuration into an archive; the same files give the same bytes.

    :param allowed: Places of texts that look like a secret and are none, each as the error names it:
        ``base/parameters.yml:reset_password``.
    :raises PackagingError: when there is none, or a file holds a secret that would go with it.
    """
    conf = settings.conf
    if not conf.is_dir():
        mend = "make it, or name the directory by CONF_SOURCE in settings.py"
        raise PackagingError(f"there is no directory {conf} with the configuration", mend)
    found = _Found(conf.resolve(), settings.local)
    found.look(conf.resolve())
    if not found.files:
        raise PackagingError(f"{conf} holds no configuration for a run", "put it into conf/base")
    contents = {name: _content(path, name) for name, path in sorted(found.files.items())}
    _check_secrets(contents, allowed)
    with writing(target) as archive:
        for name in sorted(found.directories):
            archive.addfile(_member(name, tarfile.DIRTYPE))
        for name, content in contents.items():
            archive.addfile(_member(name, tarfile.REGTYPE, len(content)), io.BytesIO(content))
    return PackedConf(tuple(contents), dict(sorted(found.left_out.items())), tuple(sorted(set(allowed))))


# --- what goes in -----------------------------------------------------------------------------------------


@dataclass
class _Found:
    """What a configuration's directory holds.

    :param conf: The directory, without links in its path.
    :param local: Its environment of one developer.
    """

    conf: Path
    local: str
    # The directory itself is at the top of the archive.
    directories: list[str] = field(default_factory=lambda: [""])
    files: dict[str, Path] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def look(self, directory: Path) -> None:
        """Take in what a directory holds, and what those in it do."""
        for entry in os.scandir(directory):
            path = Path(entry.path)
            name = path.relative_to(self.conf).as_posix()
            why = self._unwanted(name) or (self._misleading(path) if entry.is_symlink() else "")
            if why:
                self.left_out[name] = why
            elif entry.is_dir(follow_symlinks=False):
                self.directories.append(name)
                self.look(path)
            elif entry.is_file():
                self.files[name] = path
            else:
                self.left_out[name] = "it is no file"
            # Kedro looks for the environment of its default, even where nothing is in it.
            if name == self.local and entry.is_dir():
                self.directories.append(name)

    def _unwanted(self, name: str) -> str:
        """Say why something of this name, or inside of it, stays here; empty when it does not."""
        parts = name.split("/")
        if parts[0] == self.local:
            return "it is of one developer"
        if any(part.startswith(".") for part in parts):
            return "it is hidden"
        if named_secret(name):
            return "it holds credentials"
        return ""

    def _misleading(self, link: Path) -> str:
        """Say why a link is not followed; empty when its file is one that goes in."""
        target = link.resolve()
        if not target.is_relative_to(self.conf):
            return "it is a link out of the configuration"
        if target.is_dir():
            return "it is a link to a directory"
        why = self._unwanted(target.relative_to(self.conf).as_posix())
        return why and f"it is a link, and what it leads to stays here: {why}"


def _content(path: Path, name: str) -> bytes:
    """Read a file of the configuration."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PackagingError(f"{one_line(name)} can't be read: {error.strerror}", "mend it") from error
    if len(content) > MAX_BYTES:
        mend = "keep data in S3, and name it in the catalog"
        raise PackagingError(f"{one_line(name)} is larger than {MAX_BYTES // 1_000_000} MB", mend)
    return content


def _check_secrets(contents: Mapping[str, bytes], allowed: Collection[str]) -> None:
    """See that no file holds a key or a password, except what was said to be none."""
    unused = set(allowed)
    found, harmless = [], []
    for name, content in contents.items():
        for written in written_secrets(content):
            place = f"{name}:{written.place}"
            unused.discard(place)
            if written.is_key or place not in allowed:
                found.append((name, written))
                harmless += [] if written.is_key else [place]
    if found:
        raise _held(found, harmless)
    if unused:
        place = min(unused)
        problem = f"--allow-text {one_line(place)} names no text that looks like a key or a password"
        raise PackagingError(problem, "leave it out, or name the place as the error does that it is for")


def _held(found: Sequence[tuple[str, Written]], harmless: Sequence[str]) -> PackagingError:
    """Give the error for secrets: their places, never their text."""
    (name, first), *more = found
    places = [f"line {first.line}", *(f"{file} line {written.line}" for file, written in more[:_SHOWN])]
    others = f", and in {len(more) - _SHOWN} more places" if len(more) > _SHOWN else ""
    problem = (
        f"{one_line(name)} holds a key or a password ({one_line(', '.join(places))}{others}), which "
        "everybody could read in the archive"
    )
    mend = "move it to credentials.yml or conf/local; a job has its role's rights, and needs no key for AWS"
    if harmless:
        mend += f". For a text that is no secret say --allow-text {shlex.quote(one_line(harmless[0]))}"
    return PackagingError(problem, mend)


# --- the archive ------------------------------------------------------------------------------------------


def _member(name: str, kind: bytes, size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(f"{CONF}/{name}".rstrip("/"))
    member.type, member.size = kind, size
    member.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return member
