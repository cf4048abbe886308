"""What is told of a run while it is watched: here, whether it got the image that was meant."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.progress import Progress
from airflow_provider_emrkit.runs.states import RunState, RunStatus

INDEX, PLATFORM, OTHER, ANOTHER = ("sha256:" + letter * 64 for letter in "abcd")


def progress(*meant: str) -> Progress:
    ids = {"application_id": "00app", "job_run_id": "00run", "image": "etl:1.4"}
    return Progress(JobRun("job_run", "", "", "t-1", "sales", "us-east-1", **ids, image_digests=meant))


def on(digest: str) -> RunStatus:
    return RunStatus(RunState.RUNNING, "RUNNING", image_digest=digest)


@pytest.mark.parametrize("got", [INDEX, PLATFORM, ""])
def test_an_index_and_what_it_holds_are_the_image_that_was_meant(got):
    assert progress(INDEX, PLATFORM).doubts(on(got)) == []


def test_where_it_is_not_known_what_was_meant_nothing_is_told():
    assert progress().doubts(on(OTHER)) == []


@pytest.mark.parametrize("meant", [(INDEX,), (INDEX, PLATFORM)])
def test_another_image_is_told_once_with_both_reasons_it_may_have(meant):
    told = progress(*meant)
    (warning,) = told.doubts(on(OTHER))
    assert f"got image etl:1.4 as {OTHER}, not as {INDEX}" in warning
    assert "pushed anew" in warning
    assert "stop it" in warning
    assert told.doubts(on(OTHER)) == []
    assert len(told.doubts(on(ANOTHER))) == 1
