"""Looks into an image that is here, and judges it for what it is to run on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.probing import (
    FOREIGNER,
    Question,
    inspected_facts,
    looked_into,
)
from airflow_provider_emrkit.images.serverless_dockerfile import USER
from airflow_provider_emrkit.images.serverless_findings import serverless_findings
from airflow_provider_emrkit.images.spark_run import ran_spark
from airflow_provider_emrkit.images.yarn_dockerfile import EMRS_PYTHON
from airflow_provider_emrkit.images.yarn_findings import yarn_findings

if TYPE_CHECKING:
    from airflow_provider_emrkit.images.engine import ContainerEngine
    from airflow_provider_emrkit.images.findings import Finding, Target
    from airflow_provider_emrkit.images.probing import ImageFacts


@dataclass(frozen=True)
class Checked:
    """An image that was looked into.

    :param facts: What is known of it.
    :param target: What it was judged for.
    :param findings: What was found.

    >>> checked(engine, "etl:1.4", Target(release("emr-7.11.0"), kind="serverless")).errors  # doctest: +SKIP
    0
    """

    facts: ImageFacts
    target: Target
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        """How many findings there are with which no job runs."""
        return sum(finding.level == "error" for finding in self.findings)


def checked(engine: ContainerEngine, image: str, target: Target) -> Checked | None:
    """Look into an image, and judge it; None when the engine does not have it.

    Its programs are started without network, as a job's user.

    :param image: Its name or id.
    :raises EngineError: when the engine fails.
    """
    inspected = engine.inspect(image)
    if inspected is None:
        return None
    facts = inspected_facts(image, inspected)
    if not target.python:
        target = replace(target, python=_own_python(facts))
    user = USER if target.is_serverless else FOREIGNER
    question = Question(target.python, user, target.modules, starts=not target.is_serverless)
    found = _judged(looked_into(engine, facts, question), target)
    # A job fails of what has been found, and says less of it.
    if target.runs and not (found.errors or found.facts.inside.problem):
        inside = replace(found.facts.inside, job=ran_spark(engine, image, target.python))
        found = _judged(replace(found.facts, inside=inside), target)
    return found


def _judged(facts: ImageFacts, target: Target) -> Checked:
    judge = serverless_findings if target.is_serverless else yarn_findings
    return Checked(facts, target, tuple(judge(facts, target)))


def _own_python(facts: ImageFacts) -> str:
    """Give the Python that jobs of an image are to run with, as the image has it."""
    named = facts.env.get("PYSPARK_PYTHON", "")
    return named if named.startswith("/") else EMRS_PYTHON
