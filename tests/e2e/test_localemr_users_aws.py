"""The user's AWS account is out of reach: for the server, for steps and for bootstrap actions."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.instance import running_instance
from airflow_provider_emrkit.testing import LocalCluster
from airflow_provider_emrkit.testing.session import local_session

# Some Sparks, one after the other, the first of which may have to be downloaded.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "import sys; from airflow_provider_emrkit.cli import main; sys.exit(main())"]
KEY, SECRET = "AKIAQYLPMN5HFIQR7XYA", "users-own-secret"
SECRETS = (KEY, SECRET, "users-own-token", "users-own-profile", "users-own.example")

# Looks for credentials in every place where an AWS client does; boto3 comes from the tests' environment.
LOOKS = """
import json, os, pathlib, sys
sys.path.append(sys.argv[1])
import boto3
found = {"environment": dict(os.environ)}
for name in ("credentials", "config"):
    file = pathlib.Path("~/.aws").expanduser() / name
    found[name] = file.read_text() if file.exists() else None
session = boto3.Session()
credentials = session.get_credentials().get_frozen_credentials()
found["keys"] = [credentials.access_key, credentials.secret_key, credentials.token]
found["profiles"] = session.available_profiles
found["sts"] = session.client("sts").get_caller_identity()["Account"]
found["endpoint"] = session.client("s3").meta.endpoint_url
for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
    del os.environ[name]
found["without"] = boto3.Session().get_credentials() is None
print("FOUND " + json.dumps(found))
"""


@pytest.fixture
def metadata():
    """A machine in the cloud would give credentials at such an address; all requests are noted."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(
                b'{"AccessKeyId": "AKIAQYLPMN5HFIQR7XYA", "SecretAccessKey": "users-own-secret"}'
            )

        do_PUT = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.fixture
def users(metadata, tmp_path):
    """The environment and the home of a user with an AWS account."""
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    keys = f"aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    (home / ".aws" / "credentials").write_text(f"[default]\n{keys}[users-own-profile]\n{keys}")
    (home / ".aws" / "config").write_text("[profile users-own-profile]\nregion = eu-west-1\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": "users-own-token",
        "AWS_PROFILE": "users-own-profile",
        "AWS_ENDPOINT_URL_STS": "https://sts.users-own.example",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{metadata[0]}/container",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata[0],
        "AIRFLOW_CONN_AWS_DEFAULT": f"aws://{KEY}:{SECRET}@",
    }


@pytest.fixture
def local_emr(users, tmp_path):
    """A local EMR that such a user has started with ``emrkit local up``."""
    data = tmp_path / "emr"

    def emrkit(action: str) -> None:
        command = [*COMMAND, "local", action, "--port=0", f"--data-dir={data}"]
        done = subprocess.run(command, env=users, capture_output=True, text=True, check=False, timeout=100)
        assert done.returncode == 0, done.stderr
        assert not [secret for secret in SECRETS if secret in done.stdout + done.stderr]

    emrkit("up")
    yield running_instance(data)
    emrkit("down")


def assert_nothing_was_found(text: str, url: str) -> None:
    (line,) = re.findall(r"FOUND (.*)", text)
    found = json.loads(line)
    assert not [secret for secret in SECRETS if secret in line], found
    assert (found["credentials"], found["config"], found["profiles"]) == (None, None, [])
    assert found["keys"][0] == "localemr"
    assert (found["sts"], found["endpoint"]) == ("123456789012", url)
    assert found["without"], "credentials from elsewhere, once those of the environment are gone"


def test_it_is_out_of_reach(local_emr, metadata):
    session = local_session(local_emr.url)
    s3 = session.client("s3")
    s3.put_object(Bucket="emrkit-local", Key="looks.py", Body=LOOKS.encode())
    packages = str(Path(sys.modules["boto3"].__file__).parents[1])
    script = f"#!/bin/bash\npython3 - {packages} <<'END'\n{LOOKS}\nEND\n"
    s3.put_object(Bucket="emrkit-local", Key="bootstrap.sh", Body=script.encode())
    action = {"Name": "looks", "ScriptBootstrapAction": {"Path": "s3://emrkit-local/bootstrap.sh"}}
    request = {"ReleaseLabel": "emr-7.11.0", "LogUri": "s3://emrkit-local/logs", "BootstrapActions": [action]}
    with LocalCluster.start(session.client("emr"), s3, request) as cluster:
        for mode in ("client", "cluster"):
            step = cluster.run("spark-submit", "--deploy-mode", mode, "s3://emrkit-local/looks.py", packages)
            assert_nothing_was_found(step.output, local_emr.url)
        listed = s3.list_objects_v2(Bucket="emrkit-local", Prefix=f"logs/{cluster.id}/node/")["Contents"]
        (log,) = [item["Key"] for item in listed if item["Key"].endswith("/stdout.gz")]
        packed = s3.get_object(Bucket="emrkit-local", Key=log)["Body"].read()
        assert_nothing_was_found(gzip.decompress(packed).decode(), local_emr.url)
    server = Path(f"/proc/{local_emr.pid}/environ").read_text()
    server += (Path(local_emr.data_dir) / "localemr.log").read_text()
    assert not [secret for secret in SECRETS if secret in server]
    assert metadata[1] == []
