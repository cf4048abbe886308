"""Scripts that run on every node before the cluster's software starts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.frozen import FrozenSpec
from airflow_provider_emrkit.validation import check_pattern, check_sendable, check_sequence, check_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCRIPT = re.compile(r"(s3[an]?://\S+/\S+|file:/\S+)")


@dataclass(frozen=True, repr=False)
class BootstrapAction(FrozenSpec):
    """A script that EMR runs on each node of a cluster when it starts.

    :param path: Where the script is: ``s3://bucket/key``, or ``file:/path`` on the node.
    :param args: The script's arguments.
    :param name: Name shown by EMR; by default the script's file name.
    :raises InvalidValueError: when a field can't be right.

    >>> BootstrapAction("s3://my-bucket/install.sh", args=["--with", "numpy"]).shown_name
    'install.sh'
    """

    path: str
    args: Sequence[str] = ()
    name: str | None = None

    def __post_init__(self) -> None:
        owner = "BootstrapAction"
        check_pattern(
            owner, "path", self.path, _SCRIPT, "give an s3://bucket/key or a file:/path on the node"
        )
        args = check_sequence(owner, "args", self.args)
        self._set("args", tuple(check_sendable(owner, f"args[{i}]", arg) for i, arg in enumerate(args)))
        if self.name is not None:
            check_text(owner, "name", self.name, maximum=256)

    @property
    def shown_name(self) -> str:
        """The action's name, or that of its script."""
        return self.name or self.path.rsplit("/", 1)[-1][:256]
