"""CloudWatch Logs for DAG authors: streams as they are written, line by line."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import BaseHook
from airflow_provider_emrkit.hooks.emrkit import DEFAULT_CONN_ID, EmrKitHook
from airflow_provider_emrkit.hooks.errors import is_aws_error, typed
from airflow_provider_emrkit.logs.following import Following
from airflow_provider_emrkit.logs.reading import StreamCursor
from airflow_provider_emrkit.logs.user_streams import UserStreams
from airflow_provider_emrkit.logs.wishes import LogStream
from airflow_provider_emrkit.logs.writing import LINES_AT_ONCE, LogWriter
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, MutableMapping, Sequence

    from airflow_provider_emrkit.logs.sources import LogLine

# Lines that an async generator gives at most before others have their turn.
LINES_PER_TURN = 500


class CloudWatchLogsHook(BaseHook):
    """Reads CloudWatch log streams while they are written: every line once, by the time it was written.

    A stream is a :class:`~airflow_provider_emrkit.logs.wishes.LogStream` or a pair of group and name. A ``*``
    at the end of a name stands for all streams whose names begin like this, up to 50. Streams and groups need
    not exist yet. Events that are delivered up to a minute late are given when they come.

    Throttling and broken connections are borne; the lines are then late. What all methods take:

    - ``streams``: what to read.
    - ``until``: what tells that nothing more is written: a function that gives True then (it may block, for
      it is asked between two looks), or an event (of ``threading`` or ``asyncio``). Without it, the streams
      are read until they are silent.
    - ``drain``: seconds for which there must have been silence before reading ends. Lines come a little late.
      With ``until``, 30 seconds are enough whatever comes. 0 reads what is there.
    - ``poll_interval``: seconds between two looks.
    - ``since``: only events from this time on, a datetime or milliseconds since 1970.
    - ``cursor``: a dict that says where to start, and in which it is written how far one has come, whenever
      all lines of a look were taken. It is plain JSON, so that another task can go on from it.

    All raise ``EmrKitError``, by its type, when AWS refuses to give the logs; and InvalidValueError when no
    stream can have such a name.

    :param emrkit_conn_id: The ``emrkit`` connection.
    :param region_name: AWS region, where it must not be the connection's.

    >>> for line in CloudWatchLogsHook().stream([("/team/sales", "driver-*")]):  # doctest: +SKIP
    ...     print(line.label, line.text)
    """

    def __init__(self, emrkit_conn_id: str = DEFAULT_CONN_ID, region_name: str | None = None) -> None:
        super().__init__()
        self.emrkit_conn_id = emrkit_conn_id
        self.region_name = region_name

    @cached_property
    def _hook(self) -> EmrKitHook:
        return EmrKitHook(self.emrkit_conn_id, self.region_name)

    def get_conn(self) -> Any:
        """Give the boto3 client of CloudWatch Logs, which all hooks of a connection and region share."""
        return self._hook.client("logs")

    def stream(
        self,
        streams: Sequence[LogStream | tuple[str, str]],
        *,
        until: Callable[[], bool] | threading.Event | None = None,
        drain: float = 5.0,
        poll_interval: float = 2.0,
        since: datetime | int | None = None,
        cursor: MutableMapping[str, Any] | None = None,
    ) -> Iterator[LogLine]:
        """Give the streams' lines as they come; blocks. The class says what the parameters mean.

        >>> @task  # doctest: +SKIP
        ... def count_errors(run_id: str) -> int:
        ...     lines = CloudWatchLogsHook().stream([("/team/sales", f"{run_id}/*")], drain=0)
        ...     return sum("ERROR" in line.text for line in lines)
        """
        following = self._following(streams, until, drain, poll_interval, since, cursor)
        while not following.is_over:
            yield from self._look(following)
            following.keep_place()
            if following.delay:
                threading.Event().wait(following.delay)

    async def astream(
        self,
        streams: Sequence[LogStream | tuple[str, str]],
        *,
        until: Callable[[], bool] | threading.Event | asyncio.Event | None = None,
        drain: float = 5.0,
        poll_interval: float = 2.0,
        since: datetime | int | None = None,
        cursor: MutableMapping[str, Any] | None = None,
    ) -> AsyncIterator[LogLine]:
        """Give the streams' lines as they come; reads in threads, so that it holds up no event loop.

        >>> async for line in CloudWatchLogsHook().astream(streams, until=job_has_ended):  # doctest: +SKIP
        ...     print(line.text)
        """
        following = await self._open(streams, until, drain, poll_interval, since, cursor)
        while not following.is_over:
            lines = iter(await asyncio.to_thread(self._look, following))
            while part := list(islice(lines, LINES_PER_TURN)):
                for line in part:
                    yield line
                await asyncio.sleep(0)
            following.keep_place()
            await asyncio.sleep(following.delay)

    def follow(
        self,
        streams: Sequence[LogStream | tuple[str, str]],
        log: Any = None,
        **options: Any,
    ) -> int:
        """Write the streams' lines into a logger, with their own time and level; gives their number. Blocks.

        :param log: Where to write, such as a task's own log; by default the hook's.
        :param options: ``until``, ``drain``, ``poll_interval``, ``since`` and ``cursor``; see the class.

        >>> CloudWatchLogsHook().follow([("/team/sales", "driver")], until=job_has_ended)  # doctest: +SKIP
        200
        """
        writer, count = LogWriter(log if log is not None else self.log), 0
        for line in self.stream(streams, **options):
            writer.write([line])
            count += 1
        return count

    async def afollow(
        self,
        streams: Sequence[LogStream | tuple[str, str]],
        log: Any = None,
        **options: Any,
    ) -> int:
        """Write the streams' lines into a logger as :meth:`follow` does, without holding up the event loop.

        :param log: Where to write, such as a trigger's own log; by default the hook's.
        :param options: ``until``, ``drain``, ``poll_interval``, ``since`` and ``cursor``; see the class.

        >>> await CloudWatchLogsHook().afollow(streams, self.log, until=job_has_ended)  # doctest: +SKIP
        200
        """
        writer, count = LogWriter(log if log is not None else self.log), 0
        async for line in self.astream(streams, **options):
            writer.write([line])
            count += 1
            if count % LINES_AT_ONCE == 0:
                await asyncio.sleep(0)
        return count

    def _following(
        self,
        streams: Sequence[LogStream | tuple[str, str]],
        until: Any,
        drain: float,
        poll_interval: float,
        since: datetime | int | None,
        cursor: MutableMapping[str, Any] | None,
    ) -> Following:
        _check_cursor(cursor)
        pairs = [_pair(one) for one in streams]
        start = int(since.timestamp() * 1000) if isinstance(since, datetime) else since or 0
        sources = UserStreams(self.get_conn(), pairs, start)
        return Following(
            sources,
            getattr(until, "is_set", until),
            drain=drain,
            poll_interval=poll_interval,
            cursor={} if cursor is None else cursor,
        )

    async def _open(self, *args: Any) -> Following:
        # A trigger may ask Airflow for a connection in this way only.
        from asgiref.sync import sync_to_async

        return await sync_to_async(self._following)(*args)

    def _look(self, following: Following) -> Sequence[LogLine]:
        try:
            lines = following.look()
        except Exception as error:
            if not is_aws_error(error):
                raise
            region = self._hook.clients.region_name
            raise typed("the logs can't be read", error, region) from error
        for note in following.take_notes():
            self.log.warning("%s", note)
        return lines


def _pair(stream: Any) -> tuple[str, str]:
    if not isinstance(stream, LogStream):
        if isinstance(stream, str) or len(stream) != 2:
            mend = 'give a list of them, like [("/team/sales", "driver-*")]'
            raise InvalidValueError("CloudWatchLogsHook", "streams", stream, "is no stream", mend)
        stream = LogStream(*stream)
    return stream.group, stream.stream


def _check_cursor(cursor: Mapping[str, Any] | None) -> None:
    try:
        for place in (cursor or {}).values():
            StreamCursor.from_dict(place)
    except ValueError:
        mend = "give the dict that an earlier read has filled, or an empty one"
        raise InvalidValueError("CloudWatchLogsHook", "cursor", cursor, "says no places", mend) from None
