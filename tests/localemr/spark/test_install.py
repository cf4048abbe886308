"""Packages in the cache: complete or not there, installed once, refused with the mend."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest

from airflow_provider_emrkit.localemr.spark import install, prefetch
from airflow_provider_emrkit.localemr.spark.install import InstallError, Package, ensure, uv_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PACKAGE = Package("pyspark", "3.5.6", "Spark 3.5.6", 1)

# Stands in for uv: writes its calls down, and does what the test says.
FAKE_UV = """#!{python}
import os, sys, time, pathlib
args = sys.argv[1:]
with open({calls!r}, "a") as file:
    file.write(" ".join(args) + "\\n")
target = pathlib.Path(args[args.index("--target") + 1])
{body}
"""
INSTALLS = 'time.sleep(0.2); (target / "pyspark").mkdir(parents=True)'
ONLINE_ONLY = 'if "--offline" in args: sys.exit("Network connectivity is disabled")\n'
# Until somebody has been told.
DOWNLOADS = (
    ONLINE_ONLY
    + """
cache, told = pathlib.Path(args[args.index("--cache-dir") + 1]), pathlib.Path(sys.argv[0]).with_name("told")
cache.mkdir()
# All at once: a look at a part of it would tell another stage.
part = pathlib.Path(sys.argv[0]).with_name("part")
part.write_bytes(bytes(3 << 20))
part.rename(cache / "x")
limit = time.monotonic() + 20
while not told.exists() and time.monotonic() < limit: time.sleep(0.01)
"""
    + INSTALLS
)


@pytest.fixture
def fake_uv(tmp_path: Path, monkeypatch):
    calls = tmp_path / "calls"

    def make(body: str):
        program = tmp_path / "uv"
        program.write_text(FAKE_UV.format(python=sys.executable, calls=str(calls), body=body))
        program.chmod(0o755)
        monkeypatch.setattr(install, "uv_program", lambda: str(program))

    make.calls = lambda: calls.read_text().splitlines() if calls.exists() else []
    return make


def telling(lines: list[str], awaited: str, directory: Path) -> Callable[[str], None]:
    """Keep lines of progress, and let the stand-in know when the one that is awaited has come."""

    def tell(line: str) -> None:
        lines.append(line)
        if awaited in line:
            (directory / "told").touch()

    return tell


def test_what_uv_has_at_hand_is_not_downloaded(fake_uv, tmp_path):
    fake_uv(INSTALLS)
    lines: list[str] = []
    assert (ensure(PACKAGE, tmp_path / "cache" / "3.5.6", lines.append) / "pyspark").is_dir()
    assert len(fake_uv.calls()) == 1
    assert "--offline" in fake_uv.calls()[0]
    assert "--no-deps" in fake_uv.calls()[0]
    assert fake_uv.calls()[0].endswith("pyspark==3.5.6")
    assert lines == []


def test_a_download_is_told_about(fake_uv, tmp_path, monkeypatch):
    monkeypatch.setattr(install, "REPORT_EVERY", 0.1)
    fake_uv(DOWNLOADS)
    lines: list[str] = []
    package = Package("pyspark", "3.5.6", "Spark 3.5.6", 5)
    target = ensure(package, tmp_path / "cache" / "3.5.6", telling(lines, "so far", tmp_path))
    assert lines[0] == "installing Spark 3.5.6 (about 5 MB)"
    assert any("3 MB so far" in line and line.endswith(" s") for line in lines)
    assert [path.name for path in target.parent.iterdir() if path.name != ".3.5.6.lock"] == ["3.5.6"]


def test_what_is_there_is_not_installed_again(fake_uv, tmp_path):
    fake_uv(INSTALLS)
    for _ in range(2):
        ensure(PACKAGE, tmp_path / "cache" / "3.5.6", print)
    assert len(fake_uv.calls()) == 1


def test_two_that_want_it_at_once_install_it_once(fake_uv, tmp_path):
    fake_uv(INSTALLS)
    threads = [
        threading.Thread(target=ensure, args=(PACKAGE, tmp_path / "cache" / "v", print)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fake_uv.calls()) == 1


def test_a_failure_leaves_nothing_and_the_next_attempt_works(fake_uv, tmp_path):
    target = tmp_path / "cache" / "3.5.6"
    fake_uv('(target / "half").mkdir(parents=True); sys.exit("boom")')
    with pytest.raises(InstallError, match="boom"):
        ensure(PACKAGE, target, print)
    assert not target.exists()
    assert not list(target.parent.glob("*partial*"))
    fake_uv(INSTALLS)
    assert ensure(PACKAGE, target, print).is_dir()


def test_what_an_interrupted_installation_left_is_removed(fake_uv, tmp_path):
    fake_uv(INSTALLS)
    stale = tmp_path / "cache" / ".3.5.6.partial-old"
    stale.mkdir(parents=True)
    ensure(PACKAGE, tmp_path / "cache" / "3.5.6", print)
    assert not stale.exists()


def test_unpacking_is_not_taken_for_a_download(fake_uv, tmp_path, monkeypatch):
    monkeypatch.setattr(install, "REPORT_EVERY", 0.1)
    fake_uv(DOWNLOADS)
    lines: list[str] = []
    ensure(PACKAGE, tmp_path / "cache" / "3.5.6", telling(lines, "unpacking", tmp_path))
    assert any("unpacking, " in line for line in lines)
    assert not any("so far" in line for line in lines)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        pytest.param("error: No space left on device (os error 28)", "EMRKIT_CACHE_DIR", id="disk"),
        pytest.param("error: Failed to fetch: https://x\n  dns error", "UV_DEFAULT_INDEX", id="unreachable"),
        pytest.param(
            "x No solution found when resolving dependencies:\n  there is no version of pyspark==3.5.6",
            "has no pyspark==3.5.6",
            id="unknown-version",
        ),
        pytest.param("error: something else", "something else", id="other"),
    ],
)
def test_an_error_says_what_to_do(fake_uv, tmp_path, output, message):
    fake_uv(f"sys.exit({output!r})")
    with pytest.raises(InstallError, match=message) as caught:
        ensure(PACKAGE, tmp_path / "cache" / "3.5.6", print)
    assert str(caught.value).startswith("Spark 3.5.6: ")


def test_too_little_room_is_found_before_the_download(fake_uv, tmp_path):
    fake_uv(ONLINE_ONLY + INSTALLS)
    with pytest.raises(InstallError, match="MB of free disk space"):
        ensure(Package("pyspark", "3.5.6", "Spark 3.5.6", 10**9), tmp_path / "cache" / "v", print)
    assert len(fake_uv.calls()) == 1


def test_a_cache_that_cannot_be_written_is_named(fake_uv, tmp_path):
    fake_uv(INSTALLS)
    (tmp_path / "file").write_text("")
    with pytest.raises(InstallError, match="can't write to"):
        ensure(PACKAGE, tmp_path / "file" / "v", print)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({"PIP_INDEX_URL": "http://a"}, "http://a", id="pip"),
        pytest.param({"PIP_INDEX_URL": "http://a", "UV_DEFAULT_INDEX": "http://b"}, "http://b", id="uv-wins"),
        pytest.param({"PIP_INDEX_URL": "http://a", "UV_INDEX_URL": "http://b"}, None, id="uv-old-name-wins"),
        pytest.param({}, None, id="none"),
    ],
)
def test_uv_uses_the_users_index(environ, expected):
    assert uv_environment(environ).get("UV_DEFAULT_INDEX") == expected


def test_waiting_for_another_process_can_be_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(install, "REPORT_EVERY", 0.01)
    lines: list[str] = []

    def progress(line: str) -> None:
        lines.append(line)
        if len(lines) == 3:
            raise TimeoutError

    path = tmp_path / "lock"
    with (
        install.file_lock(path, "Spark", lines.append),
        pytest.raises(TimeoutError),
        install.file_lock(path, "Spark", progress),
    ):
        pytest.fail("the lock was given twice")
    assert set(lines) == {"waiting for another process that makes Spark"}


def test_prefetch_names_a_cache_that_cannot_take_the_archive(tmp_path, monkeypatch):
    (tmp_path / "jars").write_text("in the way")
    monkeypatch.setattr(prefetch, "install_software", lambda label, cache_dir, progress: None)
    with pytest.raises(InstallError, match=f"can't write to {tmp_path}"):
        prefetch.prefetch("emr-7.11.0", tmp_path, lambda _: None)
