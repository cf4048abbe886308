"""The text that uv writes of pinned libraries."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.projects.pinned import File, at, key_of, libraries_in, parted, taken_along
from airflow_provider_emrkit.validation import InvalidValueError

TEXT = "A_b[x]==1.0+cpu ; sys_platform == 'linux' \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nc==2.0\n"
WHEEL = "https://host/a_b-1.0%2Bcpu-py3-none-any.whl"


def test_each_library_has_its_hashes():
    both = libraries_in(TEXT)
    assert "".join(both) == TEXT
    assert [key_of(one) for one in (*both, "d @ https://host/d.whl\n")] == [
        ("a-b", "1.0+cpu"),
        ("c", "2.0"),
        ("", ""),
    ]


def test_an_address_is_in_the_place_of_a_version_and_the_hashes_of_the_lock_stay():
    first, second = libraries_in(TEXT)
    hashes = first.partition("\n")[2]
    assert at(first, File(WHEEL, "cc")) == f"A_b[x] @ {WHEEL} ; sys_platform == 'linux' \\\n{hashes}"
    assert at(second, File("https://host/c.whl", "cc")) == "c @ https://host/c.whl \\\n    --hash=sha256:cc\n"
    assert at(second, File("https://host/c.whl", "")) == "c @ https://host/c.whl\n"
    assert at(second, None) == second


def test_wheels_of_this_machine_are_parted_from_the_rest(tmp_path):
    files = {("a-b", "1.0+cpu"): File(WHEEL, ""), ("c", "2.0"): File((tmp_path / "my c.whl").as_uri(), "")}
    assert taken_along(TEXT, files) == (libraries_in(TEXT)[0], (tmp_path / "my c.whl",))
    assert taken_along(TEXT, {}) == (TEXT, ())
    (tmp_path / "member").mkdir()
    assert parted(f"./member\n{TEXT}./gone ; python_version > '3'\n", tmp_path) == (
        f"{TEXT}./gone ; python_version > '3'\n",
        (tmp_path / "member",),
    )


def test_sources_of_this_machine_are_refused():
    with pytest.raises(InvalidValueError, match=r"'c-2.0.tar.gz' is no wheel; build one of it, beside it"):
        taken_along(TEXT, {("c", "2.0"): File("file:///srv/c-2.0.tar.gz", "")})
