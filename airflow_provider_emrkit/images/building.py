"""Builds an image, and sees that the engine has it then."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.images.engine import EngineError

if TYPE_CHECKING:
    from airflow_provider_emrkit.images.engine import Build, ContainerEngine


class BuildError(EngineError):
    """An image was not built; the engine has shown why.

    :param code: The engine's exit code.

    >>> raise BuildError("docker could not build etl:1.4; see above", code=1)  # doctest: +SKIP
    """

    def __init__(self, sentence: str, mend: str = "", *, code: int = 1) -> None:
        super().__init__(sentence, mend)
        self.code = code


def built(engine: ContainerEngine, build: Build) -> dict[str, Any]:
    """Build an image, and give what the engine has of it then; what goes on is shown.

    :raises BuildError: when it can't be built.
    :raises EngineError: when the engine does not have it then.
    """
    # An engine that is told its own looks for base images of that name, which local ones may lack.
    own = build.platform == f"linux/{engine.architecture}"
    if code := engine.build(replace(build, platform="") if own else build):
        raise BuildError(f"{engine.name} could not build {build.tag}; see above", code=code)
    found = engine.inspect(build.tag)
    if found is None:
        raise EngineError(
            f"{engine.name} has built {build.tag}, and kept it in its builder",
            f"choose a builder that loads what it builds: {engine.name} buildx use default",
        )
    return found
