from __future__ import annotations

import io
import os
import tarfile
import textwrap
import threading
import zipfile
from base64 import b64encode
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

# A build backend in the project's own directory: it needs no network, and does what the test writes.
BACKEND = """
import os, zipfile

WHEEL = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
NAME, VERSION, REQUIRES, SCRIPTS = {name!r}, {version!r}, {requires!r}, {scripts!r}

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    file = NAME.replace("-", "_") + "-" + VERSION + "-py3-none-any.whl"
    info = NAME.replace("-", "_") + "-" + VERSION + ".dist-info"
    lines = ["Metadata-Version: 2.1", "Name: " + NAME, "Version: " + VERSION]
    lines += ["Requires-Dist: " + one for one in REQUIRES]
    with zipfile.ZipFile(os.path.join(wheel_directory, file), "w") as wheel:
        for folder, _, names in os.walk("src"):
            for name in sorted(names):
                if name.endswith(".py"):
                    path = os.path.join(folder, name)
                    wheel.writestr(zipfile.ZipInfo(os.path.relpath(path, "src")), open(path, "rb").read())
        wheel.writestr(zipfile.ZipInfo(info + "/METADATA"), "\\n".join(lines) + "\\n")
        wheel.writestr(zipfile.ZipInfo(info + "/WHEEL"), WHEEL)
        points = "[console_scripts]\\n" + "".join(k + " = " + v + "\\n" for k, v in SCRIPTS.items())
        wheel.writestr(zipfile.ZipInfo(info + "/entry_points.txt"), points)
        wheel.writestr(zipfile.ZipInfo(info + "/RECORD"), "")
    return file
"""


class Folder:
    """A project's directory that a test fills."""

    def __init__(self, root):
        self.root = root

    def write(self, name, text=""):
        """Write a file, with the directories it is in."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def pyproject(self, more="", *, name="etl", version="1.0", requires=(), scripts=None, backend=None):
        """Make it a project with a build backend of its own, which runs offline."""
        text = BACKEND.format(name=name, version=version, requires=tuple(requires), scripts=scripts or {})
        self.write("backend.py", backend or text)
        table = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        self.write("pyproject.toml", f"{table}{textwrap.dedent(more)}")

    def kedro(self, more="", **options):
        """Make it a Kedro project, with configuration."""
        self.pyproject(
            f'[tool.kedro]\npackage_name = "sales"\n{textwrap.dedent(more)}', name="sales", **options
        )
        self.write("src/sales/__init__.py")
        self.write("src/sales/__main__.py", "def main():\n    pass\n")
        self.write("conf/base/catalog.yml", "a: 1\n")
        self.write("conf/local/credentials.yml", "password: hunter2\n")

    def names(self):
        """All files in it."""
        return sorted(
            path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file()
        )


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    return Folder(root)


def a_wheel(folder, name, version, *requires):
    """Write a wheel with one module; the same always has the same bytes."""
    info = f"{name}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {one}" for one in requires]
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in {
            f"{name}.py": f"VERSION = {version!r}\n",
            f"{info}/METADATA": "\n".join([*lines, ""]),
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": "",
        }.items():
            wheel.writestr(zipfile.ZipInfo(file), text)
    return path


@pytest.fixture
def write_wheel():
    return a_wheel


class Indexes:
    """Indexes behind an address each, of packages in a directory for each name."""

    def __init__(self, root, server):
        self._root = root
        self._server = server
        self._logins = {}

    def login(self, index, user, password):
        """Let an index ask for a login."""
        self._logins[index] = "Basic " + b64encode(f"{user}:{password}".encode()).decode()

    def url(self, index):
        """Give the address of an index."""
        return f"http://127.0.0.1:{self._server.server_port}/{index}"

    def put(self, index, name, version, *requires):
        """Put a library into an index; give the address of its wheel."""
        folder = self._root / index / name
        folder.mkdir(parents=True, exist_ok=True)
        return f"{self.url(index)}/{name}/{a_wheel(folder, name, version, *requires).name}"

    def answer(self, path, login):
        """Give the code and the content of what is at a path."""
        index, *rest = path.strip("/").split("/")
        if login != self._logins.get(index, login):
            return 401, b""
        place = self._root.joinpath(index, *rest)
        if place.is_dir():
            files = [(one.name, sha256(one.read_bytes()).hexdigest()) for one in place.glob("*.whl")]
            return 200, "".join(f'<a href="{name}#sha256={of}">{name}</a>' for name, of in files).encode()
        return (200, place.read_bytes()) if place.is_file() else (404, b"")


@pytest.fixture
def indexes(tmp_path, monkeypatch):
    """Indexes that uv asks; the one called ``pypi`` is in the place of PyPI."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            code, content = served.answer(self.path, self.headers.get("Authorization"))
            self.send_response(code)
            self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/zip")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content if self.command == "GET" else b"")

        def do_HEAD(self):
            self.do_GET()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Indexes(tmp_path / "indexes", server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    for name in ("UV_FIND_LINKS", "UV_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", served.url("pypi"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A directory of wheels that is the only index; gives what puts one there."""
    there = tmp_path / "index"
    there.mkdir()
    monkeypatch.setenv("UV_FIND_LINKS", str(there))
    monkeypatch.setenv("UV_OFFLINE", "1")

    def put(name, version, *requires):
        a_wheel(there, name, version, *requires)

    return put


@pytest.fixture
def scratch(tmp_path):
    made = tmp_path / "scratch"
    made.mkdir()
    return made


@pytest.fixture
def environ():
    return dict(os.environ)


def members(archive):
    """The names and contents of a ``.tar.gz``; None for a directory."""
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes()), mode="r:gz") as tar:
        files = {member.name: tar.extractfile(member) for member in tar}
        return {name: file.read() if file else None for name, file in files.items()}


@pytest.fixture
def read_tar():
    return members
