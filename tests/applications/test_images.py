"""Which image the jobs of an application get, and whether that is an old one."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.applications.images import (
    expected_digests,
    images_of,
    outdated_images,
    resolves_at_start,
    worker_images,
)

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/etl:1"
OLD, NEW, PLATFORM = (f"sha256:{letter * 64}" for letter in "abc")


def application(state="STARTED", release="emr-7.11.0", **members):
    return {"state": state, "releaseLabel": release, **members}


def config(uri=IMAGE, resolved=OLD, **members):
    return {"imageUri": uri, "resolvedImageDigest": resolved, **members}


def test_workers_share_the_application_s_image_or_have_their_own():
    own = {
        "Driver": {"imageConfiguration": config(f"{IMAGE}-driver")},
        "Executor": {"imageConfiguration": {}},
    }
    shared = application(imageConfiguration=config())
    assert images_of(application()) == ()
    assert [(image.workers, image.uri) for image in images_of(shared)] == [(("driver", "executor"), IMAGE)]
    images = images_of({**shared, "workerTypeSpecifications": own})
    assert [(image.workers, image.uri) for image in images] == [
        (("driver",), f"{IMAGE}-driver"),
        (("executor",), IMAGE),
    ]


@pytest.mark.parametrize(
    ("release", "asked", "at_start"),
    [
        ("emr-6.9.0", None, True),
        ("emr-7.13.0", None, True),
        ("emr-7.14.0", None, False),
        ("emr-spark-8.0.0", None, True),
        ("emr-spark-8.1.0", None, False),
        ("emr-7.14.0", True, True),
        ("emr-7.13.0", False, False),
        ("of another kind", None, True),
    ],
)
def test_when_a_tag_is_resolved(release, asked, at_start):
    members = {} if asked is None else {"applicationLevelDigestResolution": asked}
    described = application(release=release, imageConfiguration=config(**members))
    assert resolves_at_start(described) is at_start
    assert images_of(described)[0].at_start is at_start


def test_workers_that_are_kept_ready_have_their_image_already():
    kept = {"DRIVER": {"workerCount": 1}}
    described = application(release="emr-7.14.0", imageConfiguration=config(), initialCapacity=kept)
    assert resolves_at_start(described)


@pytest.mark.parametrize(
    ("described", "present", "is_outdated", "expected"),
    [
        pytest.param(application(), {}, False, (), id="no image"),
        pytest.param(application(imageConfiguration=config()), {IMAGE: [OLD]}, False, (OLD,), id="present"),
        pytest.param(application(imageConfiguration=config()), {IMAGE: [NEW]}, True, (OLD,), id="changed"),
        pytest.param(application(imageConfiguration=config()), {}, False, (OLD,), id="ECR does not tell"),
        pytest.param(
            application(imageConfiguration=config(resolved=PLATFORM)),
            {IMAGE: [NEW, PLATFORM]},
            False,
            (PLATFORM,),
            id="a platform's of an index",
        ),
        pytest.param(
            application("STOPPED", imageConfiguration=config()),
            {IMAGE: [NEW]},
            False,
            (NEW,),
            id="not started",
        ),
        pytest.param(
            application("STOPPED", imageConfiguration=config()),
            {IMAGE: [NEW, PLATFORM]},
            False,
            (NEW, PLATFORM),
            id="index",
        ),
        pytest.param(
            application(imageConfiguration=config(resolved=None)),
            {IMAGE: [NEW]},
            False,
            (),
            id="EMR tells none",
        ),
        pytest.param(
            application(release="emr-7.14.0", imageConfiguration=config()),
            {IMAGE: [NEW]},
            False,
            (NEW,),
            id="resolved for each job",
        ),
        pytest.param(
            application(imageConfiguration=config(f"{IMAGE[:-2]}@{NEW}", NEW)),
            {},
            False,
            (NEW,),
            id="by its digest",
        ),
    ],
)
def test_which_image_a_job_gets(described, present, is_outdated, expected):
    assert bool(outdated_images(described, present)) is is_outdated
    assert expected_digests(described, present) == expected


def test_an_image_is_told_of_each_sort_of_workers():
    own = {"Driver": {"imageConfiguration": config(f"{IMAGE}-driver")}, "Executor": {}}
    described = application(imageConfiguration=config(), workerTypeSpecifications=own)
    assert worker_images(described) == {"driver": f"{IMAGE}-driver", "executor": IMAGE}
    assert worker_images({"workerTypeSpecifications": own})["executor"] == ""
    assert worker_images(application()) == {"driver": "", "executor": ""}
