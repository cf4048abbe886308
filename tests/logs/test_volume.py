from __future__ import annotations

from airflow_provider_emrkit.logs.sources import LogLine
from airflow_provider_emrkit.logs.volume import LAST_LINES, OWN_LABEL, RunVolume, shortened


def lines(start: int, end: int) -> list[LogLine]:
    return [LogLine(number, str(number), "stdout") for number in range(start, end)]


def numbers(shown: object) -> list[int]:
    return [int(line.text) for line in shown if line.label != OWN_LABEL]  # type: ignore[attr-defined]


def test_too_many_lines_are_cut_in_the_middle_and_counted():
    short, left_out = shortened(lines(0, 1_000), 10)
    texts = [line.text for line in short]
    assert texts[:5] == ["0", "1", "2", "3", "4"]
    assert texts[-5:] == ["995", "996", "997", "998", "999"]
    assert "990 lines left out" in texts[5]
    assert left_out == 990
    assert shortened(lines(0, 10), 10) == (lines(0, 10), 0)


def test_after_the_limit_lines_are_counted_and_the_last_ones_shown_at_the_end():
    volume = RunVolume(1_000)
    assert numbers(volume.admit(lines(0, 600))) == list(range(600))
    assert not volume.is_full
    shown = volume.admit(lines(600, 1_200))
    assert numbers(shown) == list(range(600, 1_000))
    [told] = [line.text for line in shown if line.label == OWN_LABEL]
    assert told.startswith("… more than 1,000 lines: from here on they are counted")
    assert volume.is_full
    assert list(volume.admit(lines(1_200, 5_000))) == []
    rest = volume.rest()
    assert rest[0].text == f"… {4_000 - LAST_LINES:,} lines left out …"
    assert numbers(rest) == list(range(5_000 - LAST_LINES, 5_000))
    assert volume.left_out == 4_000 - LAST_LINES
    assert list(volume.rest()) == []


def test_a_log_that_is_just_long_enough_is_shown_whole():
    volume = RunVolume(10)
    shown = numbers(volume.admit(lines(0, 15)))
    assert shown + numbers(volume.rest()) == list(range(15))
    assert volume.left_out == 0


def test_what_was_left_out_of_single_looks_counts_too():
    volume = RunVolume(1_000)
    for start in (0, 100):
        volume.admit(*shortened(lines(start, start + 100), 10))
    assert volume.left_out == 180
