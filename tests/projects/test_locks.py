"""What a uv.lock or a poetry.lock says of libraries."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.projects.locks import index_of, key, locked_libraries


@pytest.mark.parametrize(
    ("package", "index"),
    [
        ({"source": {"registry": "https://a/simple/"}}, "https://a/simple"),
        (
            {"source": {"type": "legacy", "url": "https://a/simple"}, "groups": ["dev", "main"]},
            "https://a/simple",
        ),
        ({"source": {"type": "legacy", "url": "https://a/simple"}, "groups": ["dev"]}, ""),
        ({"source": {"type": "git", "url": "https://a/repository"}}, ""),
        ({"source": {"registry": 3}}, "3"),
        ({"source": "https://a"}, ""),
        ({}, ""),
    ],
)
def test_the_index_that_a_library_comes_from(package, index):
    assert index_of(package) == index


def test_a_lock_of_another_shape_has_no_libraries(folder):
    assert locked_libraries(folder.root, "uv.lock") == []
    folder.write("uv.lock", 'package = [1, {name = "A_b", version = "1.0"}]\n')
    assert [key(one) for one in locked_libraries(folder.root, "uv.lock")] == [("a-b", "1.0")]
