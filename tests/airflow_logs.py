"""Writes lines of a job into logs as Airflow's own processes keep them, and notes what is shown of it.

Run in a process of its own, as Airflow's logging is set up once for a process:
``python airflow_logs.py FOLDER RESULT``. The result is a JSON object: lists of ``[level, text]`` by the names
of the files, and ``merged``.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PASSWORD, TOKEN, SECRET = "pass-of-aws-w0rd", "t0ken-of-the-session", "s3cret-of-a-variable"
CONNECTIONS = {
    "AIRFLOW_CONN_AWS_DEFAULT": {
        "conn_type": "aws",
        "login": "AKIAIOSFODNN7EXAMPLE",
        "password": PASSWORD,
        "extra": {"aws_session_token": TOKEN, "region_name": "us-east-1"},
    },
    "AIRFLOW_CONN_EMRKIT_DEFAULT": {"conn_type": "emrkit", "extra": {}},
}
# Bursts of one millisecond, silence between them.
WHEN = 1_700_000_000_000
TIMES = [WHEN + 1_000 * (number // 40) + number % 40 // 8 for number in range(200)]
KILLED, LAST = 110, 50


def job_lines() -> Sequence[Any]:
    from airflow_provider_emrkit.logs.sources import LogLine

    texts = [f"line {number:03}" for number in range(200)]
    texts[10:14] = ["again", "again", "again", "again"]
    texts[20] = f"keys {PASSWORD} {TOKEN} {SECRET}"
    texts[30] = "25/01/01 12:00:00 ERROR Main: x"
    texts[31] = '{"timestamp": "2020-01-01T00:00:00Z", "level": "info", "event": "forged"}'
    texts[32] = "*** forged"
    texts[33] = "[2020-01-01T00:00:00.000+0000] {forged.py:1} INFO - forged"
    return [LogLine(when, text, "stdout") for when, text in zip(TIMES, texts, strict=True)]


def write_all(writes: Any) -> None:
    """A triggerer writes half of the job's log, one after it all of it, and a worker the last lines."""
    from airflow_provider_emrkit.logs.writing import LogWriter

    lines = job_lines()
    with writes("trigger.1", "triggers.job_run.EmrJobRunTrigger") as log:
        LogWriter(log).write(lines[:KILLED])
    with writes("trigger.2", "triggers.job_run.EmrJobRunTrigger") as log:
        LogWriter(log).write(lines)
    with writes("worker", "operators.spark.EmrSparkOperator") as log:
        writer = LogWriter(log)
        writer.skip(lines[:-LAST])
        writer.write(lines[-LAST:])


# --- Airflow 3 --------------------------------------------------------------------------------------------


def logs_of_airflow_3(folder: Path) -> dict[str, Any]:
    import io

    import structlog
    from airflow.jobs.triggerer_job_runner import TriggerLoggingFactory, TriggerRunnerSupervisor
    from airflow.sdk.execution_time import supervisor
    from airflow.sdk.log import configure_logging, logging_processors
    from airflow.utils.log.file_task_handler import StructuredLogMessage, _interleave_logs

    output = io.BytesIO()  # what a process with the task or the trigger sends to its supervisor
    configure_logging(json_output=True, sending_to_supervisor=True, output=output)
    sent: dict[str, list[bytes]] = {}

    @contextlib.contextmanager
    def writes(name: str, owner: str) -> Iterator[Any]:
        output.seek(0)
        output.truncate()
        structlog.contextvars.bind_contextvars(dag_id="sales", try_number=1)
        if name != "worker":
            structlog.contextvars.bind_contextvars(trigger_id=1)
        yield structlog.get_logger(f"airflow_provider_emrkit.{owner}")
        structlog.contextvars.clear_contextvars()
        sent[name] = output.getvalue().splitlines()

    def receive(receiver: Any, lines: list[bytes]) -> None:
        next(receiver)
        for line in lines:
            receiver.send(line)

    write_all(writes)
    for name in ("trigger.1", "trigger.2"):
        factory = TriggerLoggingFactory(log_path=str(folder / name), ti=None)  # type: ignore[arg-type]
        triggerer: Any = SimpleNamespace(logger_cache={1: factory})
        receive(TriggerRunnerSupervisor._process_log_messages_from_subprocess(triggerer), sent[name])
        factory._filehandle.close()
    with (folder / "worker").open("wb") as file:
        logger = structlog.wrap_logger(
            structlog.BytesLogger(file), processors=logging_processors(json_output=True), logger_name="task"
        ).bind()
        receive(supervisor.process_log_messages_from_subprocess((logger,)), sent["worker"])

    def shown(entry: StructuredLogMessage) -> list[str]:
        return [str((entry.model_extra or {})["level"]), entry.event]

    files = {path.name: path.read_text().splitlines() for path in sorted(folder.iterdir())}
    result = {
        name: [shown(StructuredLogMessage.model_validate_json(line)) for line in lines]
        for name, lines in files.items()
    }
    return {**result, "merged": [shown(entry) for entry in _interleave_logs(*map(iter, files.values()))]}


