"""What is a secret, by the name of its file or by its text. Pure."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from dataclasses import dataclass

# What Kedro takes for credentials ("credentials*", "**/credentials*"), and what programs keep theirs in.
_NAMES = (
    "*credential*",
    "*secret*",
    ".env",
    "*.env",
    ".netrc",
    ".pypirc",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "id_rsa*",
    "id_ed25519*",
)
# What stands for a value that comes from elsewhere, or for none.
_NO_VALUE = (
    rb"(?!['\"]?(?:[$<{*!&%#~]|arn:aws|(?:null|none|true|false|yes|no|on|off|passw(?:or)?d|pwd|passphrase)"
    rb"(?![^\s,;}\]'\"@]))|''|\"\")"
)
# Keys that are one wherever they stand.
_KEY = (
    rb"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    rb"|(?i:aws_secret_access_key)['\"]?\s*[:=]\s*['\"]?[A-Za-z0-9/+]{40}\b"
    rb"|\b(?:gh[opsu]_[A-Za-z0-9]{36}|github_pat_\w{22,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}"
    rb"|dapi[0-9a-f]{32}|AIza[\w-]{35})"
)
# What passwords are called. A directory is called pwd, too; in a longer name, and in a connection's settings,
# only one that is written like a path from somewhere is.
_IS = rb"['\"]?[ \t]*[:=]\s*['\"]?"
_PWD = rb"(?:(?<=[\w;-])|(?!pwd" + _IS + rb"[^\s,;}'\"#]{0,300}/))pwd(?!" + _IS + rb"[/.])"
_PASSWORD = rb"(?i:passw(?:or)?d|passphrase|" + _PWD + rb")['\"]?[ \t]*"
# The signature of a query: elsewhere sig is a name like any other, and only an escape or padding tells it.
_SIGNATURE = rb"(?:[?&]sig=|\bsig=(?=[A-Za-z0-9/+_-]{0,99}(?:%[0-9A-Fa-f]{2}|=(?!\w))))[A-Za-z0-9%/+_-]{20,}"
# What keys are called, and names of keys, which are shorter. Azure's hold a ~, and JSON Web Tokens dots.
_SECRET = rb"(?i:secret|token|(?:api|account|access|secret)[_-]?key)['\"]?[ \t]*"
_LONG = rb"(?:[A-Za-z0-9+/=_-]{32,}|(?=[\w.-]{0,99}~)[\w.~-]{32,}|eyJ[\w.-]{29,})(?![\w.:/$~-])"
_TEXT = re.compile(
    rb"(?P<key>" + _KEY + rb")"
    # Of a URL, and of YAML, JSON or a file of properties.
    rb"|://[^\s/:@'\"]*:" + _NO_VALUE + rb"[^\s/@'\"]+@"
    rb"|" + _SIGNATURE + rb"|" + _PASSWORD + rb"[:=][ \t]*(?i:" + _NO_VALUE + rb")[^\s,}]"
    rb"|" + _SECRET + rb"[:=][ \t]*['\"]?(?P<value>" + _LONG + rb")"
    # In YAML and JSON a value may be on the next line, further in; one that has a name there is another's.
    rb"|^(?P<indent> *)(?:- )?['\"]?[\w.-]{0,100}?" + _PASSWORD + rb":"
    rb"(?P<below>(?:[ \t]*(?:#[^\n]*)?\r?\n)+)(?P=indent) +"
    rb"(?=[^\s,}])(?i:" + _NO_VALUE + rb")(?![-?] |[^\n]*:(?:\s|\Z))",
    re.MULTILINE,
)
# What a value is called, in what is before it in its line.
_NAME = re.compile(r"([\w.$-]{1,100})['\"]?\s*[:=]")
_NAMES_REACH = 300


@dataclass(frozen=True)
class Written:
    r"""A key or a password that is written out in a text, or what looks like one.

    :param line: Number of its line, from 1.
    :param place: What tells it from the others in its text: the name before it, with the line's number where
        there are several of that name.
    :param is_key: Whether it is a key by its looks, whatever is said of it.

    >>> written_secrets(b"day: 1\npassword: hunter2")
    [Written(line=2, place='password', is_key=False)]
    """

    line: int
    place: str
    is_key: bool


def named_secret(path: str) -> bool:
    """Tell whether a file, or a directory it is in, is called what secrets are called.

    >>> named_secret("base/credentials_db.yml"), named_secret("base/catalog.yml")
    (True, False)
    """
    parts = path.lower().split("/")
    return any(fnmatch.fnmatchcase(part, pattern) for part in parts for pattern in _NAMES)


def holds_secret(content: bytes) -> bool:
    """Tell whether a text holds a key or a password, written out.

    >>> holds_secret(b"url: postgresql://etl:hunter2@db/sales"), holds_secret(b"password: ${oc.env:PASSWORD}")
    (True, False)
    """
    return bool(_TEXT.search(content))


def written_secrets(content: bytes) -> list[Written]:
    """Find the keys and passwords that are written out in a text."""
    found, line, seen = [], 1, 0
    for match in _TEXT.finditer(content):
        line += content.count(b"\n", seen, match.start())
        seen = match.start()
        found.append((line, _name(content, match), bool(match["key"])))
    times = Counter(name for _, name, _ in found)
    return [
        Written(line, name if name and times[name] == 1 else f"{name}:{line}".lstrip(":"), is_key)
        for line, name, is_key in found
    ]


def _name(content: bytes, match: re.Match[bytes]) -> str:
    """Give what is written before a value in its line, as its name; empty for nothing."""
    ends = match.start() if match[0].startswith(b"://") else match.end()
    if match["value"]:  # it may hold what ends a name, and must not be told
        ends = match.start("value")
    elif match["below"]:
        ends = match.start("below")
    before = content[max(0, match.start() - _NAMES_REACH) : ends].rpartition(b"\n")[2]
    names = _NAME.findall(before.decode("utf-8", "replace"))
    return names[-1] if names else ""
