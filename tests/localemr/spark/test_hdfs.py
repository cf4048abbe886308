"""A cluster's HDFS in a directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.spark.hdfs import local_path, make_hdfs


@pytest.mark.parametrize("uri", ["hdfs:///a/b c#?%41", "hdfs://10.0.0.1:8020/a/b c#?%41", "/a/b c#?%41"])
def test_every_name_node_is_the_same(uri):
    assert local_path(uri, Path("/c")) == Path("/c/hdfs/a/b c#?%41")


def test_no_path_leads_out_of_it():
    with pytest.raises(ValueError, match="leads out"):
        local_path("hdfs:///a/../../etc", Path("/c"))


def test_a_new_one_has_what_emr_makes(tmp_path):
    for _ in range(2):
        make_hdfs(tmp_path)
    assert (tmp_path / "hdfs" / "user" / "hadoop").is_dir()
    assert (tmp_path / "hdfs" / "tmp").is_dir()
