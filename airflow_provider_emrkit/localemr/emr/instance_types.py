"""A modest table of the instance types that EMR offers: the families most clusters are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VCPUS = {
    "xlarge": 4,
    "2xlarge": 8,
    "4xlarge": 16,
    "8xlarge": 32,
    "9xlarge": 36,
    "12xlarge": 48,
    "16xlarge": 64,
    "18xlarge": 72,
    "24xlarge": 96,
    "32xlarge": 128,
}
_NAMES = ("xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")
_UP_TO_24 = (*_NAMES, "24xlarge")
_UP_TO_32 = (*_UP_TO_24, "32xlarge")
_C5 = ("xlarge", "2xlarge", "4xlarge", "9xlarge", "12xlarge", "18xlarge", "24xlarge")
# Disks, and the size of each in GB.
_D5_DISKS = {
    "xlarge": (1, 150),
    "2xlarge": (1, 300),
    "4xlarge": (2, 300),
    "8xlarge": (2, 600),
    "12xlarge": (2, 900),
    "16xlarge": (4, 600),
    "24xlarge": (4, 900),
}
_I3_DISKS = {
    "xlarge": (1, 950),
    "2xlarge": (1, 1900),
    "4xlarge": (2, 1900),
    "8xlarge": (4, 1900),
    "16xlarge": (8, 1900),
}


@dataclass(frozen=True)
class _Family:
    """Instance types that differ in size only; ``memory`` is in GiB for each vCPU."""

    name: str
    memory: float
    sizes: tuple[str, ...]
    architecture: str = "X86_64"
    disks: Mapping[str, tuple[int, int]] | None = None


_FAMILIES = (
    _Family("c5", 2, _C5),
    _Family("c6g", 2, _NAMES, "AARCH64"),
    _Family("c6i", 2, _UP_TO_32),
    _Family("c7g", 2, _NAMES, "AARCH64"),
    _Family("i3", 7.625, tuple(_I3_DISKS), disks=_I3_DISKS),
    _Family("m5", 4, _UP_TO_24),
    _Family("m5d", 4, _UP_TO_24, disks=_D5_DISKS),
    _Family("m6g", 4, _NAMES, "AARCH64"),
    _Family("m6i", 4, _UP_TO_32),
    _Family("m7g", 4, _NAMES, "AARCH64"),
    _Family("r5", 8, _UP_TO_24),
    _Family("r5d", 8, _UP_TO_24, disks=_D5_DISKS),
    _Family("r6g", 8, _NAMES, "AARCH64"),
    _Family("r6i", 8, _UP_TO_32),
    _Family("r7g", 8, _NAMES, "AARCH64"),
)


def supported_types(architectures: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Give the API's ``SupportedInstanceType`` for every type of some architectures."""
    for family in _FAMILIES:
        if family.architecture in architectures:
            yield from (_details(family, size) for size in family.sizes)


def _details(family: _Family, size: str) -> dict[str, Any]:
    count, gigabytes = family.disks[size] if family.disks else (0, 0)
    return {
        "Type": f"{family.name}.{size}",
        "MemoryGB": float(family.memory * _VCPUS[size]),
        "StorageGB": count * gigabytes,
        "VCPU": _VCPUS[size],
        "Is64BitsOnly": True,
        "InstanceFamilyId": family.name,
        "EbsOptimizedAvailable": True,
        "EbsOptimizedByDefault": True,
        "NumberOfDisks": count,
        "EbsStorageOnly": count == 0,
        "Architecture": family.architecture,
    }
