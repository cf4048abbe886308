from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EndpointConnectionError

from airflow_provider_emrkit import InvalidValueError, SparkJob
from airflow_provider_emrkit.exceptions import StagingError
from airflow_provider_emrkit.hooks.patience import MAX_FAULTS
from airflow_provider_emrkit.hooks.staging import shown_size, stage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def s3(localemr_server):
    client = localemr_server.client("s3")
    client.create_bucket(Bucket="staging")
    return client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "job.py").write_text("print('hi')")
    (tmp_path / "util.py").write_text("x = 1")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    return tmp_path


JOB = SparkJob("job.py", py_files=["util.py", "package", "s3://code/lib.zip"], files=["util.py#renamed.py"])


def put(
    job: SparkJob, folder: Path, s3, uri: str | None = "s3://staging/emrkit/"
) -> tuple[SparkJob, list[str]]:
    said: list[str] = []
    return stage(job, folder, uri, lambda: s3, said.append, lambda seconds: False), said


def test_local_files_are_put_below_the_staging_uri(s3, folder):
    job, said = put(JOB, folder, s3)
    assert job.entry_point.startswith("s3://staging/emrkit/")
    assert job.entry_point.endswith("/job.py")
    assert job.py_files[2] == "s3://code/lib.zip"
    assert job.files[0].endswith("/util.py#renamed.py")
    key = job.entry_point.removeprefix("s3://staging/")
    assert s3.get_object(Bucket="staging", Key=key)["Body"].read() == b"print('hi')"
    assert [line.split(":")[0] for line in said] == ["Staged job.py", "Staged util.py", "Staged package"]
    assert "11 bytes" in said[0]


def test_an_unchanged_file_is_uploaded_once(s3, folder):
    first, _ = put(JOB, folder, s3)
    uploaded = s3.list_objects_v2(Bucket="staging")["Contents"]
    second, said = put(JOB, folder, s3)
    assert second == first
    assert all("unchanged" in line for line in said)
    assert s3.list_objects_v2(Bucket="staging")["Contents"] == uploaded


def test_a_changed_file_gets_another_key(s3, folder):
    first, _ = put(JOB, folder, s3)
    (folder / "job.py").write_text("print('ho')")
    second, _ = put(JOB, folder, s3)
    assert second.entry_point != first.entry_point
    assert second.py_files == first.py_files


def test_a_job_without_local_files_needs_no_bucket_and_no_client(folder):
    job = SparkJob("s3://code/job.py")
    assert stage(job, folder, None, lambda: pytest.fail("S3 was asked"), print, lambda seconds: True) == job


def test_a_missing_bucket_is_named_with_the_mend(s3, folder):
    with pytest.raises(StagingError, match="there is no bucket nowhere; create it, or correct staging_uri"):
        put(JOB, folder, s3, "s3://nowhere/x")


class Unreachable:
    """S3 behind a network that is away for some calls."""

    def __init__(self, s3: Any, call: str, times: int) -> None:
        self._s3, self._call, self._times = s3, call, times

    def __getattr__(self, name: str) -> Any:
        if name == self._call and self._times:
            self._times -= 1
            raise EndpointConnectionError(endpoint_url="https://s3")
        return getattr(self._s3, name)


@pytest.mark.parametrize("call", ["head_object", "upload_file"])
def test_an_s3_that_can_t_be_reached_for_a_while_is_waited_for(s3, folder, call):
    job, _ = put(SparkJob("job.py"), folder, Unreachable(s3, call, MAX_FAULTS - 1))
    assert job.entry_point.startswith("s3://staging/")


def test_an_s3_that_can_t_be_reached_at_all_is_named(s3, folder):
    with pytest.raises(StagingError, match=r"job\.py could not be put to s3://staging"):
        put(SparkJob("job.py"), folder, Unreachable(s3, "head_object", MAX_FAULTS))


def test_a_killed_task_does_not_wait_for_s3(s3, folder):
    with pytest.raises(StagingError):
        stage(
            SparkJob("job.py"),
            folder,
            "s3://staging/x",
            lambda: Unreachable(s3, "head_object", 1),
            print,
            lambda seconds: True,
        )


def test_a_missing_file_is_named(s3, folder):
    with pytest.raises(InvalidValueError, match=r"SparkJob\.entry_point: 'nope\.py' is not in"):
        put(SparkJob("nope.py"), folder, s3)


def test_a_missing_staging_uri_is_named(s3, folder):
    with pytest.raises(StagingError, match=r"job\.py is a local file .* no staging_uri"):
        put(JOB, folder, s3, None)


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (5 * 1024**2, "5.0 MiB"),
        (3 * 1024**3, "3.0 GiB"),
    ],
)
def test_sizes(size, shown):
    assert shown_size(size) == shown
