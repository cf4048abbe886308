from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from environments.build import Builder
from environments.catalog import BUILD, ENVIRONMENTS, UV, Layout

if TYPE_CHECKING:
    from pathlib import Path

# Does what the real one does to the folders, writes its arguments down, and fails with a text when told to.
_FAKE_UV = """\
#!{python}
import os, pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    print(" ".join(sys.argv[1:]), file=calls)
with (here / "environ").open("w") as environ:
    print("\\n".join(f"{{name}}={{value}}" for name, value in os.environ.items()), file=environ)
failure = here / "fail"
if failure.exists():
    when, _, text = failure.read_text().partition("\\n")
    if when in " ".join(sys.argv[1:]):
        sys.exit(text)
if sys.argv[1] == "venv":
    target = pathlib.Path(sys.argv[-1])
    (target / "bin").mkdir(parents=True, exist_ok=True)
    (target / "bin" / "python").unlink(missing_ok=True)
    (target / "bin" / "python").symlink_to(sys.argv[sys.argv.index("--python") + 1])
if sys.argv[1:3] == ["python", "find"]:
    print((here / "other-python").read_text())
"""


@dataclass
class Checkout:
    """A folder that looks like this repository, with a uv that is only a script."""

    layout: Layout
    environ: dict[str, str]
    said: list[str] = field(default_factory=list)

    @property
    def uv(self) -> Path:
        return self.layout.bin(UV)

    @property
    def calls(self) -> list[str]:
        file = self.uv / "calls"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def uv_environ(self) -> dict[str, str]:
        lines = (self.uv / "environ").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def let_uv_fail(self, text: str, when: str = "") -> None:
        """Make it end with ``text`` and exit code 1 when its arguments hold ``when``."""
        (self.uv / "fail").write_text(f"{when}\n{text}")

    def mend_uv(self) -> None:
        (self.uv / "fail").unlink()

    def builder(self) -> Builder:
        return Builder(self.layout, self.environ, self.said.append)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    layout = Layout(tmp_path / "checkout")
    for name in (*ENVIRONMENTS, UV, BUILD):
        layout.lock(name).parent.mkdir(parents=True, exist_ok=True)
        layout.lock(name).write_text(f"{name}-package==1.0\n")
    layout.project_metadata.write_text("[metadata]\n")
    layout.bin(UV).mkdir(parents=True)
    uv = layout.bin(UV) / "uv"
    uv.write_text(_FAKE_UV.format(python=sys.executable))
    uv.chmod(0o755)
    (layout.directory(UV) / ".emrkit-lock.txt").write_text(layout.lock(UV).read_text())
    return Checkout(
        layout, {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    )
