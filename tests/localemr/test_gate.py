"""Many at once, or one alone."""

from __future__ import annotations

import threading

from airflow_provider_emrkit.localemr.gate import Gate


def in_thread(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_many_are_inside_at_once():
    gate, meeting = Gate(), threading.Barrier(3, timeout=5)

    def work():
        with gate.among_others():
            meeting.wait()

    threads = [in_thread(work) for _ in range(2)]
    work()
    for thread in threads:
        thread.join(5)
    assert not meeting.broken


def test_who_is_alone_waits_for_those_inside_and_keeps_others_out():
    gate, log = Gate(), []
    inside, leave, alone, finish = (threading.Event() for _ in range(4))

    def first():
        with gate.among_others():
            inside.set()
            leave.wait(5)
            log.append("first leaves")

    def single():
        with gate.alone(patience=5):
            log.append("alone")
            alone.set()
            finish.wait(5)
            log.append("no longer alone")

    def late():
        with gate.among_others():
            log.append("late")

    threads = [in_thread(first)]
    assert inside.wait(5)
    threads.append(in_thread(single))
    assert not alone.wait(0.1)
    leave.set()
    assert alone.wait(5)
    threads.append(in_thread(late))
    threads[-1].join(0.1)
    finish.set()
    for thread in threads:
        thread.join(5)
    assert log == ["first leaves", "alone", "no longer alone", "late"]


def test_who_stays_too_long_is_not_waited_for():
    gate = Gate()
    with gate.among_others(), gate.alone(patience=0.05):
        pass
    with gate.among_others():
        pass
