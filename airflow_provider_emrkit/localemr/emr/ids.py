"""Ids in EMR's formats."""

from __future__ import annotations

import hashlib
import secrets
import string

_ALPHABET = string.ascii_uppercase + string.digits


def new_id(prefix: str, length: int = 13) -> str:
    """Make an id such as ``j-2AXXXXXXGAPLF``.

    :param prefix: ``j`` for a cluster, ``s`` for a step, ``ig`` and ``if`` for instance groups and fleets.
    """
    return f"{prefix}-" + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def instance_id(seed: str) -> str:
    """Give the EC2 instance id that belongs to a seed, always the same one.

    The seed of a cluster's primary node is the cluster's id: the logs of its bootstrap actions lie under
    that id.
    """
    return f"i-{hashlib.sha256(seed.encode()).hexdigest()[:17]}"


def emr_instance_id(seed: str) -> str:
    """Give EMR's own id (``ci-…``) of the instance that belongs to a seed."""
    digest = hashlib.sha256(seed.encode()).digest()
    return "ci-" + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:13])
