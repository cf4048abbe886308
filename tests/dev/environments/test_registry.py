from __future__ import annotations

import pytest

from environments.registry import pip_settings, uv_variables, without_misleading


def told_uv(environ: dict[str, str], config_list: tuple[str, ...] = ()) -> dict[str, str]:
    return uv_variables(pip_settings(config_list, environ), environ)


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        pytest.param({}, {}, id="nothing set"),
        pytest.param(
            {"PIP_INDEX_URL": "https://mirror.invalid/simple"},
            {"UV_INDEX_URL": "https://mirror.invalid/simple"},
            id="index",
        ),
        pytest.param(
            {"PIP_EXTRA_INDEX_URL": "https://a.invalid  https://b.invalid"},
            {
                "UV_EXTRA_INDEX_URL": "https://a.invalid https://b.invalid",
                "UV_INDEX_STRATEGY": "unsafe-best-match",
            },
            id="further indexes, all of them searched as pip does",
        ),
        pytest.param({"PIP_CERT": "/ca.pem"}, {"SSL_CERT_FILE": "/ca.pem"}, id="certificate"),
        pytest.param({"PIP_CERT": "/ca.pem", "SSL_CERT_FILE": "/mine.pem"}, {}, id="certificate known to uv"),
        pytest.param(
            {"PIP_TRUSTED_HOST": "mirror.invalid"}, {"UV_INSECURE_HOST": "mirror.invalid"}, id="trusted"
        ),
        pytest.param({"PIP_FIND_LINKS": "/a /b"}, {"UV_FIND_LINKS": "/a,/b"}, id="folders of wheels"),
        pytest.param({"PIP_NO_INDEX": "1"}, {"UV_NO_INDEX": "1"}, id="no index"),
        pytest.param({"PIP_NO_INDEX": "false"}, {}, id="no index, switched off"),
        pytest.param({"PIP_PROXY": "http://proxy:3128"}, {"ALL_PROXY": "http://proxy:3128"}, id="proxy"),
        pytest.param(
            {"PIP_INDEX_URL": "https://pip.invalid", "UV_INDEX_URL": "https://uv.invalid"},
            {},
            id="uv's own wins",
        ),
        pytest.param(
            {"PIP_INDEX_URL": "https://pip.invalid", "UV_DEFAULT_INDEX": "https://uv.invalid"},
            {},
            id="uv's own wins under its newer name",
        ),
        pytest.param({"PIP_INDEX_URL": ""}, {}, id="empty"),
    ],
)
def test_what_is_said_to_pip_by_variables_is_told_to_uv(
    environ: dict[str, str], told: dict[str, str]
) -> None:
    assert told_uv(environ) == told


def test_what_is_said_to_pip_in_its_configuration_files_is_told_to_uv() -> None:
    config = (
        "global.index-url='https://mirror.invalid/simple'",
        "install.extra-index-url='\\nhttps://a.invalid\\nhttps://b.invalid'",
        "global.timeout='60'",
        ":env:.index-url='https://ignored.invalid'",
    )
    assert told_uv({}, config) == {
        "UV_INDEX_URL": "https://mirror.invalid/simple",
        "UV_EXTRA_INDEX_URL": "https://a.invalid https://b.invalid",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_a_variable_wins_over_the_configuration_file_as_in_pip() -> None:
    environ = {"PIP_INDEX_URL": "https://variable.invalid"}
    assert told_uv(environ, ("global.index-url='https://file.invalid'",)) == {
        "UV_INDEX_URL": "https://variable.invalid"
    }


def test_a_strategy_the_user_chose_is_kept() -> None:
    environ = {"PIP_EXTRA_INDEX_URL": "https://a.invalid", "UV_INDEX_STRATEGY": "first-index"}
    assert told_uv(environ) == {"UV_EXTRA_INDEX_URL": "https://a.invalid"}


def test_settings_that_would_lead_an_installation_elsewhere_are_dropped() -> None:
    environ = {
        "PIP_USER": "1",
        "PIP_TARGET": "/x",
        "PYTHONPATH": "/y",
        "PIP_INDEX_URL": "https://kept.invalid",
    }
    assert without_misleading(environ) == {"PIP_INDEX_URL": "https://kept.invalid"}
