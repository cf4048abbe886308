"""When services are saved."""

from __future__ import annotations

import threading
import time

import pytest

from airflow_provider_emrkit.localemr.persistence.snapshots import Snapshots


class Saves:
    """Notes what is saved, and lets a test wait for it."""

    def __init__(self, seconds=0.0):
        self.names = []
        self.times = []
        self._seconds = seconds
        self._condition = threading.Condition()

    def __call__(self, name):
        time.sleep(self._seconds)
        with self._condition:
            self.names.append(name)
            self.times.append(time.monotonic())
            self._condition.notify_all()

    def wait(self, count):
        with self._condition:
            assert self._condition.wait_for(lambda: len(self.names) >= count, 10), self.names


@pytest.fixture
def saving():
    started = []

    def start(saves, **options):
        snapshots = Snapshots(saves, **options)
        snapshots.start()
        started.append(snapshots)
        return snapshots

    yield start
    for snapshots in started:
        snapshots.close()


def test_several_changes_within_the_delay_are_one_save(saving):
    saves = Saves()
    snapshots = saving(saves, delay=0.2)
    for _ in range(10):
        snapshots.mark(["sqs"])
    saves.wait(1)
    assert saves.names == ["sqs"]


def test_a_change_during_a_save_is_saved_again(saving):
    saves = Saves()
    snapshots = saving(saves, delay=0.0, share=1.0)
    snapshots.mark(["sqs"])
    saves.wait(1)
    snapshots.mark(["sqs"])
    saves.wait(2)


def test_changes_without_end_are_saved_all_the_same(saving):
    saves, over = Saves(), threading.Event()
    snapshots = saving(saves, delay=0.05, share=1.0)

    def change():
        while not over.wait(0.001):
            snapshots.mark(["logs"])

    thread = threading.Thread(target=change)
    thread.start()
    saves.wait(3)
    over.set()
    thread.join()


def test_slow_saves_take_only_their_share_of_the_time(saving):
    saves = Saves(seconds=0.05)
    snapshots = saving(saves, delay=0.0, share=0.25)
    for count in (1, 2, 3):
        snapshots.mark(["iam"])
        saves.wait(count)
    between = [later - earlier for earlier, later in zip(saves.times, saves.times[1:], strict=False)]
    assert min(between) >= 0.05 / 0.25 * 0.9


def test_the_end_saves_what_is_left_without_a_wait():
    saves = Saves()
    snapshots = Snapshots(saves, delay=60.0)
    snapshots.start()
    snapshots.mark(["sqs", "iam"])
    started = time.monotonic()
    snapshots.close()
    assert (saves.names, time.monotonic() - started < 10) == (["sqs", "iam"], True)


def test_a_save_that_fails_in_an_unforeseen_way_does_not_end_the_others(saving, caplog):
    saves = Saves()

    def save(name):
        saves(name)
        if name == "bad":
            raise TypeError("unforeseen")

    snapshots = saving(save, delay=0.01, share=1.0)
    snapshots.mark(["bad", "good"])
    saves.wait(2)
    snapshots.mark(["later"])
    saves.wait(3)
    assert "bad" in caplog.text
