"""Runs a command in a container of a job's image, by the engine of this machine: docker or podman."""

from __future__ import annotations
