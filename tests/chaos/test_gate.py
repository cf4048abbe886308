"""The gate passes on what it is not to break, and says who has called."""

from __future__ import annotations

import http.client
import json
import os
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from havoc.gate import Gate


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        told = {
            "server": self.server.server_address[1],
            "path": self.path,
            "body": self.rfile.read(int(self.headers["Content-Length"])).decode(),
            "target": self.headers.get("X-Amz-Target"),
        }
        body = json.dumps(told).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", "77")
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def servers():
    """Two servers, for AWS and for Airflow."""
    both = [ThreadingHTTPServer(("127.0.0.1", 0), Echo) for _ in range(2)]
    for server in both:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield both
    for server in both:
        server.shutdown()
        server.server_close()


@pytest.fixture
def gate(servers):
    """A gate with a list of the calls it has seen; what is put into ``breaks`` decides which end there."""
    calls, breaks = [], []

    def watcher(call):
        calls.append(call)
        return any(condition(call) for condition in breaks)

    aws, airflow = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    with Gate(aws, airflow, watcher) as gate:
        gate.calls, gate.breaks = calls, breaks
        yield gate


def ask(gate, path="/", body=b"question", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=60)
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_a_call_is_passed_on_and_seen_twice(gate, servers):
    status, told = ask(gate, "/x?y=1", **{"X-Amz-Target": "ElasticMapReduce.RunJobFlow"})
    assert (status, told["body"], told["path"]) == (201, "question", "/x?y=1")
    assert told["server"] == servers[0].server_address[1]
    before, after = gate.calls
    assert (before.action, before.body, before.answer) == ("RunJobFlow", b"question", None)
    assert json.loads(after.answer) == told


def test_airflows_own_calls_go_to_airflow(gate, servers):
    assert ask(gate, "/execution/xcoms")[1]["server"] == servers[1].server_address[1]


def test_a_body_in_chunks_arrives_whole(gate):
    request = urllib.request.Request(f"{gate.url}/", data=iter([b"a" * 10, b"b"]), method="POST")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        assert json.load(answer)["body"] == "a" * 10 + "b"


def test_an_answer_without_a_body_keeps_its_length(gate):
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=60)
    connection.request("HEAD", "/bucket/key")
    assert connection.getresponse().getheader("Content-Length") == "77"


@pytest.mark.parametrize("answered", [False, True])
def test_a_call_can_be_broken_off_before_and_after_it_is_passed_on(gate, answered):
    gate.breaks.append(lambda call: (call.answer is not None) == answered)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        ask(gate)
    assert len(gate.calls) == 1 + answered


def test_the_caller_is_known_by_its_connection(gate):
    pids = []
    gate.breaks.append(lambda call: pids.append(gate.caller(call, [os.getppid(), os.getpid()])))
    ask(gate)
    assert pids == [os.getpid(), os.getpid()]


def test_a_server_that_is_gone_is_told(gate, servers):
    servers[0].shutdown()
    servers[0].server_close()
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=60)
    connection.request("POST", "/", b"")
    assert connection.getresponse().status == 502
