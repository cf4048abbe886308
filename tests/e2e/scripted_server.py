"""A local EMR in a process of its own, whose steps run nothing: ``scripted_server.py DATA_DIR``.

It prints its address, and serves until it is ended.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from localemr_fixtures import scripted_server

from airflow_provider_emrkit.localemr.config import STAGING_BUCKET, ServerConfig, server_environment


def main(data_dir: Path) -> None:
    """Serve."""
    environment = server_environment(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    from airflow_provider_emrkit.localemr.process_limits import set_limits

    logging.basicConfig(level=logging.INFO)
    logging.getLogger("airflow_provider_emrkit.localemr.access_log").setLevel(logging.ERROR)
    set_limits()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    config = ServerConfig(data_dir=data_dir, port=0)
    with scripted_server(config, bucket=STAGING_BUCKET) as server:
        print(server.config.url, flush=True)
        stop.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
