"""A large file from a package index, over connections that break."""

from __future__ import annotations

import copy
import hashlib
import http.server
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emrkit.localemr.spark import download as module
from airflow_provider_emrkit.localemr.spark.download import DownloadError, download, locate
from airflow_provider_emrkit.localemr.spark.install import uv_program
from airflow_provider_emrkit.localemr.spark.package_index import IndexFile, index_urls
from airflow_provider_emrkit.localemr.spark.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA = os.urandom(3_000_000)
DIGEST = hashlib.sha256(DATA).hexdigest()
UV = uv_program()
NAME = "pyspark-3.5.6.tar.gz"


class Index(http.server.ThreadingHTTPServer):
    """A package index with one file; a test says where its connections break."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.ranges: list[str | None] = []
        self.passwords: list[str | None] = []
        self.break_after: list[int] = []
        self.knows_ranges = True
        self.page: tuple[str, str] = ("application/vnd.pypi.simple.v1+json", self.json())
        self.stall = threading.Event()
        self.stall_after: int | None = None

    @staticmethod
    def json(**changes: Any) -> str:
        file = {"filename": NAME, "url": f"/files/{NAME}", "size": len(DATA), "hashes": {"sha256": DIGEST}}
        return json.dumps({"files": [{**file, "filename": "other.whl"}, {**file, **changes}]})


class Handler(http.server.BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        self.server.passwords.append(self.headers.get("Authorization"))
        if self.path == "/simple/pyspark/":
            kind, text = self.server.page
            self._answer(200, text.encode(), {"Content-Type": kind})
        elif self.path == f"/files/{NAME}":
            self._file()
        else:
            self._answer(404, b"")

    def _file(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.knows_ranges else 0
        if start >= len(DATA):
            self._answer(416, b"", {"Content-Range": f"bytes */{len(DATA)}"})
            return
        self._answer(206 if start else 200, DATA[start:])

    def _answer(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.path.startswith("/files/") and self.server.break_after:
            body = body[: self.server.break_after.pop(0)]
        if self.path.startswith("/files/") and self.server.stall_after is not None:
            self.wfile.write(body[: self.server.stall_after])
            self.wfile.flush()
            self.server.stall.wait(30)
            return
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def index(monkeypatch) -> Iterator[Index]:
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    # What breaks off within a chunk is not kept.
    monkeypatch.setattr(module, "_CHUNK", 100_000)
    server = Index()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.stall.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def environ(index, tmp_path) -> dict[str, str]:
    return {"UV_DEFAULT_INDEX": f"{index.url}/simple", "HOME": str(tmp_path)}


def fetch(index: Index, folder: Path, progress=lambda _: None, **changes) -> Path:
    fields = {
        "name": NAME,
        "url": f"{index.url}/files/{NAME}",
        "size": len(DATA),
        "sha256": DIGEST,
        **changes,
    }
    return download(IndexFile(**fields), folder, "Spark 3.5.6", progress, {})


def test_a_file_arrives_whole_and_its_way_is_told(index, tmp_path):
    lines: list[str] = []
    assert fetch(index, tmp_path, lines.append).read_bytes() == DATA
    last = lines[-1]
    assert isinstance(last, Transfer)
    assert (last.what, last.done, last.total) == ("Spark 3.5.6", len(DATA), len(DATA))
    assert last.startswith("downloading Spark 3.5.6: 100 %, 2 of 2 MB, ")
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda line: pickle.loads(pickle.dumps(line))])
def test_a_line_can_be_kept_like_any_other_text(again):
    line = again(Transfer("Spark 3.5.6", 1 << 20, 2 << 20, 0.0))
    assert line == "downloading Spark 3.5.6: 50 %, 1 of 2 MB"
    assert (line.what, line.done, line.total) == ("Spark 3.5.6", 1 << 20, 2 << 20)
    assert json.loads(json.dumps([line])) == [str(line)]


def test_a_digest_that_is_none_is_not_believed(index, environ):
    index.page = (index.page[0], Index.json(hashes={"sha256": "../../../x"}))
    found = locate(UV, "pyspark", NAME, environ)
    assert found is not None
    assert found.sha256 == ""


def test_a_broken_connection_is_taken_up_where_it_broke(index, tmp_path):
    index.break_after = [1_000_000, 500_000, 0, 0]
    assert fetch(index, tmp_path).read_bytes() == DATA
    assert index.ranges == [None, "bytes=1000000-", "bytes=1500000-", "bytes=1500000-", "bytes=1500000-"]


def test_what_a_killed_process_left_is_kept(index, tmp_path):
    """A real process is killed in the middle of its download; the next one asks for the rest only."""
    index.stall_after = 1_000_000
    code = (
        "import sys, pathlib; from airflow_provider_emrkit.localemr.spark.download import *\n"
        "from airflow_provider_emrkit.localemr.spark.package_index import IndexFile\n"
        "file = IndexFile(*sys.argv[1:3], int(sys.argv[3]), sys.argv[4])\n"
        "download(file, pathlib.Path(sys.argv[5]), 'x', lambda line: print(line, flush=True), {})"
    )
    args = [NAME, f"{index.url}/files/{NAME}", str(len(DATA)), DIGEST, str(tmp_path)]
    process = subprocess.Popen([sys.executable, "-c", code, *args], stdout=subprocess.PIPE)
    pause = threading.Event()
    while not any(path.stat().st_size >= 700_000 for path in tmp_path.glob("*.part")):
        assert process.poll() is None
        pause.wait(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    index.stall_after = None
    there = next(tmp_path.glob("*.part")).stat().st_size
    assert fetch(index, tmp_path).read_bytes() == DATA
    assert index.ranges == [None, f"bytes={there}-"]


def test_a_server_without_ranges_sends_all_of_it_again(index, tmp_path):
    index.knows_ranges = False
    index.break_after = [1_000_000]
    assert fetch(index, tmp_path).read_bytes() == DATA


def test_a_part_that_is_whole_already_needs_no_request(index, tmp_path):
    (tmp_path / f"{NAME}.{DIGEST[:16]}.part").write_bytes(DATA)
    assert fetch(index, tmp_path).read_bytes() == DATA
    assert index.ranges == []
    (tmp_path / NAME).rename(tmp_path / f"{NAME}.{DIGEST[:16]}.part")
    assert fetch(index, tmp_path, size=0).read_bytes() == DATA


def test_what_is_not_what_the_index_says_is_thrown_away(index, tmp_path):
    with pytest.raises(DownloadError, match="not what the index says"):
        fetch(index, tmp_path, sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_never_works_is_given_up_and_what_is_here_is_kept(index, tmp_path):
    index.break_after = [1_500_000, *[0] * 20]
    with pytest.raises(DownloadError, match=r"the connection breaks .* 1 MB are kept, and the next attempt"):
        fetch(index, tmp_path)
    index.break_after = []
    fetch(index, tmp_path)
    assert index.ranges[-1] == "bytes=1500000-"


def test_an_answer_that_is_final_is_not_asked_for_again(index, tmp_path):
    with pytest.raises(DownloadError, match="the index answers 404") as caught:
        fetch(index, tmp_path, url=f"{index.url.replace('//', '//me:secret@')}/files/none")
    assert "secret" not in str(caught.value)
    assert len(index.passwords) == 1


def test_what_the_listener_raises_ends_it(index, tmp_path):
    def progress(_: str) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        fetch(index, tmp_path, progress)


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        pytest.param("application/vnd.pypi.simple.v1+json", Index.json(), id="json"),
        pytest.param("text/html", f'<a href="../../files/{NAME}#sha256={DIGEST}">x</a>', id="html"),
    ],
)
def test_a_file_is_found_on_the_users_index(index, environ, kind, page):
    index.page = (kind, page)
    found = locate(UV, "pyspark", NAME, environ)
    assert found is not None
    assert (found.url, found.sha256) == (f"{index.url}/files/{NAME}", DIGEST)


def test_the_indexs_password_goes_along_and_only_to_its_server(index, environ):
    environ["UV_DEFAULT_INDEX"] = environ["UV_DEFAULT_INDEX"].replace("//", "//me:secret@")
    found = locate(UV, "pyspark", NAME, environ)
    assert found is not None
    assert found.url == f"{index.url.replace('//', '//me:secret@')}/files/{NAME}"
    assert index.passwords[-1] == "Basic bWU6c2VjcmV0"
    index.page = (index.page[0], Index.json(url="https://elsewhere/x"))
    other = locate(UV, "pyspark", NAME, environ)
    assert other is not None
    assert other.url == "https://elsewhere/x"


@pytest.mark.parametrize("page", ["", "[]", '{"files": [1]}', '{"files": []}'])
def test_an_index_that_says_nothing_of_use_is_left_to_uv(index, environ, page):
    index.page = (index.page[0], page)
    assert locate(UV, "pyspark", NAME, environ) is None
    assert locate(UV, "other", NAME, environ) is None


def test_so_is_one_that_is_away(environ):
    assert locate(UV, "pyspark", NAME, {**environ, "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"}) is None


@pytest.mark.parametrize(
    ("environ", "urls"),
    [
        ({"UV_INDEX_URL": "http://a"}, ["http://a"]),
        (
            {"UV_DEFAULT_INDEX": "http://a", "UV_INDEX": "x=http://b http://c"},
            ["http://b", "http://c", "http://a"],
        ),
        ({"UV_DEFAULT_INDEX": "file:///x"}, []),
        ({"UV_OFFLINE": "1"}, []),
        ({"UV_NO_INDEX": "1"}, []),
    ],
)
def test_indexes_are_asked_in_uvs_order(environ, urls, tmp_path):
    assert index_urls(UV, {"HOME": str(tmp_path), **environ}) == urls


def test_where_nothing_is_said_there_is_one_index(tmp_path):
    (url,) = index_urls(UV, {"HOME": str(tmp_path)})
    assert url.startswith("https://")


def test_a_file_of_uvs_says_where_packages_come_from(tmp_path):
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text('[[index]]\nurl = "http://me:secret@a/simple"\ndefault = true\n')
    assert index_urls(UV, {"XDG_CONFIG_HOME": str(tmp_path)}) == ["http://me:secret@a/simple"]
