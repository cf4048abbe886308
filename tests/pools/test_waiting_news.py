from __future__ import annotations

from airflow_provider_emrkit.pools.waiting_news import CHANGED, UNCHANGED, WaitingNews, busy_message


def told(words: list[str], every: float) -> list[str]:
    news = WaitingNews("medium")
    lines = (news.news(text, number * every) for number, text in enumerate(words))
    return [line for line in lines if line]


def test_the_first_line_comes_at_once():
    assert told(["full"], 1.0) == ["Waiting for room in pool medium: full"]


def test_changes_are_told_once_a_minute_at_most():
    assert len(told([f"{number} jobs wait" for number in range(120)], CHANGED / 60)) == 2


def test_what_does_not_change_is_told_seldom():
    assert len(told(["full"] * 120, UNCHANGED / 60)) == 2


def test_the_pool_is_named_once():
    words = "pool medium has 1 of 1 cluster"
    assert told([words], 1.0) == ["Waiting for room in pool medium: it has 1 of 1 cluster"]
    assert busy_message("medium", 90.4, words).endswith("so the job was not placed: it has 1 of 1 cluster")
