"""How a container is made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.engine.arguments import ContainerSpec, Traits, create_arguments
from airflow_provider_emrkit.localemr.spark.image import Mount

MOUNTS = (Mount("/spark", "/spark"), Mount("/a,b:c", "/a,b:c", writable=True))
SPEC = ContainerSpec("one", "me", "sha256:0", "1000:1000", Path("/w"), MOUNTS, ("bash", "/w/run.sh"))


def test_the_command_comes_last_after_the_image():
    assert create_arguments(SPEC, Traits())[-3:] == ["sha256:0", "bash", "/w/run.sh"]


def test_a_program_may_take_the_place_of_the_images_entry_point():
    assert not any(word.startswith("--entrypoint") for word in create_arguments(SPEC, Traits()))
    words = create_arguments(replace(SPEC, entry_point="bash", command=("/w/run.sh",)), Traits())
    assert "--entrypoint=bash" in words
    assert words[-2:] == ["sha256:0", "/w/run.sh"]


def test_it_carries_the_labels_by_which_it_is_swept():
    words = create_arguments(SPEC, Traits())
    labels = [words[place + 1] for place, word in enumerate(words) if word == "--label"]
    assert labels == ["emrkit.localemr=me", "emrkit.localemr.container=one"]


def test_paths_with_commas_and_colons_are_mounted():
    words = create_arguments(SPEC, Traits())
    mounts = [words[place + 1] for place, word in enumerate(words) if word == "--mount"]
    assert mounts == [
        "type=bind,source=/spark,target=/spark,readonly",
        'type=bind,"source=/a,b:c","target=/a,b:c"',
    ]


@pytest.mark.parametrize(
    ("traits", "user"),
    [
        (Traits(), ["--user=1000:1000"]),
        (Traits(rootless=True), ["--user=0:0"]),
        (Traits(rootless=True, podman=True), ["--userns=keep-id", "--user=1000:1000"]),
    ],
)
def test_it_is_the_user_of_this_machine_also_in_a_rootless_engine(traits, user):
    assert [word for word in create_arguments(SPEC, traits) if word.startswith("--user")] == user
