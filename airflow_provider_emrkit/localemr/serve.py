"""The server's process: ``python -m airflow_provider_emrkit.localemr.serve --port 5005 --data-dir DIR``."""

from __future__ import annotations

import argparse
import logging
import logging.handlers
import os
import shutil
import signal
import sys
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emrkit import __version__
from airflow_provider_emrkit.localemr.clock import utc_now
from airflow_provider_emrkit.localemr.config import STAGING_BUCKET, ServerConfig, server_environment
from airflow_provider_emrkit.localemr.faults.checks import InvalidFaultError
from airflow_provider_emrkit.localemr.instance import (
    ACCESS_LOG_FILE,
    InstanceError,
    Status,
    is_found_by,
    locked,
    port_taken,
    remove_status,
    write_status,
)
from airflow_provider_emrkit.localemr.options import add_options, option_words, server_config
from airflow_provider_emrkit.localemr.processes import Process
from airflow_provider_emrkit.localemr.s3_access import S3AccessError

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

_ACCESS_LOG_BYTES = 5_000_000
# Seconds between looks at whether the data directory is still there.
_LOOK_EVERY = 2.0
# Seconds for commands that hold the lock of the data directory for a moment, to see if somebody serves.
_LOCK_PATIENCE = 2.0

OWNED = "--owned"
"""Option of a server that ends when its standard input does, and so with the process that started it."""
TEMPORARY = "--temporary"
"""Option of a server that removes its data directory at its end."""


def arguments(config: ServerConfig) -> list[str]:
    """Give the command line that serves a configuration."""
    return [
        *("--port", str(config.port)),
        *("--data-dir", str(config.data_dir)),
        *("--cache-dir", str(config.cache_dir)),
        *option_words(config),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM, SIGINT or SIGHUP.

    :return: 0 after a clean end, 1 when the server could not start or a cluster did not end.
    """
    parser = argparse.ArgumentParser(prog="localemr", description="Serve a local EMR in the foreground.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--cache-dir", type=Path, required=True)
    parser.add_argument(OWNED, action="store_true")
    parser.add_argument(TEMPORARY, action="store_true")
    add_options(parser)
    given = parser.parse_args(argv)
    place = {"port": given.port, "data_dir": given.data_dir, "cache_dir": given.cache_dir}
    return serve(server_config(given, **place), owned=given.owned, temporary=given.temporary)


def serve(config: ServerConfig, *, owned: bool = False, temporary: bool = False) -> int:
    """Serve a configuration in this process, whose environment is scrubbed first.

    :param owned: End when the standard input ends too.
    :param temporary: Remove the data directory when it is over.
    :return: See :func:`main`.
    """
    environment = server_environment(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    stop = threading.Event()
    if owned:
        threading.Thread(target=_await_end_of_input, args=(stop,), name="localemr-owner", daemon=True).start()
    try:
        with locked(config.data_dir, patience=_LOCK_PATIENCE):
            _log_to(config.data_dir)
            code = _serve(config, stop)
            if temporary:
                shutil.rmtree(config.data_dir, ignore_errors=True)
            return code
    except InstanceError as error:
        print(f"localemr: {error}", file=sys.stderr)
        return 1


def _await_end_of_input(stop: threading.Event) -> None:
    # Not by way of sys.stdin, whose lock this thread would still hold when the interpreter ends.
    while os.read(0, 1024):
        pass
    stop.set()


def _serve(config: ServerConfig, stop: threading.Event) -> int:
    # Imported with the scrubbed environment: botocore and moto read it when they are imported.
    from airflow_provider_emrkit.localemr.persistence.contents import KeptError
    from airflow_provider_emrkit.localemr.process_limits import set_limits
    from airflow_provider_emrkit.localemr.record_file import JournalError
    from airflow_provider_emrkit.localemr.run.history import HistoryServer
    from airflow_provider_emrkit.localemr.run.job_runner import SparkJobRunner
    from airflow_provider_emrkit.localemr.run.leftovers import (
        end_leftovers,
        keep_temporary_files_in,
        mark_own_processes,
    )
    from airflow_provider_emrkit.localemr.run.runner import SparkClusterRunner
    from airflow_provider_emrkit.localemr.server import (
        AddressError,
        Identity,
        LocalEmr,
        PortTakenError,
    )

    # SIGHUP too: a terminal that is closed must not leave the steps of a server in its foreground behind.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    set_limits()
    end_leftovers(config.data_dir)
    keep_temporary_files_in(config.data_dir)
    identity = Identity(uuid.uuid4().hex, os.getpid(), utc_now().isoformat())
    try:
        server = LocalEmr(
            config,
            SparkClusterRunner,
            identity,
            make_job_runner=SparkJobRunner,
            make_app_ui=HistoryServer,
            bucket=STAGING_BUCKET,
        )
    except (S3AccessError, InvalidFaultError) as error:
        raise InstanceError(str(error)) from error
    except PortTakenError as error:
        raise InstanceError(port_taken(config.url, config.port)) from error
    except AddressError as error:
        raise InstanceError(f"can't listen on {error}; choose another address with --host") from error
    except (JournalError, KeptError) as error:
        raise InstanceError(f"{error}; --ephemeral keeps clusters in memory only") from error
    os.environ["AWS_ENDPOINT_URL"] = server.config.url
    mark_own_processes(config.data_dir)
    server.start()
    write_status(config.data_dir, _status(server.config, identity.started))
    log.info("local EMR %s listens at %s", __version__, server.config.url)
    is_there = _serve_until(stop, config.data_dir)
    log.info("stopping")
    try:
        clean = server.stop()
    finally:
        # An installation or a bootstrap action of a cluster that was starting.
        _kill_descendants()
        if is_there:
            remove_status(config.data_dir)
            end_leftovers(config.data_dir)
    return 0 if clean else 1


def _serve_until(stop: threading.Event, data_dir: Path) -> bool:
    """Wait for the end; False when it came because the data directory is gone, or another instance's now."""
    while not stop.wait(_LOOK_EVERY):
        if not is_found_by(data_dir, os.getpid()):
            log.error("%s was removed: no command finds this server any more, so it ends", data_dir)
            return False
    return is_found_by(data_dir, os.getpid())


def _status(config: ServerConfig, started: str) -> Status:
    process = Process.of(os.getpid())
    return Status(
        pid=os.getpid(),
        process_started=process.started if process else "",
        host=config.host,
        port=config.port,
        url=config.url,
        data_dir=str(config.data_dir),
        version=__version__,
        started=started,
        s3_endpoint=config.s3_endpoint,
        s3_credentials=str(config.s3_credentials) if config.s3_credentials else None,
    )


def _kill_descendants() -> None:
    """Kill what is still there, also where marks can't be read."""
    this = Process.of(os.getpid())
    for process in this.descendants() if this else []:
        process.send(signal.SIGKILL)


def _log_to(data_dir: Path) -> None:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    # A full disk would otherwise make each line that can't be written a long complaint, on that disk too.
    logging.raiseExceptions = False
    # moto and werkzeug write a line per request.
    for name in ("werkzeug", "moto", "botocore", "boto3", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    access = logging.getLogger("airflow_provider_emrkit.localemr.access_log")
    handler = logging.handlers.RotatingFileHandler(
        data_dir / ACCESS_LOG_FILE, maxBytes=_ACCESS_LOG_BYTES, backupCount=1, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    access.addHandler(handler)
    access.propagate = False


if __name__ == "__main__":
    sys.exit(main())
