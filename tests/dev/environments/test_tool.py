from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from environments import tool
from environments.problems import BootstrapError, Kind
from environments.tool import UvTool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.dev.conftest import Checkout

HERE = f"python{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def bare(checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A checkout without uv, on a machine with an empty PATH and a user who is not root."""
    shutil.rmtree(checkout.layout.directory("uv"))
    checkout.environ["PATH"] = str(tmp_path / "bin")
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(tool.os, "geteuid", lambda: 1000)
    return checkout


@pytest.fixture(autouse=True)
def complete_python(monkeypatch: pytest.MonkeyPatch) -> None:
    python_has(monkeypatch, "venv", "ensurepip", "pip")


def python_has(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Let this Python have these modules only; Debian's has neither ensurepip nor pip at first."""
    monkeypatch.setattr(tool.importlib.util, "find_spec", lambda name: object() if name in modules else None)


def record_commands(
    monkeypatch: pytest.MonkeyPatch, outcomes: dict[str, BootstrapError] | None = None
) -> list[str]:
    """Note the commands instead of running them; those that hold a key of ``outcomes`` fail."""
    seen: list[str] = []

    def run(command: Sequence[str | Path], **_: object) -> str:
        line = " ".join(map(str, command))
        seen.append(line)
        for part, error in (outcomes or {}).items():
            if part in line:
                raise error
        executable = next((part for part in map(str, command) if part.endswith("/.venv/uv")), None)
        if executable:
            Path(executable).mkdir(parents=True, exist_ok=True)
        return ""

    monkeypatch.setattr(tool.commands, "run", run)
    return seen


def install(checkout: Checkout) -> None:
    UvTool(checkout.layout, checkout.environ, checkout.said.append).ensure()


def test_a_uv_of_the_pinned_version_is_kept(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = record_commands(monkeypatch)
    install(checkout)
    assert seen == []


def test_another_pin_replaces_it(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = record_commands(monkeypatch)
    checkout.layout.lock("uv").write_text("uv==99\n")
    install(checkout)
    assert len(seen) == 2


def test_it_is_installed_into_a_virtual_environment(bare: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = record_commands(monkeypatch)
    install(bare)
    home = bare.layout.directory("uv")
    assert seen[0] == f"{sys.executable} -m venv --clear {home}"
    assert seen[1].startswith(f"{home}/bin/python -m pip install ")
    assert seen[1].endswith(f" -r {bare.layout.lock('uv')}")


def test_without_ensurepip_pip_installs_it_into_a_folder(
    bare: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_has(monkeypatch, "venv", "pip")
    seen = record_commands(monkeypatch)
    install(bare)
    assert len(seen) == 1
    assert seen[0].startswith(f"{sys.executable} -m pip install ")
    assert f" --target {bare.layout.directory('uv')} " in seen[0]


def test_without_ensurepip_and_pip_another_uv_installs_it(
    bare: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_has(monkeypatch, "venv")
    other = put_on_path(bare, "uv")
    seen = record_commands(monkeypatch)
    install(bare)
    assert len(seen) == 1
    assert seen[0].startswith(f"{other} pip install --python {sys.executable} --target ")


def test_root_on_debian_gets_the_missing_system_package(
    bare: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_has(monkeypatch, "venv")
    apt = put_on_path(bare, "apt-get")
    monkeypatch.setattr(tool.os, "geteuid", lambda: 0)
    seen = record_commands(monkeypatch)
    # In this process the module does not appear by the recorded command, so the way ends without one.
    with pytest.raises(BootstrapError):
        install(bare)
    patient = f"{apt} -o DPkg::Lock::Timeout=300"
    assert seen == [f"{patient} update -qq", f"{patient} install -y -qq {HERE}-venv"]
    assert bare.said == [f"installing the system package {HERE}-venv (this Python lacks ensurepip)"]


def test_when_no_way_is_open_each_is_named_with_the_mend(
    bare: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_has(monkeypatch, "venv")
    put_on_path(bare, "apt-get")
    with pytest.raises(BootstrapError) as raised:
        install(bare)
    assert str(raised.value).splitlines() == [
        f"error: {sys.executable} can make no virtual environment and has no pip, so uv cannot be installed",
        f"  tried: {sys.executable} -m venv: its module ensurepip is missing",
        f"  tried: {sys.executable} -m pip: there is no pip",
        "  tried: uv on PATH: there is none",
        "  tried: apt-get install: only root may",
        f"  mend:  sudo apt-get install {HERE}-venv   (or put uv on PATH); then run it again",
    ]


def test_a_way_that_fails_for_its_own_reason_is_followed_by_the_next(
    bare: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = record_commands(monkeypatch, {"-m venv": BootstrapError("venv failed", "", ("some reason",))})
    install(bare)
    assert [line.split()[2] for line in seen] == ["venv", "pip"]


@pytest.mark.parametrize("kind", [Kind.NO_REGISTRY, Kind.NO_SPACE, Kind.BAD_CERTIFICATE])
def test_without_network_or_room_no_other_way_is_tried(
    bare: Checkout, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    seen = record_commands(monkeypatch, {"-m pip": BootstrapError("pip failed", "", (), kind)})
    with pytest.raises(BootstrapError, match="pip failed"):
        install(bare)
    assert len(seen) == 2


def test_any_uv_is_told_of_the_index_in_pips_configuration_file(checkout: Checkout, tmp_path: Path) -> None:
    pip_conf = tmp_path / "pip.conf"
    pip_conf.write_text("[global]\nindex-url = https://mirror.invalid/simple\ncert = /etc/company.pem\n")
    checkout.environ["PIP_CONFIG_FILE"] = str(pip_conf)
    told = UvTool(checkout.layout, checkout.environ, checkout.said.append).user_settings()
    assert told["UV_INDEX_URL"] == "https://mirror.invalid/simple"
    assert told["SSL_CERT_FILE"] == "/etc/company.pem"


def put_on_path(checkout: Checkout, name: str) -> Path:
    file = Path(checkout.environ["PATH"]) / name
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file
