from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest

from environments import disk, stamp
from environments.build import Builder, exclusive
from environments.catalog import ENVIRONMENTS, Environment
from environments.problems import BootstrapError, Kind, SkippedError

if TYPE_CHECKING:
    from tests.dev.conftest import Checkout

LOCALEMR = ENVIRONMENTS["localemr"]


def verbs(calls: list[str]) -> list[str]:
    """``pip sync``, ``venv``, …: what uv was asked for."""
    return [" ".join(word for word in call.split()[:2] if not word.startswith("-")) for call in calls]


def test_a_missing_environment_is_made_from_its_lock_and_gets_this_package(checkout: Checkout) -> None:
    checkout.builder().ensure(LOCALEMR)

    venv, sync, install = checkout.calls
    directory, lock = checkout.layout.directory("localemr"), checkout.layout.lock("localemr")
    assert venv == f"venv --quiet --clear --python {sys.executable} {directory}"
    into = f"--python {directory}/bin/python --build-constraints {checkout.layout.lock('build')}"
    assert sync == f"pip sync {into} {lock}"
    assert install == f"pip install {into} --no-deps --editable {checkout.layout.root}"


def test_every_long_step_is_announced(checkout: Checkout) -> None:
    checkout.builder().ensure(LOCALEMR)
    assert (
        checkout.said[0]
        == f"localemr: installing requirements/localemr.txt (up to 450 MiB) with {sys.executable}"
    )
    assert checkout.said[1].startswith("localemr: ready after ")


def test_an_environment_of_others_does_not_get_this_package(checkout: Checkout) -> None:
    checkout.builder().ensure(ENVIRONMENTS["awscli"])
    assert verbs(checkout.calls) == ["venv", "pip sync"]


def test_a_finished_environment_is_left_alone(checkout: Checkout) -> None:
    checkout.builder().ensure(LOCALEMR)
    before = checkout.calls
    checkout.builder().ensure(LOCALEMR)
    assert checkout.calls == before


@pytest.mark.parametrize("file", ["requirements/localemr.txt", "requirements/uv.txt", "setup.cfg"])
def test_a_changed_input_brings_the_environment_up_to_date_in_place(checkout: Checkout, file: str) -> None:
    checkout.builder().ensure(LOCALEMR)
    (checkout.layout.root / file).write_text("changed==2\n")
    # The script that stands for uv is of any version.
    (checkout.layout.directory("uv") / ".emrkit-lock.txt").write_text(checkout.layout.lock("uv").read_text())
    checkout.builder().ensure(LOCALEMR)
    assert verbs(checkout.calls[3:]) == ["pip sync", "pip install"]


def test_another_environments_lock_changes_nothing(checkout: Checkout) -> None:
    checkout.builder().ensure(LOCALEMR)
    checkout.layout.lock("test").write_text("changed==2\n")
    checkout.builder().ensure(LOCALEMR)
    assert len(checkout.calls) == 3


@pytest.mark.parametrize("broken_step", ["venv", "pip sync", "pip install"])
def test_an_interrupted_run_is_repaired_from_scratch_by_the_next(
    checkout: Checkout, broken_step: str
) -> None:
    checkout.let_uv_fail("killed", when=broken_step)
    with pytest.raises(BootstrapError):
        checkout.builder().ensure(LOCALEMR)
    assert stamp.read(LOCALEMR, checkout.layout) is None

    checkout.mend_uv()
    done = len(checkout.calls)
    checkout.builder().ensure(LOCALEMR)
    assert verbs(checkout.calls[done:]) == ["venv", "pip sync", "pip install"]


def test_an_interrupted_update_is_not_taken_for_a_finished_one(checkout: Checkout) -> None:
    checkout.builder().ensure(LOCALEMR)
    old = checkout.layout.lock("localemr").read_text()
    checkout.layout.lock("localemr").write_text("changed==2\n")
    checkout.let_uv_fail("killed", when="pip sync")
    with pytest.raises(BootstrapError):
        checkout.builder().ensure(LOCALEMR)

    # Back to the lock that was once installed: what is there now is neither the old nor the new one.
    checkout.layout.lock("localemr").write_text(old)
    checkout.mend_uv()
    done = len(checkout.calls)
    checkout.builder().ensure(LOCALEMR)
    assert verbs(checkout.calls[done:]) == ["venv", "pip sync", "pip install"]


def test_an_environment_whose_python_has_gone_is_made_anew(checkout: Checkout) -> None:
    checkout.builder().ensure(LOCALEMR)
    python = checkout.layout.python("localemr")
    python.unlink()
    python.symlink_to("/nowhere/python3")
    checkout.builder().ensure(LOCALEMR)
    assert verbs(checkout.calls[3:]) == ["venv", "pip sync", "pip install"]


