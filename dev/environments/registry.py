"""The user's package index: what is said to pip is told to uv too.

uv reads neither pip's variables nor its configuration files. https://docs.astral.sh/uv/pip/compatibility/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# pip's setting -> uv's variables, any of which being set already means that the user has told uv themselves.
_SAME = {
    "index-url": ("UV_INDEX_URL", "UV_DEFAULT_INDEX"),
    "extra-index-url": ("UV_EXTRA_INDEX_URL", "UV_INDEX"),
    "find-links": ("UV_FIND_LINKS",),
    "no-index": ("UV_NO_INDEX",),
    "trusted-host": ("UV_INSECURE_HOST",),
    "cert": ("SSL_CERT_FILE",),
    "proxy": ("ALL_PROXY", "HTTPS_PROXY", "https_proxy"),
}
_COMMA_SEPARATED = ("find-links",)

# Settings with which pip would install somewhere else than asked.
_MISLEADING = (
    "PIP_USER",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_REQUIRE_VIRTUALENV",
    "PYTHONHOME",
    "PYTHONPATH",
)


def pip_settings(config_list: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Read pip's settings; variables win over files, as in pip.

    :param config_list: Lines of ``pip config list``: ``global.index-url='…'``.
    """
    settings = {}
    for line in config_list:
        match = re.fullmatch(r"(?:global|install)\.([a-z-]+)='(.*)'", line.strip())
        if match:
            settings[match[1]] = match[2].replace("\\n", " ")
    for name in _SAME:
        value = environ.get("PIP_" + name.upper().replace("-", "_"))
        if value:
            settings[name] = value
    return {name: " ".join(value.split()) for name, value in settings.items() if value.strip()}


def uv_variables(settings: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that make uv behave as pip with these settings.

    :param settings: Result of :func:`pip_settings`.
    :param environ: The user's environment; what it already says to uv is left alone.
    """
    told = {}
    for name, variables in _SAME.items():
        if name in settings and not any(environ.get(variable) for variable in variables):
            value = settings[name]
            told[variables[0]] = value.replace(" ", ",") if name in _COMMA_SEPARATED else value
    if told.get("UV_NO_INDEX", "").lower() in ("0", "false", "no", "off"):
        del told["UV_NO_INDEX"]
    if "UV_EXTRA_INDEX_URL" in told and "UV_INDEX_STRATEGY" not in environ:
        # pip looks for a version in all its indexes; uv would stop at the first that knows the package.
        told["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return told


def without_misleading(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what would lead an installation elsewhere."""
    return {name: value for name, value in environ.items() if name not in _MISLEADING}
