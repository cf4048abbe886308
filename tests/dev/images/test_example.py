"""The example's image is made once, whole, and again when what it is made from has changed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from environments.problems import BootstrapError
from images import rootfs
from images.engine import Engine, EngineError
from images.example import LABEL, LOCK, NAME, ExampleImage

if TYPE_CHECKING:
    from pathlib import Path

# An engine that knows one image: its label is what was given last.
_DOCKER = """\
#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/calls"
case $1 in
  build|import)
    test ! -e "$here/fail" || { echo "no space left" >&2; exit 1; }
    test "$1" = import || cp "$(for last; do :; done; echo "$last")/Dockerfile" "$here/Dockerfile"
    for word; do case $word in *LABEL=*|*label=*|*"LABEL "*) echo "${word##*=}" > "$here/label";; esac; done;;
  image)
    test "$2" = prune || cat "$here/label";;
esac
"""


class Engines:
    """A folder that is an engine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "docker").write_text(_DOCKER)
        (folder / "docker").chmod(0o755)

    def made(self) -> list[str]:
        lines = (self.folder / "calls").read_text().splitlines()
        return [line for line in lines if line.startswith(("build", "import"))]

    def fail(self) -> None:
        (self.folder / "fail").touch()


@pytest.fixture
def engines(tmp_path):
    return lambda name="engine": Engines(tmp_path / name)


@pytest.fixture
def image(checkout):
    """Make the example's image in an engine."""
    checkout.layout.lock(LOCK).write_text("haversine==2.9.0\n")

    def image(engines: Engines) -> ExampleImage:
        path = f"{engines.folder}:{checkout.environ['PATH']}"
        engine = Engine("docker", {**checkout.environ, "PATH": path})
        return ExampleImage(engine, checkout.layout, checkout.said.append)

    return image


@pytest.fixture
def debootstrap(monkeypatch):
    """A machine that can make a file system; the folders in which it has."""
    folders: list[Path] = []

    def make(folder, packages, archive, say, *, held) -> None:
        folders.append(folder)
        archive.write_bytes(b"a file system")

    monkeypatch.setattr(rootfs, "can_be_made", lambda: True)
    monkeypatch.setattr(rootfs, "make", make)
    return folders


@pytest.fixture
def no_debootstrap(monkeypatch):
    monkeypatch.setattr(rootfs, "can_be_made", lambda: False)


def test_an_image_that_is_there_is_not_made_again(image, engines, debootstrap):
    engine = engines()
    assert [image(engine).ensure() for _ in range(3)] == [NAME] * 3
    (made,) = engine.made()
    assert made.startswith("import --change=ENV LANG=C.UTF-8")
    assert f"--change=LABEL {LABEL}={image(engine).key} " in made
    assert made.endswith(f"{image(engine).key}.tar {NAME}")


def test_other_packages_make_another_image(image, engines, debootstrap, checkout):
    engine = engines()
    image(engine).ensure()
    checkout.layout.lock(LOCK).write_text("haversine==3.0.0\n")
    image(engine).ensure()
    assert len(engine.made()) == 2
    assert len(list((checkout.layout.root / ".cache" / "example-image").glob("*.tar"))) == 1


def test_the_file_system_is_made_once_for_all_engines(image, engines, debootstrap):
    for name in ("one", "two"):
        image(engines(name)).ensure()
    assert len(debootstrap) == 1


def test_one_of_two_at_once_makes_it(image, engines, debootstrap):
    engine = engines()
    both = [threading.Thread(target=image(engine).ensure) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(30)
    assert len(engine.made()) == 1


def test_without_debootstrap_it_is_built_from_a_public_image(image, engines, no_debootstrap, checkout):
    engine = engines()
    image(engine).ensure()
    (made,) = engine.made()
    assert made.startswith("build ")
    assert f"--tag={NAME}" in made
    lines = (engine.folder / "Dockerfile").read_text().splitlines()
    assert lines[0] == "FROM debian:bookworm-slim"
    assert "COPY packages /usr/local/lib/python3.11/dist-packages" in lines
    assert any("pip install --target" in call and "--only-binary :all:" in call for call in checkout.calls)


@pytest.mark.parametrize("way", ["debootstrap", "no_debootstrap"])
def test_what_fails_leaves_no_work_behind_and_is_done_again(image, engines, checkout, request, way):
    request.getfixturevalue(way)
    engine = engines()
    engine.fail()
    with pytest.raises(EngineError, match="no space left"):
        image(engine).ensure()
    assert not (checkout.layout.root / ".cache" / "example-image" / "work").exists()
    (engine.folder / "fail").unlink()
    assert image(engine).ensure() == NAME


def test_what_a_killed_run_has_left_is_removed(image, engines, debootstrap, checkout):
    left = checkout.layout.root / ".cache" / "example-image" / "work" / "root"
    left.mkdir(parents=True)
    image(engines()).ensure()
    assert not left.exists()


def test_packages_that_can_not_be_had_are_the_errors_reason(image, engines, no_debootstrap, checkout):
    checkout.let_uv_fail("dns error")
    engine = engines()
    with pytest.raises(BootstrapError, match="the package registry cannot be reached"):
        image(engine).ensure()
    assert engine.made() == []
