from __future__ import annotations

import pytest

from environments.problems import BootstrapError, Kind, from_output, kind_of

_UV_OFFLINE = """\
error: Failed to fetch: `https://registry.invalid/simple/moto/`
  Caused by: error sending request for url (https://registry.invalid/simple/moto/)
  Caused by: client error (Connect)
  Caused by: dns error: failed to lookup address information: Name or service not known
"""
_PIP_OFFLINE = """\
WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) after connection
broken by 'NewConnectionError('<urllib3.connection.HTTPSConnection object>: Failed to establish a new
connection: [Errno 101] Network is unreachable')': /simple/uv/
ERROR: Could not find a version that satisfies the requirement uv==1.0 (from versions: none)
"""


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        pytest.param(_UV_OFFLINE, Kind.NO_REGISTRY, id="uv without a network"),
        pytest.param(_PIP_OFFLINE, Kind.NO_REGISTRY, id="pip without a network"),
        pytest.param(
            "error: tcp connect error: Connection refused (os error 111)", Kind.NO_REGISTRY, id="refused"
        ),
        pytest.param("ProxyError('Cannot connect to proxy.')", Kind.NO_REGISTRY, id="proxy"),
        pytest.param(
            "error: Failed to fetch: `https://registry.invalid/simple/moto/`\n"
            "  Caused by: invalid peer certificate: UnknownIssuer",
            Kind.BAD_CERTIFICATE,
            id="uv and a company's CA",
        ),
        pytest.param(
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", Kind.BAD_CERTIFICATE, id="pip's CA"
        ),
        pytest.param(
            "error: Failed to install: moto\n  Caused by: No space left on device (os error 28)",
            Kind.NO_SPACE,
            id="uv on a full disk",
        ),
        pytest.param("OSError: [Errno 28] No space left on device", Kind.NO_SPACE, id="pip on a full disk"),
        pytest.param("OSError: [Errno 28] Kein Speicherplatz", Kind.NO_SPACE, id="a full disk in German"),
        pytest.param("Disk quota exceeded", Kind.NO_SPACE, id="quota"),
        pytest.param("error: No solution found when resolving dependencies", Kind.OTHER, id="anything else"),
    ],
)
def test_the_problem_is_recognised_by_what_the_tool_wrote(output: str, kind: Kind) -> None:
    assert kind_of(output) is kind


def test_an_error_names_the_problem_what_was_tried_and_the_mend() -> None:
    error = from_output("installing localemr", "uv pip sync localemr.txt", _UV_OFFLINE)
    assert str(error).splitlines() == [
        "error: installing localemr: the package registry cannot be reached",
        "  tried: uv pip sync localemr.txt",
        "  tried: | error: Failed to fetch: `https://registry.invalid/simple/moto/`",
        "  tried: |   Caused by: error sending request for url (https://registry.invalid/simple/moto/)",
        "  tried: |   Caused by: client error (Connect)",
        "  tried: |   Caused by: dns error: failed to lookup address information: Name or service not known",
        "  mend:  check the network. Behind a proxy set HTTPS_PROXY; with a mirror of your own set"
        " PIP_INDEX_URL or UV_INDEX_URL (pip's configuration files are read as well); then run it again",
    ]


def test_of_a_long_output_the_end_is_shown() -> None:
    output = "\n".join(f"line {number}" for number in range(100))
    shown = from_output("a step", "a command", output).tried
    assert shown[0] == "a command"
    assert shown[-1] == "| line 99"
    assert len(shown) == 9


def test_an_error_without_attempts_has_two_lines() -> None:
    assert str(BootstrapError("it broke", "mend it")) == "error: it broke\n  mend:  mend it"
