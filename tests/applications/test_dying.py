"""Whatever dies, fails or is lost at any call: the next task finds one application, and puts it right."""

from __future__ import annotations

import pytest
from faulty_emr import timed_out

from airflow_provider_emrkit.compute.serverless import ServerlessApplication

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/etl:1"


class FailsAt:
    """Fails one of all calls, whichever it is, before or after it was carried out."""

    def __init__(self, rig, number, error, *, done):
        self.number, self.error, self.done = number, error, done
        self.count = 0
        for client in (rig.faulty, rig.ecr):
            client._call = self._wrapped(client._call)

    def _wrapped(self, call):
        def wrapped(name, really, /, **request):
            self.count += 1
            is_it = self.count == self.number
            if is_it and not self.done:
                raise self.error
            answer = call(name, really, **request)
            if is_it:
                raise self.error
            return answer

        return wrapped


def life(rig):
    """Make, start, change and refresh an application."""
    rig.push("one")
    created = rig.set_up(image=IMAGE)
    rig.start(created["applicationId"])
    updated = rig.set_up(image=IMAGE, idle_minutes=5)
    rig.start(updated["applicationId"])
    rig.push("two")
    return rig.applications().ready(ServerlessApplication(spec=rig.spec(image=IMAGE, idle_minutes=5)))


# The calls of a life without trouble; it has more while it waits.
CALLS = range(1, 20)


@pytest.mark.parametrize("number", CALLS)
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_task_that_dies_at_any_call(rig, number, done):
    FailsAt(rig, number, KeyboardInterrupt(), done=done)
    with pytest.raises(KeyboardInterrupt):
        life(rig)
    digest = rig.push("two")
    found = rig.applications().ready(ServerlessApplication(spec=rig.spec(image=IMAGE, idle_minutes=5)))
    assert len(rig.all()) == 1
    assert found.description["autoStopConfiguration"]["idleTimeoutMinutes"] == 5
    assert found.image_digests == (digest,)


@pytest.mark.parametrize("number", CALLS)
def test_a_call_whose_answer_is_lost(rig, number):
    FailsAt(rig, number, timed_out(), done=True)
    found = life(rig)
    assert len(rig.all()) == 1
    assert found.description["autoStopConfiguration"]["idleTimeoutMinutes"] == 5
    assert found.image_digests == (rig.push("two"),)
