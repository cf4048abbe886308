"""What ``yarn application`` prints and how it exits."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.localemr.run.yarn_program import UsageError, run

APPLICATIONS = {
    "application_1_0001": {"name": "one", "tags": ["a", "b"], "state": "RUNNING", "final": "UNDEFINED"},
    "application_1_0002": {"name": "two\nlines", "tags": [], "state": "FINISHED", "final": "SUCCEEDED"},
    "application_1_0003": {"name": "three", "tags": ["b"], "state": "KILLED", "final": "KILLED"},
}


def call(*, action: str, **wanted):
    known = [{"id": name, "started": 1.5, **fields} for name, fields in APPLICATIONS.items()]
    if action == "list":
        return known
    assert action == "kill"
    found = [item for item in known if item["id"] == wanted["id"]]
    return found * 2 if found and found[0]["state"] == "RUNNING" else found


@pytest.fixture
def yarn():
    def call_it(*args: str):
        lines: list[str] = []
        return run(args, call, lines.append), lines

    return call_it


def test_a_list_looks_like_yarns(yarn):
    code, lines = yarn("application", "-list")
    assert code == 0
    assert lines == [
        "Total number of applications (application-types: [], states: [SUBMITTED, ACCEPTED, RUNNING] "
        "and tags: []):1",
        "                Application-Id\t    Application-Name\t    Application-Type\t      User\t     Queue\t"
        "             State\t       Final-State\t       Progress\t                       Tracking-URL",
        "            application_1_0001\t                 one\t               SPARK\t    hadoop\t   default\t"
        "           RUNNING\t         UNDEFINED\t            10%\t                                N/A",
    ]


@pytest.mark.parametrize(
    ("args", "found"),
    [
        (["-appStates", "ALL"], ["0001", "0002", "0003"]),
        (["-appStates", "finished,KILLED"], ["0002", "0003"]),
        (["-appTags", "A"], ["0001"]),
        (["-appTags", "x, b", "-appStates", "ALL"], ["0001", "0003"]),
        (["-appTags", "x"], []),
        (["-appTypes", "spark"], ["0001"]),
        (["-appTypes", "MAPREDUCE"], []),
        (["--appTags", "b"], ["0001"]),
    ],
)
def test_a_list_can_be_narrowed(yarn, args, found):
    lines = yarn("app", "-list", *args)[1]
    assert [line.split()[0][-4:] for line in lines[2:]] == found
    assert lines[0].endswith(f":{len(found)}")


@pytest.mark.parametrize(
    ("ids", "code", "printed"),
    [
        (["application_1_0001"], 0, ["Killing application application_1_0001"]),
        (["application_1_0003"], 0, ["Application application_1_0003 has already finished "]),
        (["application_9_0009"], 255, ["Application with id 'application_9_0009' doesn't exist in RM."]),
        (
            ["application_9_0009", "application_1_0001"],
            255,
            [
                "Application with id 'application_9_0009' doesn't exist in RM.",
                "Killing application application_1_0001",
            ],
        ),
    ],
)
def test_kill_says_what_became_of_each(yarn, ids, code, printed):
    assert yarn("application", "-kill", *ids) == (code, printed)


def test_status(yarn):
    code, lines = yarn("application", "-status", "application_1_0002")
    assert code == 0
    assert {"\tApplication-Name : two lines", "\tState : FINISHED", "\tFinal-State : SUCCEEDED"} <= set(lines)
    assert yarn("application", "-status", "application_9_0009")[0] == 255


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["application"],
        ["node", "-list"],
        ["application", "-movetoqueue", "x"],
        ["application", "-kill"],
        ["application", "-list", "-appTags"],
        ["application", "-list", "-appStates", "SLEEPING"],
        ["application", "-list", "-unknown", "x"],
    ],
    ids=" ".join,
)
def test_what_is_not_known_is_said(yarn, args):
    with pytest.raises(UsageError, match=r"not known|invalid"):
        yarn(*args)
