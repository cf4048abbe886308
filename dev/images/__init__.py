"""The image that the example DAG's job brings along, for the demo and the tests."""

from __future__ import annotations
