"""What is kept of a failed job's log."""

from __future__ import annotations

from failures.excerpt import Names, excerpt

NAMES = Names({"/home/me/spark": "/usr/lib/spark"}, {r"/tmp/run-\w+/work": "/mnt/work"})
INFO = "24/01/31 08:00:00 INFO BlockManager: block {}"


def told(*lines: str) -> list[str]:
    return excerpt("\n".join(lines), NAMES)


def test_the_places_of_a_machine_become_those_of_a_node():
    assert told("at /home/me/spark/jars, /tmp/run-1a/work/x, http://127.0.0.1:80") == [
        "at /usr/lib/spark/jars, /mnt/work/x, http://10.0.0.1:80"
    ]


def test_routine_is_left_out_but_for_what_is_next_to_the_rest():
    lines = [INFO.format(number) for number in range(50)]
    lines[20] = "Traceback (most recent call last):"
    kept = told(*lines)
    assert kept == [*lines[:4], *lines[17:23]]


def test_an_application_s_id_is_kept():
    submitted = "24/01/31 08:00:00 INFO YarnClientImpl: Submitted application application_1706690000000_0007"
    assert submitted in told(*[INFO.format(number) for number in range(9)], submitted)


def test_the_middle_of_a_long_stack_trace_is_left_out():
    frames = [f"\tat org.example.Library.step{number}(Library.java:{number})" for number in range(30)]
    assert told("java.lang.Error: no", *frames) == ["java.lang.Error: no", *frames[:4], frames[-1]]


def test_the_frames_of_the_job_itself_are_kept():
    frames = ["\tat scala.Option.map(Option.scala:9)"] * 30
    frames[20] = "\tat Job$.main(Job.scala:9)"
    assert told("java.lang.Error: no", *frames) == [
        "java.lang.Error: no",
        *frames[:4],
        frames[20],
        frames[-1],
    ]


def test_what_only_a_local_emr_says_is_left_out():
    ours = [
        "24/01/31 08:00:00 WARN Loader: Unable to load config file /dev/null",
        "java.lang.IllegalArgumentException: AWS credential profiles file not found",
        "\tat a.B.c()",
    ]
    after = "Error in query: no such table"
    assert told(*ours, after) == [after]


def test_the_end_of_an_endless_log_is_kept():
    lines = [f"line {number}" for number in range(3_000)]
    assert told(*lines) == lines[-1_000:]
