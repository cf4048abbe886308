"""Which Python an environment is made with."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from environments.problems import BootstrapError, SkippedError

if TYPE_CHECKING:
    from environments.catalog import Environment
    from environments.tool import UvTool


def choose(environment: Environment, uv: UvTool) -> str:
    """Return the interpreter for an environment: this one if it will do, else another one of this machine.

    :raises SkippedError: when there is none.
    """
    here = (sys.version_info[0], sys.version_info[1])
    if environment.supports(here):
        return sys.executable
    wanted = environment.python_range
    try:
        found = uv.run(
            "python", "find", "--system", wanted, step=f"looking for a Python {wanted}", shown=False
        )
    except BootstrapError as error:
        raise SkippedError(
            f"it needs a Python {wanted}; this is {here[0]}.{here[1]}, and none was found on this machine"
            f" (mend: install one, e.g. '{uv.executable} python install {environment.newest_python[0]}."
            f"{environment.newest_python[1]}', and run it again)"
        ) from error
    return found.strip().splitlines()[-1]
