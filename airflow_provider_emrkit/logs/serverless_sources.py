"""The logs of a job run of EMR Serverless, where it and its application send them."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.log_events import stream_names
from airflow_provider_emrkit.logs.cluster_sources import NoSources
from airflow_provider_emrkit.logs.containers import Executors, crowded, of_attempt
from airflow_provider_emrkit.logs.joined_sources import FallbackSources, together
from airflow_provider_emrkit.logs.s3_folders import Part, S3Folder, bucket_and_prefix
from airflow_provider_emrkit.logs.serverless_places import DEFAULT_GROUP, job_folder
from airflow_provider_emrkit.logs.sources import CloudWatchStream, LogSources

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_emrkit.logs.serverless_places import LogPlaces
    from airflow_provider_emrkit.logs.sources import LogSource

FILES = ("stdout", "stderr")

# Seconds between two looks for streams, until one of the driver's is there and after.
LOOK_FOR_DRIVER = 1.0
LOOK_FOR_MORE = 5.0
# Seconds between two uploads of a running job's logs to S3.
S3_PAUSE = 15.0

# Below the folder of a job run. What has grown to 128 MB is put aside into a folder "archived".
_LOG = re.compile(
    r"(?P<attempts>(?:attempts/(?P<attempt>\d+)/)?)(?P<worker>SPARK_DRIVER|SPARK_EXECUTOR/(?P<executor>\w+))/"
    r"(?:archived/)?(?P<file>stdout|stderr)(?:[_.-](?P<order>[\d-]+))?(?:\.gz)?$"
)


@dataclass(frozen=True)
class WorkerLog:
    """A log of a job run's driver or of one of its executors.

    :param folder: What comes before its file, below the job run's folder.
    :param attempt: Which attempt of the job run wrote it.
    :param executor: Id of the executor; None for the driver.
    :param file: ``stdout`` or ``stderr``.
    :param order: Sorts what was put aside of it; empty for the end.

    >>> WorkerLog.of("attempts/2/SPARK_EXECUTOR/7/stderr.gz").label
    'executor 7 stderr of attempt 2'
    """

    folder: str
    attempt: int
    executor: str | None
    file: str
    order: str = ""

    @classmethod
    def of(cls, path: str) -> WorkerLog | None:
        """Read the path of a log below its job run's folder; None when it is something else."""
        match = _LOG.fullmatch(path)
        if match is None:
            return None
        folder = f"{match['attempts']}{match['worker']}"
        return cls(folder, int(match["attempt"] or 1), match["executor"], match["file"], match["order"] or "")

    @property
    def label(self) -> str:
        """Name what wrote it."""
        who = self.file if self.executor is None else f"executor {self.executor} {self.file}"
        return of_attempt(who, self.attempt)


@dataclass(frozen=True)
class _Chosen:
    """Which of a job run's logs are read.

    :param executors: Chooses among those of executors; a driver's are always read.
    :param attempt: The attempt that wrote them; 0 for any.
    """

    executors: Executors
    attempt: int = 0

    def has(self, log: WorkerLog) -> bool:
        """Tell whether a log is one of them."""
        if self.attempt not in (0, log.attempt):
            return False
        return log.executor is None or self.executors.follow(log.folder)


@dataclass
class JobRunStreams(LogSources):
    """The CloudWatch streams of a job run, of all its attempts.

    :param logs: boto3 client of CloudWatch Logs.
    :param group: Log group.
    :param prefixes: What its streams' names may start with; the first that there are streams of is the one.
    :param chosen: Which of them are read.
    :param reason: What the reader of the log should know about them.
    :param clock: Seconds, for the looks after streams that may have appeared.

    >>> JobRunStreams(boto3.client("logs"), "/aws/emr-serverless", prefixes, chosen)  # doctest: +SKIP
    """

    logs: Any = field(repr=False)
    group: str
    prefixes: Sequence[str]
    chosen: _Chosen
    reason: str | None = None
    clock: Callable[[], float] = time.monotonic
    _found: dict[str, WorkerLog] = field(default_factory=dict)
    _next_look: float | None = None

    @property
    def note(self) -> str | None:
        """Say what is to be known of them, and which executors are left out."""
        where = f"the streams {self.prefixes[0]}… of the log group {self.group}"
        return together(self.reason, crowded(where) if self.chosen.executors.is_crowded else None)

    def current(self) -> Sequence[LogSource]:
        """Name the streams that exist (DescribeLogStreams)."""
        if self._next_look is None or self.clock() >= self._next_look:
            self._look()
            has_driver = any(log.executor is None for log in self._found.values())
            self._next_look = self.clock() + (LOOK_FOR_MORE if has_driver else LOOK_FOR_DRIVER)
        return [
            CloudWatchStream(self.logs, self.group, stream, log.label) for stream, log in self._found.items()
        ]

    def _look(self) -> None:
        for prefix in self.prefixes:
            for stream in stream_names(self.logs, self.group, prefix):
                log = WorkerLog.of(stream.removeprefix(prefix))
                if log is None or not self.chosen.has(log):
                    continue
                # What a driver has written nothing to yet, it may write its last words to.
                for file in FILES if log.executor is None else (log.file,):
                    self._found[f"{prefix}{log.folder}/{file}"] = replace(log, file=file)
            if self._found:
                self.prefixes = (prefix,)
                return


