"""The HTTP side: takes AWS's JSON and query protocols apart, counts, throttles, answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from aiohttp import web

from benchmarks.endpoint.buckets import Quota, Throttle
from benchmarks.endpoint.cloudwatch import CloudWatch
from benchmarks.endpoint.ecs import Ecs
from benchmarks.endpoint.emr import Emr
from benchmarks.endpoint.queue import Queue
from benchmarks.endpoint.refusal import RefusedError
from benchmarks.endpoint.s3 import S3
from benchmarks.logs.plan import GROUP, stream_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.logs.plan import LogEvent, LogShape
    from benchmarks.schedule import Job

# JSON that is still to be written, or has been already.
Answer = dict[str, Any] | bytes

LOGS = "Logs_20140328"

# Seconds that AWS takes for an answer.
ANSWER_TIME = 0.03

_STS = (
    '<{0}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{0}Result>'
    "<Account>123456789012</Account><UserId>bench</UserId><Arn>arn:aws:iam::123456789012:user/bench</Arn>"
    "<Credentials><AccessKeyId>ASIABENCH</AccessKeyId><SecretAccessKey>bench</SecretAccessKey>"
    "<SessionToken>bench</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>"
    "</{0}Result></{0}Response>"
)


class Service:
    """All of the AWS there is here.

    :param jobs: The schedule; it begins to run when told to (``POST /start``).
    :param quotas: See :class:`~benchmarks.endpoint.buckets.Throttle`.
    :param log: What the first of the jobs writes.
    :param shape: What that is made of.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        quotas: Mapping[str, Quota],
        log: Sequence[LogEvent] = (),
        shape: LogShape | None = None,
    ) -> None:
        self._jobs = jobs
        self._log = log
        self._streams = stream_names(shape, jobs[0].step_id) if shape else ()
        self._log_calls: list[float] = []
        self._throttle = Throttle(quotas)
        self._served: Counter[str] = Counter()
        self._throttled: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._peak = 0
        self._runner: web.AppRunner | None = None
        self._begin(float("inf"))

    def app(self) -> web.Application:
        """Give the application, whose control routes are beside AWS's."""
        app = web.Application()
        app.router.add_post("/start", self._start)
        app.router.add_get("/counts", self._counts)
        app.router.add_post("/{path:.*}", self._answer)
        app.router.add_get("/{path:.*}", self._answer_s3)
        app.router.add_put("/{path:.*}", self._answer_s3)
        return app

    def watch_connections_of(self, runner: web.AppRunner) -> None:
        """Say whose open connections are counted."""
        self._runner = runner

    def _begin(self, started: float) -> None:
        self._started = started
        self._emr = Emr(self._jobs, started)
        self._s3 = S3()
        has_begun = started < float("inf")
        self._queue = Queue(self._jobs if has_begun else (), started, self._now)
        logs = CloudWatch(GROUP, self._streams, self._log if has_begun else (), started)
        self._services: Mapping[str, Mapping[str, Any]] = {
            "ElasticMapReduce": self._emr.operations,
            LOGS: logs.operations,
            "AmazonEC2ContainerServiceV20141113": Ecs(self._jobs[0]).operations,
        }

    def _now(self) -> float:
        return time.time() - self._started

    async def _start(self, request: web.Request) -> web.Response:
        self._begin(float((await request.json())["started"]))
        return web.json_response({})

    async def _counts(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "served": self._served,
                "throttled": self._throttled,
                "refused": self._refused,
                "connections": self._peak,
                "shown": len(self._emr.shown),
                "log_calls": self._log_calls,
            }
        )

    async def _answer(self, request: web.Request) -> web.Response:
        if self._runner is not None and self._runner.server is not None:
            self._peak = max(self._peak, len(self._runner.server.connections))
        body = await request.read()
        target = request.headers.get("X-Amz-Target", "")
        service, _, operation = target.rpartition(".")
        if not operation:
            operation = parse_qs(body.decode()).get("Action", ["unknown"])[0]
        if service == LOGS:
            self._log_calls.append(time.time())
        await asyncio.sleep(ANSWER_TIME)
        if not self._throttle.passes(operation, time.monotonic()):
            self._throttled[operation] += 1
            return _error("ThrottlingException", "Rate exceeded")
        self._served[operation] += 1
        if not service:
            return web.Response(text=_STS.format(operation), content_type="text/xml")
        try:
            return _json(await self._dispatch(service, operation, json.loads(body or b"{}")))
        except RefusedError as refused:
            self._refused[f"{operation}: {refused.code}"] += 1
            return _error(refused.code, refused.message)

    async def _answer_s3(self, request: web.Request) -> web.Response:
        body = await request.read()
        await asyncio.sleep(ANSWER_TIME)
        writes = request.method == "PUT"
        self._served["PutObject" if writes else "GetObject"] += 1
        found = self._s3.put(request.path, request.headers, body) if writes else self._s3.get(request.path)
        return web.Response(status=found.status, headers=found.headers, body=found.body)

    async def _dispatch(self, service: str, operation: str, request: Mapping[str, Any]) -> Answer:
        if service == "AmazonSQS":
            return await self._queue.answer(operation, request)
        answer = self._services.get(service, {}).get(operation)
        if answer is not None:
            found: Answer = answer(request, self._now())
            return found
        raise RefusedError("UnknownOperationException", f"{service}.{operation} is not part of this endpoint")


def _json(answer: Answer, status: int = 200) -> web.Response:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return web.Response(body=body, status=status, content_type="application/x-amz-json-1.1")


def _error(code: str, message: str) -> web.Response:
    return _json({"__type": code, "message": message}, status=400)
