"""Packages a project: each part in its turn, into one directory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.pythons import chosen_python
from airflow_provider_emrkit.projects.archive_check import ArchiveTarget
from airflow_provider_emrkit.projects.detect import REQUIREMENTS
from airflow_provider_emrkit.projects.entrypoint import SCRIPT, chosen_entry, script, scripts_without_module
from airflow_provider_emrkit.projects.errors import PackagingError
from airflow_provider_emrkit.projects.image import image_of, wheels_in, write_dockerfile
from airflow_provider_emrkit.projects.kedro_conf import pack_conf
from airflow_provider_emrkit.projects.manifest import Manifest
from airflow_provider_emrkit.projects.pins import Pinning
from airflow_provider_emrkit.projects.plain_wheel import plain_code, plain_wheel
from airflow_provider_emrkit.projects.unread import unread_lists
from airflow_provider_emrkit.projects.wheels import build_wheel, copied_wheel, secrets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from airflow_provider_emrkit.projects.detect import Project
    from airflow_provider_emrkit.projects.plain_wheel import PlainCode
    from airflow_provider_emrkit.projects.wheels import Wheel
    from airflow_provider_emrkit.releases import Release

ARCHIVE = "environment.tar.gz"
_ANY = "none-any"


@dataclass(frozen=True)
class Wish:
    """What a package is to be like.

    :param release: Release of EMR it is for.
    :param architecture: ``x86_64`` or ``arm64``.
    :param python: Version of Python; None for the newest that release and project take.
    :param entry_point: What a run calls, as ``etl.cli:main``; None for what the project says.
    :param requirements: A requirements.txt in the place of the project's own list.
    :param archive: Whether Python, libraries and project are put into an archive.
    :param allowed_texts: Places in Kedro's configuration that look like a secret and hold none.

    >>> Wish(release("emr-7.11.0"), archive=True).architecture  # doctest: +SKIP
    'x86_64'
    """

    release: Release
    architecture: str = "x86_64"
    python: str | None = None
    entry_point: str | None = None
    requirements: Path | None = None
    archive: bool = False
    allowed_texts: tuple[str, ...] = ()


class Packaging:
    """Makes the parts of a package.

    :param wish: What the package is to be like.
    :param environ: Variables of the programs that are run.
    :param say: Gets what goes on, a line at a time.

    >>> Packaging(wish, os.environ, print).run(detect(Path("etl")), made, scratch)  # doctest: +SKIP
    Manifest(kind='python', name='etl', …)
    """

    def __init__(self, wish: Wish, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._wish = wish
        self._environ = environ
        self._say = say

    def run(self, project: Project, made: Path, scratch: Path) -> Manifest:
        """Package a project: all but its image.

        :param project: The project.
        :param made: Directory that the parts are put into.
        :param scratch: Directory for what is left over.
        :raises PackagingError: when a part can't be made.
        :raises InvalidValueError: when what is asked for can't be right.
        """
        for line in project.found:
            self._say(f"found  {line}")
        self._check(project)
        # What holds a password is told before the long work, too.
        conf = self._conf(project, made)
        code = None if project.builds else plain_code(project.root)
        wheel = self._wheel(project, made, scratch)
        if code:
            self._left_out(code, wheel)
        entry = chosen_entry(project, wheel, self._wish.entry_point, code)
        self._say(f"calls  {entry} ({entry.why})")
        (made / SCRIPT).write_text(script(entry, kedro=bool(project.kedro)), encoding="utf-8", newline="\n")
        python = self._python(project, wheel)
        self._unread(project, wheel)
        self._pins(project, wheel, made, scratch, python)
        manifest = Manifest(
            kind=project.kind,
            name=wheel.name,
            version=wheel.version,
            module=str(entry),
            entry_point=SCRIPT,
            wheel=wheel.path.name,
            requirements=REQUIREMENTS,
            conf_source=conf,
            archive=self._archive(project, wheel, made, python) if self._wish.archive else None,
            python=python,
            release=str(self._wish.release.label),
            architecture=self._wish.architecture,
        )
        self._dockerfile(manifest, made)
        return manifest

    def _check(self, project: Project) -> None:
        """See what can be seen before the long work; what the wheel says counts, too."""
        if self._wish.python:
            chosen_python(self._wish.release, self._wish.python, project.requires_python)
        if self._wish.archive:
            from airflow_provider_emrkit.projects.archive import check_machine

            check_machine(self._wish.architecture)

    def _wheel(self, project: Project, made: Path, scratch: Path) -> Wheel:
        self._say("wheel  …")
        if project.builds:
            wheel = build_wheel(project.root, made, scratch, self._environ)
        else:
            wheel = plain_wheel(project, made)
        return self._told(wheel)

    def _left_out(self, code: PlainCode, wheel: Wheel) -> None:
        for one in code.left_out:
            self._say(f"note   left out {one.path!r}, which {one.why}")
        for name in scripts_without_module(wheel):
            called = f"{wheel.scripts[name]!r}, which the wheel does not hold"
            self._say(f"note   left out the script {name!r}, which calls {called}")

    def _told(self, wheel: Wheel) -> Wheel:
        self._say(f"wheel  {wheel.path.name}: {', '.join(wheel.top_level) or 'no modules'}")
        for name in secrets_of(wheel):
            self._say(f"note   the wheel holds {name!r}, which everybody could read who reads the wheel")
        return wheel

    def _own(self, sources: Sequence[Path], made: Path, scratch: Path) -> None:
        """Take along what else the project has of this machine: other members of its workspace, say."""
        for number, source in enumerate(sources):
            if source.is_dir():
                self._told(build_wheel(source, made, scratch / f"own-{number}", self._environ))
            else:
                self._told(copied_wheel(source, made))

    def _python(self, project: Project, wheel: Wheel) -> str:
        asked = wheel.requires_python or project.requires_python
        python = chosen_python(self._wish.release, self._wish.python, asked)
        if not wheel.tags.endswith(_ANY):
            self._say(f"note   the wheel is for {wheel.tags}: it has to fit EMR's Python and machines")
        return python

    def _unread(self, project: Project, wheel: Wheel) -> None:
        """Tell what may list the libraries of a project that otherwise lists none."""
        if self._wish.requirements or project.requirements or project.lock or wheel.needs:
            return
        for one in unread_lists(project.root):
            if one.is_sure and not project.lists_libraries:
                problem = f"{one.file!r} lists the project's libraries, and is not read"
                raise PackagingError(problem, one.mend)
            why = "is not read, and nothing else lists libraries"
            self._say(f"note   {one.file!r} {why}; {one.mend}, if the job needs them")

    def _pins(self, project: Project, wheel: Wheel, made: Path, scratch: Path, python: str) -> None:
        self._say("pins   …")
        where = ArchiveTarget(str(self._wish.release.label), self._wish.architecture)
        target = made / REQUIREMENTS
        pinning = Pinning(project, wheel, python, where, self._environ)
        told = pinning.write(target, scratch, self._wish.requirements)
        self._own(pinning.own, made, scratch)
        count = sum(
            line[:1] not in ("", "#", " ", "-") for line in target.read_text(encoding="utf-8").splitlines()
        )
        libraries = "1 library" if count == 1 else f"{count} libraries"
        self._say(f"pins   {REQUIREMENTS}: {libraries}, from {told}" if count else f"pins   {told}")

    def _conf(self, project: Project, made: Path) -> str | None:
        if project.kedro is None:
            if self._wish.allowed_texts:
                problem = "--allow-text is for the configuration of a Kedro project, which this is not"
                raise PackagingError(problem, "leave it out")
            return None
        name = f"conf-{project.kedro.package}.tar.gz"
        packed = pack_conf(project.kedro, made / name, self._wish.allowed_texts)
        self._say(f"conf   {name}: {len(packed.files)} files")
        for file, why in packed.left_out.items():
            self._say(f"conf   left out {file!r}: {why}")
        for place in packed.allowed:
            self._say(f"conf   holds {place!r}, which looks like a secret: it is said to be none")
        return name

    def _archive(self, project: Project, wheel: Wheel, made: Path, python: str) -> str:
        from airflow_provider_emrkit.projects.archive import pack_environment

        self._say("archive …")
        pack_environment(
            made / REQUIREMENTS,
            wheels_in(made, wheel.path.name),
            python,
            made / ARCHIVE,
            self._say,
            release_label=str(self._wish.release.label),
            architecture=self._wish.architecture,
            project=project.root,
            environ=self._environ,
        )
        return ARCHIVE

    def _dockerfile(self, manifest: Manifest, made: Path) -> None:
        if self._wish.release.supports("serverless_images"):
            write_dockerfile(image_of(manifest, made), made)
        else:
            self._say(f"note   no Dockerfile: {manifest.release} takes no images on EMR Serverless")
