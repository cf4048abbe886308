"""The pipelines by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .pipelines import carriers, delays

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline


def register_pipelines() -> dict[str, Pipeline]:
    """Give the pipelines that ``--pipeline`` names."""
    pipelines = {"carriers": carriers.create_pipeline(), "delays": delays.create_pipeline()}
    return {"__default__": sum(pipelines.values()), **pipelines}
