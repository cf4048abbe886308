"""Lists of libraries that emrkit does not read."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.projects.unread import unread_lists


def test_there_is_none(folder):
    for name in ("requirements.txt", "uv.lock", "requirements/README.md", "environment.json"):
        folder.write(name)
    assert list(unread_lists(folder.root)) == []


@pytest.mark.parametrize(
    ("name", "export"),
    [
        ("Pipfile", "pipenv requirements"),
        ("pdm.lock", "pdm export --prod"),
        ("environment.yml", "pip list --format=freeze"),
    ],
)
def test_a_list_of_another_tool_is_surely_one_and_says_how_it_is_exported(folder, name, export):
    folder.write(name)
    (found,) = unread_lists(folder.root)
    assert (found.file, found.is_sure) == (name, True)
    assert export in found.mend
    assert found.mend.endswith("and say --requirements requirements.txt")


def test_lists_that_pip_reads_are_only_perhaps_the_jobs(folder):
    paths = [
        folder.write(name) for name in ("requirements.in", "requirements/a b.txt", "requirements/dev.txt")
    ]
    found = list(unread_lists(folder.root))
    assert [one.file for one in found] == ["requirements.in", "requirements/a b.txt", "requirements/dev.txt"]
    assert not any(one.is_sure for one in found)
    assert found[1].mend == f"say --requirements '{paths[1]}'"