@pytest.mark.parametrize("text", ["not json", "{}", '{"fingerprint": 5}', "[]"])
def test_a_damaged_stamp_counts_as_none(checkout: Checkout, text: str) -> None:
    checkout.builder().ensure(LOCALEMR)
    stamp.path(LOCALEMR, checkout.layout).write_text(text)
    assert stamp.read(LOCALEMR, checkout.layout) is None


def test_a_failing_uv_is_reported_with_its_kind(checkout: Checkout) -> None:
    checkout.let_uv_fail("error: Failed to fetch: `x`\n  Caused by: dns error", when="pip sync")
    with pytest.raises(
        BootstrapError, match="installing localemr: the package registry cannot be reached"
    ) as raised:
        checkout.builder().ensure(LOCALEMR)
    assert raised.value.kind is Kind.NO_REGISTRY


def test_the_disk_is_looked_at_before_anything_is_downloaded(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_MIB", 2**60)  # no disk has a single one of these
    with pytest.raises(
        BootstrapError, match=r"no space for the environment localemr: .* has 0 MiB free of 600"
    ):
        checkout.builder().ensure(LOCALEMR)
    assert checkout.calls == []


@pytest.mark.parametrize(
    ("environ", "cache"),
    [
        pytest.param({"UV_CACHE_DIR": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a", id="uv's own"),
        pytest.param({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/uv", id="XDG"),
        pytest.param({"HOME": "/c"}, "/c/.cache/uv", id="home"),
    ],
)
def test_the_room_in_uvs_cache_counts_too(
    checkout: Checkout, environ: dict[str, str], cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk.os, "access", lambda path, mode: True)
    assert str(disk.uv_cache(environ, checkout.layout.root)) == cache


def test_a_home_that_cannot_be_written_needs_no_cache_of_its_own(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk.os, "access", lambda path, mode: not str(path).startswith("/proc"))
    checkout.environ["HOME"] = "/proc/sealed"
    checkout.builder().ensure(LOCALEMR)
    assert checkout.uv_environ["UV_CACHE_DIR"] == str(checkout.layout.root / ".cache" / "uv")


def test_uv_gets_the_users_index_and_never_downloads_a_python(checkout: Checkout) -> None:
    checkout.environ["PIP_INDEX_URL"] = "https://mirror.invalid/simple"
    checkout.environ["PYTHONPATH"] = "/elsewhere"
    checkout.builder().ensure(LOCALEMR)
    assert checkout.uv_environ["UV_INDEX_URL"] == "https://mirror.invalid/simple"
    assert checkout.uv_environ["UV_PYTHON_DOWNLOADS"] == "never"
    assert "PYTHONPATH" not in checkout.uv_environ


def other_python() -> Environment:
    """An environment that the running Python cannot have."""
    return Environment("localemr", "", 1, oldest_python=(3, 4), newest_python=(3, 5))


def test_an_environment_that_needs_another_python_is_made_with_one_that_is_found(checkout: Checkout) -> None:
    (checkout.uv / "other-python").write_text("/usr/bin/other-python3")
    checkout.builder().ensure(other_python())
    assert checkout.calls[0] == "python find --system >=3.4,<3.6"
    assert " --python /usr/bin/other-python3 " in checkout.calls[1]


def test_an_environment_no_python_here_can_run_is_skipped_with_the_reason(checkout: Checkout) -> None:
    checkout.let_uv_fail("error: No interpreter found", when="python find")
    with pytest.raises(SkippedError) as skipped:
        checkout.builder().ensure(other_python())
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert f"it needs a Python >=3.4,<3.6; this is {here}, and none was found on this machine" in str(
        skipped.value
    )
    assert not checkout.layout.directory("localemr").exists()


@pytest.mark.parametrize(
    ("python", "supported"), [((3, 9), False), ((3, 10), True), ((3, 12), True), ((3, 13), False)]
)
def test_airflow_2_11_has_no_support_for_python_3_13(python: tuple[int, int], supported: bool) -> None:
    assert ENVIRONMENTS["airflow-2.11"].supports(python) is supported


def test_a_second_run_waits_for_the_first_and_then_looks_again(checkout: Checkout) -> None:
    waiting = threading.Event()

    def say(line: str) -> None:
        if line == "waiting for another run to finish its work in .venv/":
            waiting.set()

    builder = Builder(checkout.layout, checkout.environ, say)
    second = threading.Thread(target=builder.ensure, args=(LOCALEMR,))
    with exclusive(checkout.layout, checkout.said.append):
        second.start()
        assert waiting.wait(30)
        # The first run finishes the same environment meanwhile.
        checkout.layout.bin("localemr").mkdir(parents=True)
        checkout.layout.python("localemr").symlink_to(sys.executable)
        stamp.write(LOCALEMR, checkout.layout, stamp.fingerprint(LOCALEMR, checkout.layout))
    second.join(30)
    assert checkout.calls == []


def test_the_right_is_given_back(checkout: Checkout) -> None:
    for _ in range(2):
        with exclusive(checkout.layout, checkout.said.append):
            pass
    assert checkout.said == []
