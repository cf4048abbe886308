"""What ``s3-dist-cp`` is asked to do, and what it writes from which files. Pure: texts in, texts out."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Codec = Literal["keep", "none", "gz", "gzip"]

_MIB = 1024 * 1024
_VALUED = (
    "src", "dest", "srcPattern", "srcPrefixesFile", "groupBy", "targetSize", "outputCodec", "s3Endpoint",
    "storageClass", "multipartUploadChunkSize", "tmpDir",
)  # fmt: skip
_SWITCHES = ("deleteOnSuccess", "disableMultipartUpload", "s3ServerSideEncryption")
_REFUSED = (
    "appendToLastFile", "copyFromManifest", "encryptionKey", "filesPerMapper", "numberFiles",
    "outputManifest", "previousManifest", "requirePreviousManifest", "sseKmsKeyId", "startingIndex",
)  # fmt: skip
_CODECS: dict[str, Codec] = {"keep": "keep", "none": "none", "gz": "gz", "gzip": "gzip"}

USAGE = f"""usage: s3-dist-cp --src URI --dest URI [OPTION ...]
  {" ".join(f"--{name}" for name in (*_VALUED[2:], *_SWITCHES))}"""


class DistCpError(Exception):
    """A copy that can't be done; the message says why."""


class Source(NamedTuple):
    """A file to copy.

    :param uri: Its whole URI.
    :param size: Its size in bytes.
    """

    uri: str
    size: int


class Output(NamedTuple):
    """A file to write.

    :param uri: Its whole URI.
    :param sources: What it is made of, in this order.
    """

    uri: str
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Request:
    """A command line of ``s3-dist-cp``.

    :param src: Directory or file to copy from.
    :param dest: Directory to copy to.
    :param src_pattern: What the whole URI of a file must match.
    :param prefixes_file: File with one URI a line to copy instead of all of ``src``.
    :param group_by: Files of which its groups say the same become one file.
    :param target_size: Bytes after which a new file of a group begins; 0 for one file.
    :param codec: ``keep`` leaves contents alone, ``none`` unpacks, ``gz`` and ``gzip`` pack.
    :param delete: Whether the files are deleted once everything is copied.
    :param storage_class: S3's storage class of what is written.

    >>> parse_arguments(["--src", "s3://a/x", "--dest=hdfs:///x"]).dest
    'hdfs:///x'
    """

    src: str
    dest: str
    src_pattern: re.Pattern[str] | None = None
    prefixes_file: str | None = None
    group_by: re.Pattern[str] | None = None
    target_size: int = 0
    codec: Codec = "keep"
    delete: bool = False
    storage_class: str | None = None


def parse_arguments(args: Sequence[str]) -> Request:
    """Read a command line.

    :raises DistCpError: for what is missing, wrong, or not possible here.
    """
    given = _options(args)
    for name in ("src", "dest"):
        if not given.get(name):
            _fail(f"--{name} is missing")
    codec = given.get("outputCodec", "keep").lower()
    if codec not in _CODECS:
        _fail(f"--outputCodec {codec} is not possible here; use {', '.join(_CODECS)}")
    size = given.get("targetSize", "0")
    if not (size.isascii() and size.isdecimal()):
        _fail(f"--targetSize {size!r} is no number of MiB")
    group_by = _pattern("groupBy", given.get("groupBy"))
    if group_by and not group_by.groups:
        _fail("--groupBy needs at least one group; use () to enclose it")
    return Request(
        src=given["src"],
        dest=given["dest"],
        src_pattern=_pattern("srcPattern", given.get("srcPattern")),
        prefixes_file=given.get("srcPrefixesFile"),
        group_by=group_by,
        target_size=int(size) * _MIB,
        codec=_CODECS[codec],
        delete="deleteOnSuccess" in given,
        storage_class=given.get("storageClass"),
    )


def _options(args: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    words = iter(args)
    for word in words:
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in (*_VALUED, *_SWITCHES, *_REFUSED):
            _fail(f"{word!r} is not known\n{USAGE}")
        if name in _REFUSED:
            _fail(f"--{name} is not possible here\n{USAGE}")
        if name in _VALUED and not equals:
            value = next(words, "")
        found[name] = value
    return found


def _pattern(name: str, text: str | None) -> re.Pattern[str] | None:
    """Read a pattern of Java, whose named groups are written otherwise."""
    if text is None:
        return None
    try:
        return re.compile(re.sub(r"\(\?<(?![=!])", "(?P<", text))
    except re.error as error:
        _fail(f"--{name} {text!r} is no pattern: {error}")


def plan(request: Request, sources: Iterable[Source]) -> list[Output]:
    """Say which files are written from which.

    :param sources: What is below ``src``.
    :raises DistCpError: when two files would have the same name.
    """
    groups: dict[str, list[Source]] = defaultdict(list)
    for source in sorted(sources):
        key = _group(request, source.uri)
        if key is not None:
            groups[key].append(source)
    outputs = [output for key, files in groups.items() for output in _outputs(request, key, files)]
    counts = Counter(output.uri for output in outputs)
    twice = next((uri for uri, count in counts.items() if count > 1), None)
    if twice:
        _fail(f"{twice} would be written twice")
    return outputs


def _group(request: Request, uri: str) -> str | None:
    if request.src_pattern and not request.src_pattern.fullmatch(uri):
        return None
    if request.group_by is None:
        return uri
    found = request.group_by.fullmatch(uri)
    return "".join(part or "" for part in found.groups()) if found else None


def _outputs(request: Request, key: str, files: Sequence[Source]) -> Iterable[Output]:
    chunks: list[list[Source]] = [[]]
    for file in files:
        if request.target_size and sum(one.size for one in chunks[-1]) >= request.target_size:
            chunks.append([])
        chunks[-1].append(file)
    for number, chunk in enumerate(chunks):
        index = "" if len(files) == 1 else str(number)
        folder = _relative(request.src, chunk[0].uri).rpartition("/")[0]
        name = _named(key.rpartition("/")[2], index, request.codec)
        yield Output("/".join(filter(None, [request.dest.rstrip("/"), folder, name])), tuple(chunk))


def _relative(src: str, uri: str) -> str:
    base = src.rstrip("/")
    if uri == base:
        return uri.rpartition("/")[2]
    if not uri.startswith(f"{base}/"):
        _fail(f"{uri} is not below {src}")
    return uri[len(base) + 1 :]


def _named(name: str, index: str, codec: Codec) -> str:
    stem, dot, suffix = name.rpartition(".")
    if not dot:
        stem, suffix = name, ""
    if codec == "keep":
        return f"{stem}{index}{dot}{suffix}" if index else name
    return f"{stem}{index}" if codec == "none" else f"{stem}{index}.gz"


def _fail(message: str) -> NoReturn:
    raise DistCpError(message)
