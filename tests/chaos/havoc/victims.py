"""The processes that may be killed: those of the programs a test started itself, and no other."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.processes import Process, all_processes, command_of, process

if TYPE_CHECKING:
    from collections.abc import Iterator

# Titles Airflow 3 gives its processes: a LocalExecutor's worker, and below it the task that it supervises.
WORKER = "airflow worker -- LocalExecutor"
TASK = "airflow worker"


class NotOursError(Exception):
    """A process that was to be killed is not (or no more) one of ours."""


@dataclass(frozen=True)
class Worker:
    """A worker that has a task.

    :param supervisor: Talks to Airflow; it is an executor's worker.
    :param task: Its child, which runs the operator.
    """

    supervisor: Process
    task: Process


class Victims:
    """Finds and kills processes below those that a test started.

    :param roots: The processes that the test started.

    Example::

        victims = Victims([standalone.process])
        victims.kill(victims.workers()[0].task)
    """

    def __init__(self, roots: list[Process]) -> None:
        self.roots = roots

    def owns(self, one: Process) -> bool:
        """Whether it is a root, or the chain of its parents leads to one; the ids are still the same."""
        now = process(one.pid)
        known = {(root.pid, root.started) for root in self.roots}
        if now is None or now.started != one.started:
            return False
        return any((ancestor.pid, ancestor.started) in known for ancestor in _lineage(now))

    def below(self, root: Process) -> list[Process]:
        """A root and all its descendants, parents before children."""
        table = all_processes()
        found = [one for one in table if (one.pid, one.started) == (root.pid, root.started)]
        for parent in found:
            found += [one for one in table if one.parent == parent.pid and one not in found]
        return found

    def workers(self) -> list[Worker]:
        """The workers that have a task just now."""
        mine = [one for root in self.roots for one in self.below(root)]
        supervisors = {one.pid: one for one in mine if _is_supervisor(one)}
        return [
            Worker(supervisors[one.parent], one)
            for one in mine
            if one.parent in supervisors and command_of(one.pid).startswith(TASK)
        ]

    def kill(self, one: Process) -> None:
        """End a process without a warning.

        :raises NotOursError: when it is not one of ours.
        """
        self._send(one, signal.SIGKILL)

    def kill_tree(self, root: Process) -> None:
        """End a process and its descendants, as the loss of a machine does: none can report another's end.

        :raises NotOursError: when it is not one of ours.
        """
        tree = self.below(root)
        self._send(root, signal.SIGSTOP)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for one in tree:
                # Its parents may be dead already, so that only its start time tells that it is the same.
                now = process(one.pid)
                if now is not None and now.started == one.started:
                    _signal(one, number)

    def kill_supervisor(self, worker: Worker, *, with_task: bool) -> bool:
        """End a worker while it has a task; False when the task has just ended.

        An idle worker holds the lock of the executor's queue: with its death no task would ever start again.

        :param with_task: The task dies too, as with the machine; else it is left behind an orphan.
        """
        self._send(worker.supervisor, signal.SIGSTOP)
        if not self.owns(worker.task):
            self._send(worker.supervisor, signal.SIGCONT)
            return False
        with suppress(NotOursError):  # it ends just now, and its supervisor can't see that any more
            if with_task:
                self.kill(worker.task)
        self.kill(worker.supervisor)
        return True

    def _send(self, one: Process, number: int) -> None:
        if not self.owns(one):
            raise NotOursError(f"pid {one.pid} ({command_of(one.pid)}) was not started here, or has ended")
        _signal(one, number)


def _signal(one: Process, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(one.pid, number)


def _is_supervisor(one: Process) -> bool:
    parent = process(one.parent)
    if parent is None or command_of(parent.pid).startswith(TASK):
        return False
    return command_of(one.pid).startswith(WORKER)


def _lineage(one: Process) -> Iterator[Process]:
    current: Process | None = one
    while current is not None:
        yield current
        current = process(current.parent) if current.parent else None
