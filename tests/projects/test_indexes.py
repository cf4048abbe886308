"""Where libraries come from besides PyPI."""

from __future__ import annotations

from airflow_provider_emrkit.projects.indexes import (
    explicit_indexes_of,
    indexes_behind,
    indexes_in,
    indexes_of,
)


def test_those_of_uv_and_of_poetry():
    uv = {"index": [{"name": "a", "url": "https://a/simple"}], "extra-index-url": ["https://b/simple"]}
    poetry = {"source": [{"name": "c", "url": "https://c/simple", "priority": "primary"}]}
    found = indexes_of({"tool": {"uv": uv, "poetry": poetry}})
    assert found == ("https://a/simple", "https://c/simple", "https://b/simple")
    assert indexes_of({"tool": {"uv": {"index": 3}, "poetry": []}}) == ()


def test_those_that_are_for_some_libraries_alone():
    uv = {"index": [{"name": "a", "url": "https://a/simple", "explicit": True}, {"url": "https://b/simple"}]}
    sources = [
        {"name": priority, "url": f"https://me:hunter2@{priority}/simple", "priority": priority}
        for priority in ("primary", "supplemental", "explicit", "secondary")
    ]
    tables = {"tool": {"uv": uv, "poetry": {"source": sources}}}
    assert indexes_of(tables) == ("https://b/simple", "https://primary/simple")
    assert indexes_behind(tables) == ("https://supplemental/simple", "https://secondary/simple")
    assert explicit_indexes_of(tables) == ("https://a/simple", "https://explicit/simple")


def test_those_of_a_requirements_txt():
    text = (
        "--index-url=https://a/simple\n-i  https://b/simple\n--extra-index-url https://a/simple\n# -i x\nc\n"
    )
    assert indexes_in(text) == ("https://a/simple", "https://b/simple")


def test_logins_and_what_is_no_address_for_others_stay_here():
    urls = (
        "https://aws:token@a/simple",
        "https://${USER}:${TOKEN}@b/simple",
        "https://${HOST}/x",
        "file:///x",
        "./x",
    )
    assert indexes_in("".join(f"-i {url}\n" for url in urls)) == ("https://a/simple", "https://b/simple")
