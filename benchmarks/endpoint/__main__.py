"""``python -m benchmarks.endpoint``: reads what to play from its input, prints its port, and serves."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import sys
from typing import Any

from aiohttp import web

from benchmarks.endpoint.service import Service
from benchmarks.endpoint.tls import HOST
from benchmarks.logs.plan import LogShape, make_plan
from benchmarks.schedule import Shape, make_schedule


async def serve(order: dict[str, Any]) -> None:
    """Serve until SIGTERM or until whoever started this process is gone.

    :param order: ``shape``, ``seed``, ``quotas``, ``log``, and the files ``chain`` and ``key``.
    """
    shape = LogShape(**order["log"]) if order["log"] else None
    log = make_plan(shape, order["seed"]) if shape else ()
    jobs = make_schedule(Shape(**order["shape"]), order["seed"])
    service = Service(jobs, order["quotas"], log, shape)
    runner = web.AppRunner(service.app(), access_log=None)
    await runner.setup()
    service.watch_connections_of(runner)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(order["chain"], order["key"])
    site = web.TCPSite(runner, HOST, 0, ssl_context=context, backlog=4_096, shutdown_timeout=0.5)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # The end of the input: the process that measures has gone.
    loop.add_reader(sys.stdin.fileno(), stop.set)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.stdin.readline())))