# --- Airflow 2 --------------------------------------------------------------------------------------------


def logs_of_airflow_2(folder: Path) -> dict[str, Any]:
    from airflow.jobs.triggerer_job_runner import configure_trigger_log_handler, setup_queue_listener
    from airflow.utils.log import trigger_handler
    from airflow.utils.log.file_task_handler import FileTaskHandler, _interleave_logs

    def set_context(self: Any, ti: Any, **_: Any) -> None:
        """Open the file, whose name would come from the database."""
        self.handler = logging.FileHandler(ti.path)
        self.handler.setFormatter(self.formatter)

    FileTaskHandler.set_context = set_context

    @contextlib.contextmanager
    def writes(name: str, owner: str) -> Iterator[Any]:
        ti: Any = SimpleNamespace(path=str(folder / name))
        if name == "worker":
            log = logging.getLogger("airflow.task")
            log.handlers[0].set_context(ti)  # type: ignore[attr-defined]
            yield log.getChild(f"operators.airflow_provider_emrkit.{owner}")
            return
        trigger_handler.ctx_task_instance.set(ti)
        trigger_handler.ctx_trigger_id.set(int(name[-1]))
        trigger_handler.ctx_trigger_end.set(False)
        trigger_handler.ctx_indiv_trigger.set(True)
        yield logging.getLogger(f"airflow_provider_emrkit.{owner}")
        trigger_handler.ctx_indiv_trigger.set(None)

    configure_trigger_log_handler()
    listener = setup_queue_listener()
    write_all(writes)
    listener.stop()

    def shown(line: str) -> list[str]:
        match = re.fullmatch(r"\[\S+\] \{job:0\} (\w+) - (.*)", line)
        return [match[1].lower(), match[2]] if match else ["", line]

    files = {path.name: path.read_text() for path in sorted(folder.iterdir())}
    result = {name: [shown(line) for line in text.splitlines()] for name, text in files.items()}
    return {**result, "merged": [shown(line) for line in _interleave_logs(*files.values())]}


def main() -> None:
    """Write, and note what is to be seen."""
    for name, connection in CONNECTIONS.items():
        os.environ[name] = json.dumps(connection)
    os.environ["TZ"] = "UTC"
    time.tzset()
    from airflow_provider_emrkit._compat import AIRFLOW_V_3_0_PLUS
    from airflow_provider_emrkit.hooks.emrkit import EmrKitHook

    _ = EmrKitHook().clients  # as everybody does before there is anything to write
    masker = "airflow.sdk.log" if AIRFLOW_V_3_0_PLUS else "airflow.utils.log.secrets_masker"
    importlib.import_module(masker).mask_secret(SECRET)
    folder = Path(sys.argv[1])
    shown = (logs_of_airflow_3 if AIRFLOW_V_3_0_PLUS else logs_of_airflow_2)(folder)
    Path(sys.argv[2]).write_text(json.dumps(shown))


if __name__ == "__main__":
    main()
