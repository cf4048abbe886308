from __future__ import annotations

import pytest

from airflow_provider_emrkit.logs.text import (
    MAX_CHARACTERS,
    MAX_EVENT_LINES,
    clean_line,
    clean_lines,
    event_lines,
    one_line,
)


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        pytest.param("plain", ["plain"], id="plain"),
        pytest.param("a\tb é 日本", ["a\tb é 日本"], id="tab and letters stay"),
        pytest.param("one\r\ntwo\nthree\r\n", ["one", "two", "three"], id="line ends"),
        pytest.param("10%\r20%\r", ["20%"], id="progress bar"),
        pytest.param("\r[Stage 0:>  (0 + 2) / 8]\r      \rdone", ["done"], id="a bar that is wiped out"),
        pytest.param("one\rtwo\rthree", ["one", "two", "three"], id="ends of lines of old"),
        pytest.param("25/01/01 a\r25/01/01 b", ["25/01/01 a", "25/01/01 b"], id="dates are no progress"),
        pytest.param("\r\r", [""], id="nothing but returns"),
        pytest.param("x\n::group::fold", ["x", ": :group::fold"], id="group of Airflow 3"),
        pytest.param("a INFO - ::endgroup::b", ["a INFO - : :endgroup::b"], id="end of a group"),
        pytest.param(
            " INFO - ##[group]x##[endgroup]", [" INFO - ## [group]x## [endgroup]"], id="of Airflow 2"
        ),
        pytest.param("group::x a::group", ["group::x a::group"], id="the word alone"),
        pytest.param("", [""], id="empty"),
        pytest.param("\x1b[1;31mred\x1b[0m", ["red"], id="colours"),
        pytest.param("\x1b]0;title\x07text\x1b]8;;http://x\x1b\\link", ["textlink"], id="terminal commands"),
        pytest.param("a\x00b\x08\x9b31m", ["a\\x00b\\x08\\x9b31m"], id="controls"),
        pytest.param(
            "\u202ereversed\u2028next", ["\\u202ereversed\\u2028next"], id="direction and separators"
        ),
        pytest.param("\ud800", ["\\ud800"], id="half a character"),
    ],
)
def test_lines_are_safe_to_show(message, lines):
    assert clean_lines(message) == lines


def test_a_progress_bar_is_one_line_however_often_it_was_drawn():
    bar = "\r".join(f"[Stage 3:{'=' * (done // 50)}>   ({done} + 2) / 5000]" for done in range(5_000))
    assert clean_lines(bar + "\r") == [f"[Stage 3:{'=' * 99}>   (4999 + 2) / 5000]"]


def test_a_huge_line_is_cut_and_says_so():
    line = clean_line("x" * 262_144)
    assert len(line) < MAX_CHARACTERS + 50
    assert line.endswith("… (258,048 more characters)")


def test_text_in_a_sentence_is_short_and_on_one_line():
    assert one_line(" a\n\n  b\x1b[0m ") == "a b"
    assert len(one_line("x" * 10_000)) < 350


def test_an_event_of_next_to_nothing_but_line_ends_gives_its_first_and_last_lines():
    lines = event_lines("\n".join(map(str, range(100_000))))
    assert len(lines) == MAX_EVENT_LINES + 1
    assert (lines[0], lines[-1]) == ("0", "99999")
    assert lines[MAX_EVENT_LINES // 2] == "… 99,000 lines of this event left out here …"


def test_an_event_of_some_lines_is_given_whole():
    assert event_lines("\n".join(map(str, range(MAX_EVENT_LINES)))) == [*map(str, range(MAX_EVENT_LINES))]
