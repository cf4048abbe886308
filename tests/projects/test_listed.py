"""What a requirements.txt says, with all the files that it includes."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.projects.listed import Listed, read_listed


def test_all_that_is_included_is_read_once(folder):
    (folder.root / "more" / "wheels").mkdir(parents=True)
    file = folder.write(
        "requirements.txt", "alpha==1.0 \\\n  --hash=sha256:aa\n-rmore/base.txt\n-c limits.txt\n"
    )
    folder.write(
        "more/base.txt", "-r ../requirements.txt\nbeta\n-e ./lib\n-f wheels\n-f https://me:pw@a/wheels\n"
    )
    folder.write("limits.txt", "-i https://b/simple\ngamma<3\n")
    assert read_listed(file) == Listed(
        file,
        ("alpha==1.0", "beta", "-e ./lib"),
        ("https://b/simple",),
        ("https://a/wheels",),
        (folder.root / "more" / "wheels",),
    )


def test_what_is_not_there_is_for_uv_to_tell(folder):
    file = folder.write("requirements.txt", "-r gone.txt\n--find-links gone\n-f file:///gone\n")
    assert read_listed(file) == Listed(file)


@pytest.mark.parametrize(
    ("line", "pinned"),
    [
        ("alpha==1.0", True),
        ("alpha[x, y] == 1.0+cpu ; python_version > '3.9'", True),
        ("alpha===1.0", True),
        ("alpha", False),
        ("alpha>=1.0", False),
        ("alpha==1.*", False),
        ("alpha==1.0,!=1.0.1", False),
        ("alpha @ https://host/alpha.whl", False),
        ("-e .", False),
    ],
)
def test_one_version_of_each_is_all_pinned(line, pinned):
    assert Listed(libraries=("beta==2.0", line)).is_pinned is pinned
    assert not Listed().is_pinned
