"""Running what EMR would run: clusters as directories, steps as processes, logs into CloudWatch and S3."""

from __future__ import annotations
