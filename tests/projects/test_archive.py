"""Archives of environments, of the Python that runs the tests."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from airflow_provider_emrkit.projects.archive import pack_environment, write_tar_gz
from airflow_provider_emrkit.projects.errors import PackagingError

ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else platform.machine()
PROGRAM = """
import json, sys, greeting
mapped = [line.split()[-1] for line in open("/proc/self/maps") if "python" in line and "/" in line]
print(json.dumps([greeting.WORD, sys.prefix, sorted(set(mapped)), "pyspark" in sys.modules]))
"""

needs_a_whole_python = pytest.mark.skipif(
    sys.base_prefix == "/usr" or not sys.platform.startswith("linux") or sys.version_info >= (3, 13),
    reason="the Python of the tests is the system's own, or none that Spark takes",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel with a module and a script, which needs what Spark brings."""
    path = tmp_path_factory.mktemp("wheel") / "greeting-1.0-py3-none-any.whl"
    files = {
        "greeting.py": "WORD = 'hello'\ndef main():\n    print(WORD)\n",
        "greeting-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n"
        "Requires-Dist: pyspark>=3\n",
        "greeting-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "greeting-1.0.dist-info/entry_points.txt": "[console_scripts]\ngreet = greeting:main\n",
        "greeting-1.0.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def pack(target, wheels, say=lambda _: None, **options):
    options = {"release_label": "emr-7.11.0", "architecture": ARCHITECTURE, **options}
    return pack_environment(None, wheels, sys.executable, target, say, **options)


@pytest.fixture(scope="module")
def packed(wheel, tmp_path_factory):
    said: list[str] = []
    target = tmp_path_factory.mktemp("packed") / "deep" / "environment.tar.gz"
    return pack(target, [wheel], said.append), said


@pytest.fixture(scope="module")
def unpacked(packed, tmp_path_factory):
    """Where Spark would unpack it."""
    folder = tmp_path_factory.mktemp("job") / "environment"
    with tarfile.open(packed[0].path) as archive:
        archive.extractall(folder, filter="tar")
    return folder


@needs_a_whole_python
def test_a_project_may_be_in_any_directory(wheel, tmp_path, monkeypatch):
    folder = tmp_path / "my project é #1; 50%"
    folder.mkdir()
    there = folder / wheel.name
    there.write_bytes(wheel.read_bytes())
    listed = folder / "the list.txt"
    listed.write_text("# nothing\n")
    monkeypatch.chdir(tmp_path)
    target = tmp_path / "environment.tar.gz"
    where = {"release_label": "emr-7.11.0", "architecture": ARCHITECTURE}
    pack_environment(listed, [there.relative_to(tmp_path)], sys.executable, target, print, **where)
    with tarfile.open(target) as archive:
        assert any(name.endswith("site-packages/greeting.py") for name in archive.getnames())


@needs_a_whole_python
def test_the_python_of_an_unpacked_archive_takes_nothing_from_this_machines(unpacked):
    done = subprocess.run(
        ["./environment/bin/python", "-c", PROGRAM],
        cwd=unpacked.parent,
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    word, prefix, mapped, has_pyspark = json.loads(done.stdout)
    assert (word, has_pyspark) == ("hello", False)
    assert Path(prefix).resolve() == unpacked.resolve()
    assert mapped
    assert all(Path(path).is_relative_to(unpacked) for path in mapped)


@needs_a_whole_python
def test_scripts_find_the_python_beside_them(unpacked, tmp_path):
    script = unpacked / "bin" / "greet"
    done = subprocess.run([script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "hello\n"


@needs_a_whole_python
def test_what_spark_brings_is_left_out(unpacked):
    (site,) = unpacked.glob("lib/python3*/site-packages")
    names = {path.name for path in site.iterdir()} - {"__pycache__"}
    assert names == {"greeting.py", "greeting-1.0.dist-info"}


@needs_a_whole_python
def test_nothing_tells_where_it_was_made(packed, unpacked):
    record = next(unpacked.glob("lib/python3*/site-packages/greeting-1.0.dist-info/RECORD"))
    assert "direct_url" not in record.read_text()
    assert "../" not in record.read_text()
    assert not (record.parent / "direct_url.json").exists()
    for script in (unpacked / "bin").iterdir():
        assert str(packed[0].path.parent).encode() not in script.read_bytes()
    with tarfile.open(packed[0].path) as archive:
        assert {(member.uid, member.gid, member.uname, member.mtime) for member in archive} == {(0, 0, "", 0)}


@needs_a_whole_python
def test_what_was_packed_is_told(packed):
    archive, said = packed
    assert archive.python == platform.python_version()
    assert archive.size == archive.path.stat().st_size
    assert said[-1 - len(archive.findings)].startswith(f"environment.tar.gz: Python {archive.python}, ")
    assert [path.name for path in archive.path.parent.iterdir()] == ["environment.tar.gz"]


@needs_a_whole_python
def test_an_archive_that_can_not_be_made_leaves_the_old_one(tmp_path):
    target = tmp_path / "environment.tar.gz"
    target.write_bytes(b"old")
    broken = tmp_path / "greeting-1.0-py3-none-any.whl"
    broken.write_bytes(b"no wheel")
    with pytest.raises(PackagingError, match="could not install the packages"):
        pack(target, [broken])
    assert target.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["environment.tar.gz", broken.name]


@needs_a_whole_python
@pytest.mark.parametrize(
    "line", ["--extra-index-url {0}\nbeta==2.0\n", "beta @ {0}/beta/beta-2.0-py3-none-any.whl\n"]
)
def test_the_login_of_an_index_is_the_one_of_the_name_that_the_project_gives_it(
    line, folder, indexes, tmp_path, monkeypatch
):
    indexes.put("ours", "beta", "2.0")
    indexes.login("ours", "me", "hunter2")
    monkeypatch.setenv("UV_INDEX_OURS_USERNAME", "me")
    monkeypatch.setenv("UV_INDEX_OURS_PASSWORD", "hunter2")
    url = indexes.url("ours")
    folder.write("pyproject.toml", f'[[tool.uv.index]]\nname = "ours"\nurl = "{url}"\n')
    listed = folder.write("listed.txt", line.format(url))
    target = tmp_path / "environment.tar.gz"
    where = {"release_label": "emr-7.11.0", "architecture": ARCHITECTURE, "project": folder.root}
    pack_environment(listed, [], sys.executable, target, print, **where)
    with tarfile.open(target) as archive:
        assert any(name.endswith("site-packages/beta.py") for name in archive.getnames())
        content = b"".join(
            archive.extractfile(one).read() for one in archive if "beta-2.0" in one.name and one.isreg()
        )
    assert b"hunter2" not in content


def test_without_uv_the_mend_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "uv", None)
    with pytest.raises(PackagingError, match="an archive is packed by uv, which is not here; pip install uv"):
        pack(tmp_path / "x.tar.gz", [], environ={"PATH": ""})


def test_an_archive_for_another_machine_is_refused_before_the_work(tmp_path):
    other = {"x86_64": "arm64", "arm64": "x86_64"}[ARCHITECTURE]
    with pytest.raises(PackagingError, match=f"for Linux on {other} can't be packed on"):
        pack(tmp_path / "x.tar.gz", [], architecture=other)
    assert list(tmp_path.iterdir()) == []


# --- the file ---------------------------------------------------------------------------------------------


def test_the_same_content_gives_the_same_bytes(tmp_path):
    archives = []
    for number, (umask, time) in enumerate([(0o022, 1), (0o077, 2_000_000_000)]):
        root = tmp_path / str(number)
        old = os.umask(umask)
        try:
            for name in ("b/two", "a", "b/one") if number else ("b/one", "b/two", "a"):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(name)
                os.utime(root / name, (time, time))
            (root / "b" / "run").write_text("#!/bin/sh")
            (root / "b" / "run").chmod(0o700)
            (root / "link").symlink_to("b/one")
            (root / "b" / "__pycache__").mkdir()
            (root / "b" / "__pycache__" / str(number)).touch()
        finally:
            os.umask(old)
        target = tmp_path / f"{number}.tar.gz"
        write_tar_gz(root, target)
        archives.append(target.read_bytes())
    assert archives[0] == archives[1]
    with tarfile.open(tmp_path / "0.tar.gz") as archive:
        assert archive.getnames() == ["a", "b", "b/one", "b/run", "b/two", "link"]
        assert archive.getmember("b/run").mode == 0o755
        assert archive.getmember("link").linkname == "b/one"