@dataclass
class JobRunArchive(LogSources):
    """The logs of a job run on S3, where EMR Serverless puts them every few seconds, of all its attempts.

    :param folder: The job run's.
    :param chosen: Which of them are read.
    :param reason: Why they are read here, for the reader of the log.
    :param uploaded_within: Seconds after the end of the job run in which its last lines are there.

    >>> JobRunArchive(folder, chosen).current()  # doctest: +SKIP
    """

    folder: S3Folder
    chosen: _Chosen
    reason: str | None = None
    uploaded_within: float = S3_PAUSE
    pause: float | None = S3_PAUSE

    @property
    def note(self) -> str | None:
        """Say why the logs are read here, and which executors are left out."""
        where = f"s3://{self.folder.bucket}/{self.folder.prefix}"
        return together(self.reason, crowded(where) if self.chosen.executors.is_crowded else None)

    def current(self) -> Sequence[LogSource]:
        """Name the logs that are there (ListObjectsV2)."""
        return self.folder.logs()


def serverless_sources(
    client: Callable[[Any], Any],
    application_id: str,
    job_run_id: str,
    places: LogPlaces,
    *,
    executors: bool = False,
    attempt: int = 0,
    uploaded_within: float = S3_PAUSE,
) -> LogSources:
    """Give the sources of a job run's logs, as it and its application were set up; asks nobody.

    :param client: Gives the boto3 client of a service.
    :param places: Where its logs go.
    :param executors: Whether the executors' logs are wanted.
    :param attempt: The attempt whose logs are wanted; 0 for all.
    :param uploaded_within: Seconds after the end of the job run in which its last lines are on S3.

    >>> serverless_sources(clients.client, "00app", "00run", places).current()  # doctest: +SKIP
    """
    what = f"Job run {job_run_id} of application {application_id}"
    folder = job_folder(application_id, job_run_id)
    chosen = _Chosen(Executors(executors and (places.executors or not places.group)), attempt)
    late = f"EMR Serverless puts them to {places.uri} every quarter of a minute"
    if places.group:
        streams = _streams(client("logs"), places, folder, chosen, what if executors else "")
        silence = f"{what} is set up to send its logs to CloudWatch, but nothing has come to log group "
        silence += f"{streams.group}; its execution role may not be allowed to write there."
        if not places.uri:
            return FallbackSources(streams, None, silence)
        chosen = _Chosen(Executors(executors), attempt)
        archive = _archive(client("s3"), places.uri, folder, chosen, uploaded_within)
        return FallbackSources(streams, archive, f"{silence} {late}, too.")
    if places.uri:
        reason = f"{what} does not send its logs to CloudWatch; {late}, and they are shown as they come."
        return _archive(client("s3"), places.uri, folder, chosen, uploaded_within, reason)
    return NoSources(
        f"{what} sends its logs neither to CloudWatch nor to S3. EMR Serverless keeps them in its own "
        "storage, unless its application says otherwise, and shows them on its dashboard."
    )


def _streams(logs: Any, places: LogPlaces, folder: str, chosen: _Chosen, who: str) -> JobRunStreams:
    reason = None
    if who and not places.executors:
        reason = f"{who} does not send its executors' logs to CloudWatch, so they are not shown here."
    return JobRunStreams(
        logs, places.group or DEFAULT_GROUP, _prefixes(places.prefix, folder), chosen, reason
    )


def _prefixes(given: str, folder: str) -> Sequence[str]:
    """Give what streams' names may start with: a slash stands behind the prefix, also behind an empty one."""
    if not given:
        return [f"/{folder}", folder]
    # A prefix that itself ends in a slash has one more behind it.
    return [f"{given}{folder}", f"{given}/{folder}"]


def _archive(
    s3: Any, log_uri: str, folder: str, chosen: _Chosen, uploaded_within: float, reason: str | None = None
) -> JobRunArchive:
    bucket, root = bucket_and_prefix(log_uri)
    prefix = f"{root}{folder}"

    def part(key: str) -> Part | None:
        log = WorkerLog.of(key.removeprefix(prefix))
        if log is None or not chosen.has(log):
            return None
        return Part(f"{prefix}{log.folder}/{log.file}.gz", log.label, log.order)

    return JobRunArchive(S3Folder(s3, bucket, prefix, part), chosen, reason, uploaded_within)
