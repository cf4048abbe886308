"""``emrkit image``: make, check, build and push the images of Spark jobs on the command line."""

from __future__ import annotations
