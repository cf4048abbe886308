"""What containers see of this machine."""

from __future__ import annotations

import os
from dataclasses import replace

from airflow_provider_emrkit.localemr.engine.settings import instance_id, java_mounts, users_file
from airflow_provider_emrkit.localemr.spark.image import Mount


def test_a_java_is_seen_with_what_its_links_lead_to(tmp_path):
    real, conf, home = tmp_path / "java-17", tmp_path / "etc" / "security", tmp_path / "java"
    (real / "lib").mkdir(parents=True)
    conf.mkdir(parents=True)
    (real / "conf").symlink_to(conf)
    (real / "lib" / "own").symlink_to(real / "release")
    (real / "lost").symlink_to(tmp_path / "nowhere")
    home.symlink_to(real)
    mounts = {Mount(str(real), str(home)), Mount(str(conf), str(conf))}
    # A link that names its own directory by another path is seen there, too.
    assert mounts <= set(java_mounts(home))
    assert not [mount for mount in java_mounts(home) if "nowhere" in mount.source]


def test_files_that_a_job_names_are_seen_where_nothing_shows_them(settings, tmp_path):
    job, ours = tmp_path / "jobs" / "job.py", tmp_path / "cluster" / "job.py"
    for file in (job, ours):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    files = [str(job), str(ours), "/no/such/file"]
    shown = [mount for mount in settings.mounts(files) if mount.source in files]
    assert shown == [Mount(str(job), str(job))]


def test_what_is_not_there_is_not_mounted(settings, tmp_path):
    spark = tmp_path / "spark"
    spark.mkdir()
    fitted = replace(settings, shown=(spark, tmp_path / "s3a"))
    sources = [mount.source for mount in fitted.mounts()]
    assert str(spark) in sources
    assert str(tmp_path / "s3a") not in sources


def test_the_user_is_emrs(tmp_path):
    first = users_file(tmp_path).splitlines()[0].split(":")
    assert (first[0], first[2], first[5]) == ("hadoop", str(os.getuid()), str(tmp_path))


def test_each_data_directory_has_its_id(tmp_path):
    assert instance_id(tmp_path) == instance_id(tmp_path / ".")
    assert instance_id(tmp_path) != instance_id(tmp_path / "other")
