"""A stand-in for AWS, in a process of its own: it plays a schedule, counts calls and throttles like EMR."""

from __future__ import annotations
