from __future__ import annotations

import random
from datetime import datetime, timezone

from airflow_provider_emrkit.logs.moments import MAX_SHIFT, Moments
from airflow_provider_emrkit.logs.sources import LogLine

WHEN = 1_700_000_000_123


def milliseconds(moments: list[datetime]) -> list[int]:
    return [round(moment.timestamp() * 1_000) for moment in moments]


def of(times: list[int | None]) -> list[datetime]:
    moments = Moments()
    return [moments.of(LogLine(time, "", "stdout")) for time in times]


def test_a_line_has_the_time_it_was_written_at():
    assert milliseconds(of([WHEN, WHEN + 2, WHEN + 900])) == [WHEN, WHEN + 2, WHEN + 900]


def test_lines_of_one_millisecond_get_one_each_and_keep_their_order():
    assert milliseconds(of([WHEN, WHEN, WHEN, WHEN + 1])) == [WHEN, WHEN + 1, WHEN + 2, WHEN + 3]


def test_no_line_is_shown_much_later_than_it_was_written():
    moments = of([WHEN + number // 10 for number in range(20_000)])
    assert moments == sorted(set(moments))
    shifts = [shown - (WHEN + number // 10) for number, shown in enumerate(milliseconds(moments))]
    assert max(shifts) <= MAX_SHIFT + 1  # a microsecond more may be rounded up


def test_whatever_is_read_first_a_line_has_the_same_time_after_a_silence():
    chance = random.Random(7)
    times, now = [], WHEN
    for _ in range(2_000):
        now += chance.choice([0, 0, 0, 0, 1, 2, 40])
        times.append(now)
    whole = of(times)
    for start in range(0, 1_900, 97):
        assert of(times[start:])[100:] == whole[start + 100 :]


def test_what_came_late_is_shown_where_it_belongs_and_does_not_move_the_others():
    times = milliseconds(of([WHEN, WHEN - 60_000, WHEN - 60_000, WHEN + 1]))
    assert times == [WHEN, WHEN - 60_000, WHEN - 59_999, WHEN + 1]


def test_a_line_that_nobody_knows_the_time_of_gets_the_present():
    [moment] = of([None])
    assert abs((datetime.now(timezone.utc) - moment).total_seconds()) < 60
