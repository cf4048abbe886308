from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from rich.console import Console

from benchmarks.figures import Figures, percentile
from benchmarks.goals import Goal, judge
from benchmarks.scenarios import EMRKIT, FULL, PEERS, QUICK, SENSOR, Scenario
from benchmarks.schedule import Shape
from benchmarks.table import by_scenario, figures_table, goals_table, verdicts

OURS = Figures(
    scenario="steps",
    contestant=EMRKIT,
    jobs=4,
    seconds=100.0,
    served={"ListSteps": 8},
    throttled={"ListSteps": 2},
    refused={},
    cpu=5.0,
    kib=40.0,
    kib_peak=50.0,
    lag_max=0.1,
    lag_max_at=3.0,
    lag_p99=0.01,
    idle_lag_max=0.02,
    connections=4,
    failed=0,
    load=0.2,
    latencies=[4.0, 1.0, 3.0, 2.0],
)
PEER = replace(
    OURS,
    contestant=SENSOR,
    served={"DescribeStep": 200},
    throttled={},
    cpu=60.0,
    kib=1_600.0,
    latencies=[9.0],
)
SCENARIO = Scenario(
    "steps",
    "4 steps",
    Shape(4, 1, 1.0, 2.0, 3.0),
    interval=1,
    contestants=(SENSOR, EMRKIT),
    cut_off=9,
    settled=1,
    goals=(
        Goal("calls", "fewer calls", at_least=15, than=(SENSOR,)),
        Goal("kib", "less memory", at_least=50, than=(SENSOR,)),
        Goal("cpu_share", "little CPU", below=0.25),
    ),
)


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.95, 4.0), (1.0, 4.0), (0.25, 1.0), (0.26, 2.0)])
def test_percentiles_are_values_that_were_measured(share: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == value


def test_figures_that_follow_from_others() -> None:
    assert (OURS.calls, OURS.cpu_share, OURS.unfinished) == (10, 0.05, 0)
    assert (OURS.latency_p50, OURS.latency_p95, OURS.latency_max) == (2.0, 4.0, 4.0)
    assert PEER.unfinished == 3


@pytest.mark.parametrize(
    ("goal", "met", "reached"),
    [
        pytest.param(Goal("kib", "", below=40.1), True, "40", id="below"),
        pytest.param(Goal("kib", "", below=40.0), False, "40", id="not below"),
        pytest.param(Goal("cpu", "", at_least=12, than=(SENSOR,)), True, "12.0 times", id="just enough"),
        pytest.param(Goal("cpu", "", at_least=13, than=(SENSOR,)), False, "12.0 times", id="too little"),
        pytest.param(
            Goal("cpu", "", at_least=1, than=("nobody",)), None, "nobody to compare with", id="no peer"
        ),
    ],
)
def test_goals(goal: Goal, met: bool | None, reached: str) -> None:
    verdict = judge(goal, {EMRKIT: OURS, SENSOR: PEER}, EMRKIT)
    assert (verdict.met, verdict.reached) == (met, reached)


def test_the_lightest_peer_decides() -> None:
    light = replace(PEER, contestant="light", cpu=10.0)
    goal = Goal("cpu", "", at_least=5, than=(SENSOR, "light"))
    assert judge(goal, {EMRKIT: OURS, SENSOR: PEER, "light": light}, EMRKIT).met is False


def test_a_figure_that_could_not_be_measured_is_no_success() -> None:
    nothing = replace(OURS, latencies=[])
    assert math.isnan(nothing.latency_p50)
    assert judge(Goal("latency_p50", "", below=30), {EMRKIT: nothing}, EMRKIT).met is False


def test_a_peer_without_the_figure_is_not_compared_with() -> None:
    goal = Goal("kib", "", at_least=30, than=(SENSOR, "starved"))
    starved = replace(PEER, contestant="starved", kib=math.nan)
    assert judge(goal, {EMRKIT: OURS, SENSOR: PEER, "starved": starved}, EMRKIT).reached == "40.0 times"
    assert judge(goal, {EMRKIT: OURS, "starved": starved}, EMRKIT).met is None


def test_a_memory_that_was_not_measured_is_not_shown() -> None:
    starved = replace(PEER, kib=math.nan)
    text = drawn(OURS, starved)
    assert cells(text, SENSOR)[4] == "-"
    assert cells(text, f"{SENSOR} / emrkit")[4] == ""
    assert starved.to_json()["kib"] is None


def test_without_emrkit_there_is_nothing_to_judge() -> None:
    assert judge(Goal("kib", "", below=1), {SENSOR: PEER}, EMRKIT).met is None


def drawn(*figures: Figures) -> str:
    measured = by_scenario(figures)
    console = Console(width=200, record=True, file=None, quiet=True)
    with console.capture() as capture:
        console.quiet = False
        console.print(figures_table([SCENARIO], measured))
        console.print(goals_table(verdicts([SCENARIO], measured)))
    return capture.get()


def cells(text: str, first: str) -> list[str]:
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines()]
    (found,) = (row for row in rows if row[0] == first)
    return found[1:]


def test_the_table_shows_figures_ratios_and_verdicts() -> None:
    text = drawn(OURS, PEER)
    assert cells(text, EMRKIT) == [
        *("10", "2", "5.0", "5%", "40.0", "0.10", "0.02", "4"),
        *("2.00", "4.00", "4.00", "0"),
    ]
    assert cells(text, f"{SENSOR} / emrkit")[:5] == ["20.0 x", "", "12.0 x", "12.0 x", "40.0 x"]
    judged = [line.split("│") for line in text.splitlines() if line.startswith("│ steps")]
    assert [row[-2].strip() for row in judged] == ["met", "MISSED", "met"]


def test_the_table_shows_what_was_not_detected_and_what_failed() -> None:
    assert cells(drawn(replace(OURS, latencies=[1.0], failed=2)), EMRKIT)[-1] == "3 (2 failed)"


def test_the_figures_can_be_written_as_json() -> None:
    written = json.loads(json.dumps(replace(OURS, latencies=[]).to_json()))
    assert written["calls"] == 10
    assert written["latency_p50"] is None
    assert "latencies" not in written


def test_every_load_is_measured_while_all_its_jobs_wait() -> None:
    for scenario in (*FULL, *QUICK):
        assert scenario.shape.arrival < scenario.settled < scenario.shape.first_end, scenario.name
        assert scenario.cut_off > scenario.shape.last_end + scenario.interval, scenario.name
        assert set(scenario.contestants) <= {EMRKIT, *PEERS}
    names = [scenario.name for scenario in (*FULL, *QUICK)]
    assert len(names) == len(set(names))
