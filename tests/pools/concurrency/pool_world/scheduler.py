"""Virtual time: processes that run one at a time, in an order that a seed decides.

A process is a thread that runs until it waits for something; then the next event in virtual time is due,
and the thread that found it hands over to the one it belongs to. So nothing depends on the machine's pace,
and the same seed gives the same course of things.
"""

from __future__ import annotations

import heapq
import random
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCH = 1_800_000_000.0


class Killed(BaseException):
    """The process is no more: whatever it does comes to nothing."""


class Process:
    """One simulated process.

    :param name: Its name in the trace.
    """

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.dead = False
        self.done = False
        self.failure: BaseException | None = None
        self.turn = threading.Lock()
        self.turn.acquire()

    def pause(self, seconds: float) -> bool:
        """Wait; the work is never to stop."""
        self.sleep(seconds)
        return False

    def sleep(self, seconds: float) -> None:
        """Let others run until some seconds have passed."""
        self.check()
        self.world.wake(self, seconds)
        self.world.hand_over(self)
        self.check()

    def check(self) -> None:
        """Raise in a process that is no more."""
        if self.dead or self.world.over:
            raise Killed

    def die(self) -> None:
        """Kill it, from inside."""
        self.dead = True
        raise Killed


class World:
    """Time, and what is to happen.

    :param seed: Decides everything that is left to chance.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.now = EPOCH
        self.over = False
        self.processes: list[Process] = []
        self.violations: list[str] = []
        self.trace: list[tuple[Any, ...]] = []
        self._events: list[tuple[float, int, Process | Callable[[], object]]] = []
        self._count = 0
        self._limit = EPOCH
        self._ended = threading.Lock()
        self._threads: list[threading.Thread] = []

    def clock(self) -> float:
        """Seconds since 1970."""
        return self.now

    def note(self, *what: Any) -> None:
        """Put something into the trace."""
        self.trace.append((self.now, *what))

    def violate(self, what: str) -> None:
        """Note that something happened that must never happen."""
        self.note("VIOLATION", what)
        self.violations.append(what)

    def at(self, delay: float, act: Callable[[], object]) -> None:
        """Let something happen later."""
        self._push(delay, act)

    def wake(self, process: Process, delay: float) -> None:
        """Let a process go on later."""
        self._push(delay, process)

    def _push(self, delay: float, what: Process | Callable[[], object]) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now + max(0.0, delay), self._count, what))

    def spawn(self, name: str, body: Callable[[Process], object], delay: float = 0.0) -> Process:
        """Start a process."""
        process = Process(self, name)
        self.processes.append(process)

        def main() -> None:
            process.turn.acquire()
            try:
                process.check()
                body(process)
            except Killed:
                pass
            except BaseException as error:
                process.failure = error
                self.violate(f"{name} raised {type(error).__name__}: {error}")
            process.done = True
            if not self.over:
                self.hand_over(process)

        thread = threading.Thread(target=main, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        self.wake(process, delay)
        return process

    def hand_over(self, current: Process) -> None:
        """Let happen what is due, up to the turn of a process; comes back when it is the current one's."""
        following = self._following()
        if following is current:
            return
        (following.turn if following else self._ended).release()
        if not current.done:
            current.turn.acquire()

    def _following(self) -> Process | None:
        while self._events and self._events[0][0] <= self._limit:
            self.now, _, what = heapq.heappop(self._events)
            if not isinstance(what, Process):
                what()
            elif not what.done:
                return what
        return None

    def run(self, seconds: float) -> None:
        """Let happen what happens in some seconds."""
        self._limit = self.now + seconds
        self._ended.acquire(blocking=False)
        following = self._following()
        if following is not None:
            following.turn.release()
            self._ended.acquire()
        if self._events:
            self.now = self._limit

    def alive(self) -> list[Process]:
        """Give the processes that still have something to do."""
        return [process for process in self.processes if not process.done]

    def close(self) -> None:
        """End all processes."""
        self.over = True
        for process in self.processes:
            if not process.done:
                process.turn.release()
        for thread in self._threads:
            thread.join(10)
