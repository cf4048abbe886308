"""The pytest plugin: fixtures ``localemr``, ``localemr_cluster`` and ``localemr_env``.

It is loaded in every test run where this package is installed: it imports nothing that is not loaded anyway.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emrkit.testing.cluster import LocalCluster
    from airflow_provider_emrkit.testing.local_emr import LocalEmr

_SETTINGS = {
    "release": ("LABEL", "release of the fixture localemr_cluster (default: emr-7.11.0)"),
    "port": (
        "PORT",
        "port of the local EMR; pytest-xdist's workers take the ones after it (default: any free one)",
    ),
    "data-dir": ("DIR", "where the local EMR has its log and files; kept (default: a temporary directory)"),
    "cache-dir": ("DIR", "where Spark and Java are downloaded to (default: that of `emrkit local`)"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; each one can also be set in the ini file, e.g. ``localemr_release``."""
    group = parser.getgroup("localemr", "localemr, a local EMR for tests")
    for name, (metavar, text) in _SETTINGS.items():
        group.addoption(f"--localemr-{name}", metavar=metavar, help=text)
        parser.addini(_ini_name(name), f"as --localemr-{name}")
    group.addoption(
        "--localemr-keep",
        action="store_true",
        help="leave the local EMR's temporary directory there, with its log",
    )


def _ini_name(option: str) -> str:
    return f"localemr_{option.replace('-', '_')}"


def _setting(config: pytest.Config, name: str) -> str | None:
    given = config.getoption(f"--localemr-{name}") or config.getini(_ini_name(name))
    return str(given) if given else None


def _place(config: pytest.Config, name: str) -> Path | None:
    """Give a directory; a relative one of the ini file is below that file's directory."""
    given = config.getoption(f"--localemr-{name}")
    if given:
        return config.invocation_params.dir / Path(given).expanduser()
    named = config.getini(_ini_name(name))
    return config.rootpath / Path(named).expanduser() if named else None


def _worker(config: pytest.Config) -> tuple[int, str | None]:
    """Give the number and the name of this worker of pytest-xdist; 0 and None without it."""
    told = getattr(config, "workerinput", None)
    name = str(told["workerid"]) if told else None
    return (int(name.removeprefix("gw")), name) if name else (0, None)


def _options(config: pytest.Config) -> dict[str, Any]:
    """Give the options of :meth:`LocalEmr.start`."""
    number, worker = _worker(config)
    data_dir, release = _place(config, "data-dir"), _setting(config, "release")
    return {
        **({"release": release} if release else {}),
        "port": _port(_setting(config, "port"), number),
        "data_dir": data_dir / worker if data_dir and worker else data_dir,
        "cache_dir": _place(config, "cache-dir"),
        "keep": bool(config.getoption("--localemr-keep")),
    }


def _port(given: str | None, number: int) -> int:
    if given is None:
        return 0
    port = int(given) + number if given.isascii() and given.isdecimal() else 0
    if not 0 < port < 65_536:
        further = f" (with {number} for this worker)" if number else ""
        raise pytest.UsageError(f"{given!r}{further} is no port; use a number from 1 to 65535")
    return port


def _started(config: pytest.Config) -> LocalEmr:
    from airflow_provider_emrkit.localemr.instance import InstanceError
    from airflow_provider_emrkit.testing.local_emr import LocalEmr, MissingExtraError

    try:
        return LocalEmr.start(**_options(config))
    except (MissingExtraError, InstanceError, pytest.UsageError) as error:
        problem = str(error)
    # Not in the except clause: what led to it says nothing to who reads it.
    pytest.fail(f"fixture localemr: {problem}", pytrace=False)


@pytest.fixture(scope="session")
def localemr(pytestconfig: pytest.Config) -> Iterator[LocalEmr]:
    """A local EMR: one server process for the session, or for each worker of pytest-xdist.

    It has ``url``, ``client("s3")``, ``environment``, ``connection_uri()``, ``cluster()``, ``faults()`` and
    ``reset()``; see :class:`airflow_provider_emrkit.testing.LocalEmr`.
    """
    emr = _started(pytestconfig)
    if pytestconfig.getoption("--localemr-keep"):
        _tell_kept(pytestconfig, str(emr.data_dir))
    with emr:
        yield emr


_KEPT = pytest.StashKey[list[str]]()


def _tell_kept(config: pytest.Config, data_dir: str) -> None:
    """Have it said at the end of the session where files are that were to be kept."""
    if _worker(config)[1]:
        # Nobody sees what a worker writes.
        vars(config)["workeroutput"]["localemr_kept"] = data_dir
    else:
        config.stash.setdefault(_KEPT, []).append(data_dir)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of pytest-xdist has to tell."""
    kept = getattr(node, "workeroutput", {}).get("localemr_kept")
    if kept:
        _tell_kept(node.config, kept)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say where files are that were to be kept."""
    for data_dir in config.stash.get(_KEPT, []):
        terminalreporter.write_line(f"the local EMR's files are left in {data_dir}")


@pytest.fixture
def localemr_cluster(localemr: LocalEmr) -> LocalCluster:
    """A cluster that waits for steps, the same one for all tests until it is ended or a test resets.

    It has ``id`` and ``run("spark-submit", …)``; see :class:`airflow_provider_emrkit.testing.LocalCluster`.
    """
    return localemr.cluster()


@pytest.fixture
def localemr_env(localemr: LocalEmr, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Point this process's AWS clients and Airflow at the local EMR while the test runs."""
    wanted = localemr.environment
    for name in [name for name in os.environ if name not in wanted]:
        monkeypatch.delenv(name)
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            monkeypatch.setenv(name, value)
    import boto3

    # boto3.client() keeps the session, with its credentials, that it has made first.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    return localemr.variables
