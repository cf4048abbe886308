from __future__ import annotations

import pytest

from benchmarks.endpoint.buckets import ACCOUNT, EMR_DEFAULTS, Throttle


def passed(throttle: Throttle, operation: str, times: list[float]) -> list[bool]:
    return [throttle.passes(operation, now) for now in times]


def test_a_burst_passes_and_then_one_call_for_each_token_that_is_refilled() -> None:
    throttle = Throttle({"ListSteps": (2, 0.5)})
    assert passed(throttle, "ListSteps", [0, 0, 0, 1.9, 2.0, 2.0, 4.0]) == [
        True,
        True,
        False,
        False,
        True,
        False,
        True,
    ]


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    throttle = Throttle({"ListSteps": (2, 0.5)})
    assert passed(throttle, "ListSteps", [1_000, 1_000, 1_000]) == [True, True, False]


def test_a_throttled_call_costs_no_token() -> None:
    throttle = Throttle({"ListSteps": (1, 0.5)})
    assert passed(throttle, "ListSteps", [0, *[number / 10 for number in range(1, 20)], 2.0])[-1]


def test_the_operations_share_the_bucket_of_the_account() -> None:
    throttle = Throttle({"ListSteps": (10, 1), "DescribeStep": (10, 1), ACCOUNT: (3, 0)})
    calls = ["ListSteps", "DescribeStep", "ListSteps", "DescribeStep"]
    assert [throttle.passes(operation, 0) for operation in calls] == [True, True, True, False]


def test_what_the_operation_refuses_does_not_empty_the_bucket_of_the_account() -> None:
    throttle = Throttle({"ListSteps": (1, 0), "DescribeStep": (1, 0), ACCOUNT: (2, 0)})
    assert passed(throttle, "ListSteps", [0, 0, 0]) == [True, False, False]
    assert throttle.passes("DescribeStep", 0)


def test_operations_without_a_quota_are_not_throttled() -> None:
    throttle = Throttle({ACCOUNT: (0, 0), "ListSteps": (1, 1)})
    assert all(passed(throttle, "ReceiveMessage", [0.0] * 100))


@pytest.mark.parametrize(
    ("operation", "burst", "a_minute"), [("DescribeStep", 10, 30), ("ListSteps", 10, 30)]
)
def test_emrs_defaults(operation: str, burst: int, a_minute: int) -> None:
    throttle = Throttle(EMR_DEFAULTS)
    assert sum(throttle.passes(operation, 0.0) for _ in range(100)) == burst
    assert sum(throttle.passes(operation, 0.1 * tick) for tick in range(1, 601)) == a_minute
