"""Ends drivers that run apart from their steps, in YARN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.request import step_request
from airflow_provider_emrkit.runs.step_calls import list_steps, steps_of
from airflow_provider_emrkit.runs.token import MARK, MAX_NAME

if TYPE_CHECKING:
    from airflow_provider_emrkit.runs.job_run import JobRun

END_MARK = " emrkit-end:"

# The client of the job may just be handing its application to YARN, so that nothing must be found twice. An
# application that can't be ended, or asked for, fails the step.
SCRIPT = """\
unfound=0
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  if listed=$(yarn application -list -appTags "$1" -appStates NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING); then
    found=$(printf '%s\\n' "$listed" | awk '$1 ~ /^application_[0-9]+_[0-9]+$/ { print $1 }')
    if [ -n "$found" ]; then
      unfound=0
      for application in $found; do yarn application -kill "$application"; done
    else
      unfound=$((unfound + 1))
      [ "$unfound" -lt 2 ] || exit 0
    fi
  fi
  sleep 1
done
exit 1
"""


class DriverEnding:
    """Ends the driver that a step has left in YARN, by another step, as EMR offers nothing else.

    In deploy mode ``cluster`` a step is only the client of its job: what cancels the step leaves the driver
    running. The driver is known by the tag that its job was submitted with.

    :param emr: boto3 client of EMR.
    :param run: The run whose driver is to end.

    >>> ending = DriverEnding(emr, run)  # doctest: +SKIP
    >>> ending.start()  # doctest: +SKIP
    """

    def __init__(self, emr: Any, run: JobRun) -> None:
        self._emr = emr
        self._run = run
        self.step_id = ""
        self.state = ""

    @property
    def yarn_tag(self) -> str:
        """The tag of the driver's application."""
        return f"emrkit-{self._run.token}"

    @property
    def name(self) -> str:
        """The name of the step that ends it; no run is ever taken for one of that name."""
        mark = f"{END_MARK}{self._run.token}"
        return self._run.name.removesuffix(f"{MARK}{self._run.token}")[: MAX_NAME - len(mark)] + mark

    @property
    def is_over(self) -> bool:
        """Whether the step that ends it has ended."""
        return self.state not in ("", "PENDING", "RUNNING", "CANCEL_PENDING")

    def start(self) -> None:
        """Add the step (AddJobFlowSteps), unless a kill before this one has added it (ListSteps).

        :raises botocore.exceptions.ClientError: when AWS does not take it.
        """
        there = next(
            (step for step in steps_of(self._emr, self._run.cluster_id, 1) if self._is_it(step)), None
        )
        if there is not None:
            self.step_id, self.state = there["Id"], there["Status"]["State"]
            return
        argv = ["bash", "-c", SCRIPT, "emrkit", self.yarn_tag]
        step = step_request(self.name, argv, "CONTINUE")
        answer = self._emr.add_job_flow_steps(JobFlowId=self._run.cluster_id, Steps=[step])
        self.step_id, self.state = answer["StepIds"][0], "PENDING"

    def look(self) -> None:
        """Find out how far the step is (ListSteps)."""
        found = list_steps(self._emr, self._run.cluster_id, [self.step_id]).get(self.step_id)
        if found is not None:
            self.state = found["Status"]["State"]

    def _is_it(self, step: Any) -> bool:
        """A step that has failed has ended nothing, nor has one that somebody cancelled."""
        return step.get("Name") == self.name and step["Status"]["State"] in (
            "PENDING",
            "RUNNING",
            "COMPLETED",
        )
