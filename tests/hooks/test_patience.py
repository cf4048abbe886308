from __future__ import annotations

from airflow_provider_emrkit.hooks.patience import MAX_BACKOFF, Trouble


def test_backing_off_has_an_end():
    trouble = Trouble(lambda: 1.0)
    assert [trouble.delay(10.0) for _ in range(3)] == [20, 40, 60]
    assert max(trouble.delay(10.0) for _ in range(100)) == MAX_BACKOFF
    assert trouble.delay(300.0) == 300
    trouble.end()
    assert trouble.delay(10.0) == 20
