"""The job with an image goes on only where its package is the image's own."""

from __future__ import annotations

import importlib.util
import site
import sys

import pytest

from example_dags.jobs import great_circles


@pytest.fixture
def job(monkeypatch, tmp_path):
    """The job's module, where a ``haversine`` lies in some folder of the Python path."""
    (tmp_path / "haversine.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "haversine", raising=False)
    monkeypatch.setattr(great_circles, "CONTAINER_MARKS", (str(tmp_path / "mark"),))
    yield great_circles
    sys.modules.pop("haversine", None)


def test_outside_of_a_container_it_fails(job):
    with pytest.raises(RuntimeError, match="the job does not run in a container"):
        job.where()


def test_a_package_that_came_along_with_the_job_is_not_the_images(job, tmp_path):
    (tmp_path / "mark").touch()
    with pytest.raises(RuntimeError, match=r"haversine.py is not of the image"):
        job.where()


def test_inside_it_tells_where_it_is(job, tmp_path, monkeypatch):
    (tmp_path / "mark").touch()
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(tmp_path)])
    assert job.where().startswith(f"{tmp_path}/haversine.py in a container of ")


def test_no_environment_of_the_host_has_its_package():
    assert importlib.util.find_spec("haversine") is None
