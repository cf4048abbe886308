"""Waiting in the event loop for somebody who may wake one."""

from __future__ import annotations

import asyncio


class Waking:
    """Somebody who waits, and can be woken. Small, as there may be ten thousand.

    >>> waking = Waking()
    >>> waking.wake()
    """

    __slots__ = ("_waiter",)

    def __init__(self) -> None:
        self._waiter: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """End the wait, if there is one."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def sleep(self, seconds: float | None) -> None:
        """Wait to be woken.

        :param seconds: The longest wait; None for no end.
        """
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = None if seconds is None else loop.call_later(seconds, self.wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
