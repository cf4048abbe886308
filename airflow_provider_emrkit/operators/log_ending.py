"""What a worker adds to a task's log about the end of its job's log; trouble with it is only told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.errors import explain, is_aws_error
from airflow_provider_emrkit.logs.tail import LogTail
from airflow_provider_emrkit.logs.text import one_line
from airflow_provider_emrkit.logs.writing import LogWriter
from airflow_provider_emrkit.runs.log_watch import TAIL_LINES
from airflow_provider_emrkit.runs.protocol import FailureFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_emrkit.logs.sources import LogLine
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.protocol import Runs
    from airflow_provider_emrkit.runs.watch import RunWatch

# Outputs that tell less about a job than its driver's do.
_LESSER = ("submit", "executor")
# Lines of an archived log that are shown for a failure that could not be followed.
SHOWN_LINES = 50


@dataclass(frozen=True)
class LogEnding:
    """The end of the log of one run.

    :param run: The run.
    :param runs: Where it ran.
    :param log: The task's log.
    :param on_aws: Whether the AWS console shows the logs.

    >>> LogEnding(run, runs, self.log).repeat(50)  # doctest: +SKIP
    """

    run: JobRun
    runs: Runs
    log: Any
    on_aws: bool = True

    def repeat(self, count: int) -> bool:
        """Write the last lines of a log that was followed elsewhere, as not all of Airflow's logs are kept.

        They carry the times that they have there, so that Airflow shows them once where it has both. All that
        is read of the log is gone through for that, and not only what is written.

        :param count: Lines to write.
        :return: Whether there were any.
        """
        return bool(count) and self._told(lambda: self._repeat(count))

    def of_failure(
        self, patience: float, count: int, watched: tuple[RunWatch, LogWriter] | None
    ) -> FailureFacts:
        """Collect what tells why the run failed, and write what the task's log lacks of the job's.

        :param patience: Seconds for which logs that are archived late may be waited for.
        :param count: Lines to repeat where the log was followed elsewhere.
        :param watched: Who has followed it here, and written it.
        """
        facts = self._facts(patience)
        shown = self._told(lambda: self._add_late(*watched)) if watched else self.repeat(count)
        if not shown and not facts.followed:
            self._show(facts)
        return facts

    def _facts(self, patience: float) -> FailureFacts:
        try:
            return self.runs.failure_facts(self.run, patience)
        except Exception as error:
            if not is_aws_error(error):
                raise
            self.log.warning("The logs could not be searched: %s", explain(error, self.run.region))
            return FailureFacts()

    def _show(self, facts: FailureFacts) -> None:
        """Write the ends of the logs that the cause is looked for in."""
        for text in (*facts.texts, *facts.start_texts):
            self.log.info("The end of %s:", text.name)
            for line in text.lines[-SHOWN_LINES:]:
                self.log.info("%s", line)

    def _repeat(self, count: int) -> bool:
        sources = self.runs.log_sources(self.run)
        sources.note_end()
        tail = LogTail(sources, from_end=TAIL_LINES)
        new = tail.read()
        told = most_telling(new.lines, count)
        if told:
            text = "The last lines of the job's log (%s), once more and at their own times. All of it: %s"
            self.log.info(text, len(told), tail.places(self.run.region, on_aws=self.on_aws))
        chosen = {id(line) for line in told}
        writer = LogWriter(self.log)
        for line in new.lines:
            (writer.write if id(line) in chosen else writer.skip)([line])
        if new.errors:
            raise new.errors[0]
        return bool(told)

    def _add_late(self, watch: RunWatch, writer: LogWriter) -> bool:
        writer.write(watch.late_lines())
        return watch.has_lines

    def _told(self, work: Callable[[], bool]) -> bool:
        try:
            return work()
        except Exception as error:  # whatever it is: it is about the log alone
            reason = explain(error, self.run.region) if is_aws_error(error) else one_line(repr(error))
            self.log.warning("The end of the job's log can't be shown: %s", reason)
            return False


def most_telling(lines: Sequence[LogLine], count: int) -> Sequence[LogLine]:
    """Choose the last lines of the driver, or of all there is where it has written nothing.

    >>> from airflow_provider_emrkit.logs.sources import LogLine
    >>> lines = [LogLine(1, "rows: 3", "stdout"), LogLine(2, "state: FINISHED", "submit")]
    >>> [line.text for line in most_telling(lines, 50)]
    ['rows: 3']
    """
    driver_s = [line for line in lines if not line.label.startswith(_LESSER)]
    return (driver_s or list(lines))[-count:] if count else ()
