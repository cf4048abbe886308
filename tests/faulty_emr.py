"""The local EMR as its client shows it, with calls that fail, answers that get lost and lists that lag."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = (
    "add_job_flow_steps",
    "cancel_steps",
    "describe_cluster",
    "list_clusters",
    "list_steps",
    "run_job_flow",
    "set_termination_protection",
    "terminate_job_flows",
)
SERVERLESS_CALLS = (
    "cancel_job_run",
    "get_application",
    "get_job_run",
    "list_applications",
    "list_job_runs",
    "start_job_run",
)
SUBMITTING = ("run_job_flow", "add_job_flow_steps")
LISTING = {
    "list_applications": "applications",
    "list_clusters": "Clusters",
    "list_job_runs": "jobRuns",
    "list_steps": "Steps",
}


def aws_error(code: str, message: str = "", status: int = 400) -> ClientError:
    """Make an error that AWS answers with."""
    answer: Any = {"Error": {"Code": code, "Message": message}}
    return ClientError({**answer, "ResponseMetadata": {"HTTPStatusCode": status}}, "Call")


def throttled() -> ClientError:
    """Make AWS's refusal of too many calls."""
    return aws_error("ThrottlingException", "Rate exceeded")


def timed_out() -> ReadTimeoutError:
    """Make the error of an answer that did not come."""
    return ReadTimeoutError(endpoint_url="https://emr")


def unreachable() -> EndpointConnectionError:
    """Make the error of a connection that could not be made."""
    return EndpointConnectionError(endpoint_url="https://emr")


class FaultyEmr:
    """EMR's client, or EMR Serverless'; what is not told to fail works.

    :param client: boto3 client of a local EMR.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls: list[str] = []
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self._failures: dict[str, list[tuple[BaseException, bool]]] = {}
        self._hidden: dict[str, int] = {}
        self.before: dict[str, Callable[[], object]] = {}

    def fail(self, call: str, *errors: BaseException, done: bool = False) -> None:
        """Let the next calls fail: before EMR did what was asked, or when it is done already."""
        self._failures.setdefault(call, []).extend((error, done) for error in errors)

    def hide(self, call: str, times: int) -> None:
        """Let a list be empty for some calls."""
        self._hidden[call] = times

    def sent(self, call: str) -> list[dict[str, Any]]:
        """Give the inputs of the calls that were made."""
        return [request for name, request in self.requests if name == call]

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return partial(self._call, name, found) if name in CALLS + SERVERLESS_CALLS else found

    def _call(self, name: str, really: Callable[..., Any], /, **request: Any) -> Any:
        self.calls.append(name)
        self.requests.append((name, request))
        if name in self.before:
            self.before.pop(name)()
        failures = self._failures.get(name)
        error, done = failures.pop(0) if failures else (None, False)
        if error and not done:
            raise error
        answer = really(**request)
        if error:
            raise error
        if self._hidden.get(name):
            self._hidden[name] -= 1
            return {LISTING[name]: []}
        return answer


def clients_of(emr: Any, **others: Any) -> Any:
    """Give AWS clients as emrkit holds them.

    :param others: The clients of other services, by their names.
    """
    return SimpleNamespace(
        client=lambda service, retries=True, region=None: others.get(service, emr),
        region_name="us-east-1",
        has_own_endpoint=True,
    )
