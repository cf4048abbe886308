"""The client of Airflow's API, against a server that answers as the test says."""

from __future__ import annotations

import http.server
import json
import threading

import pytest

from demo import rest


@pytest.fixture
def server(monkeypatch):
    """Answers the statuses of ``server.statuses`` in turn, and 200 after them; notes the requests."""
    monkeypatch.setattr(rest, "_PAUSES", (0.01, 0.01))

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == "/auth/token":
                status, body = 200, {"access_token": "t"}
            else:
                served.asked.append(self.command)
                status, body = (served.statuses.pop(0) if served.statuses else 200), {"state": "failed"}
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = _answer  # noqa: N815 - names of the library

        def log_message(self, *_):
            pass

    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.statuses, served.asked = [], []
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield served
    served.shutdown()
    served.server_close()


@pytest.fixture
def airflow(server):
    return rest.Airflow(f"http://127.0.0.1:{server.server_port}", "admin", "secret")


def test_a_request_that_changes_nothing_twice_is_sent_again_while_the_database_is_locked(server, airflow):
    server.statuses = [500, 500]
    airflow.fail_run("sales", "manual__1")
    assert server.asked == ["PATCH", "PATCH", "PATCH"]


def test_it_is_given_up_in_the_end(server, airflow):
    server.statuses = [500] * 3
    with pytest.raises(rest.AirflowError, match="HTTP 500"):
        airflow.fail_run("sales", "manual__1")


@pytest.mark.parametrize("statuses", [[500], [500, 409]], ids=["not begun", "begun, and the answer was lost"])
def test_a_run_begins_once_whatever_became_of_the_first_answer(server, airflow, statuses):
    server.statuses = statuses
    airflow.trigger("sales", "manual__1")
    assert server.asked == ["POST", "POST"]


@pytest.mark.parametrize(
    ("status", "ask"),
    [
        pytest.param(
            409, lambda airflow: airflow.trigger("sales", "manual__1"), id="another's run of this id"
        ),
        pytest.param(404, lambda airflow: airflow.run_state("sales", "manual__1"), id="what is not there"),
    ],
)
def test_nothing_else_is_sent_again(server, airflow, status, ask):
    server.statuses = [status]
    with pytest.raises(rest.AirflowError, match=f"HTTP {status}"):
        ask(airflow)
    assert len(server.asked) == 1
