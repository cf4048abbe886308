"""moto behind a kept state, in this process: started, killed and started again."""

from __future__ import annotations

import shutil
import threading

import boto3
import pytest
from botocore.config import Config
from werkzeug.serving import WSGIRequestHandler, make_server

from airflow_provider_emrkit.localemr.moto_app import MotoApp
from airflow_provider_emrkit.localemr.persistence.state import KeptState


class Instance:
    """A server of moto alone, on a directory of its own."""

    def __init__(self, directory):
        self.directory = directory
        self.app = MotoApp("emrkit-local", KeptState(directory))
        self.app.warm_up()
        self._server = make_server("127.0.0.1", 0, self.app, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def client(self, service, region="us-east-1"):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id="localemr",
            aws_secret_access_key="localemr",
            config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
        )

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.app.close()


class _Quiet(WSGIRequestHandler):
    def log(self, *_):
        """Say nothing."""


class Instances:
    """Starts one instance after the other."""

    def __init__(self, base):
        self._base = base
        self._count = 0
        self._running = None

    def start(self, directory=None):
        self.end()
        self._running = Instance(directory or self._base / "data")
        return self._running

    def stop_and_start(self, meanwhile=lambda directory: None):
        """Restart cleanly."""
        directory = self._running.directory
        self.end()
        meanwhile(directory)
        return self.start(directory)

    def kill_and_start(self):
        """Go on with the files as they are at this moment, as if the process had been killed."""
        self._count += 1
        copy = self._base / f"killed-{self._count}"
        shutil.copytree(self._running.directory, copy)
        return self.start(copy)

    def end(self):
        if self._running is not None:
            self._running.stop()
            self._running = None


@pytest.fixture
def instances(tmp_path):
    found = Instances(tmp_path)
    yield found
    found.end()
