"""What a cluster is told so that YARN runs jobs in containers of their own images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.frozen import FrozenSpec
from airflow_provider_emrkit.validation import check_flag, check_texts

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, repr=False)
class DockerOnYarn(FrozenSpec):
    """Which images a cluster runs.

    :param trusted_registries: Registries whose images may run: hosts, for Docker Hub the namespace, and
        ``library`` for its official images. A cluster that is made for a job trusts that job's registry
        without being told.
    :param privileged_registries: Registries whose images may ask for privileged containers; none, unless
        asked for.
    :param experimental_emr7: Set up EMR 7 too, for which AWS does not document Docker on YARN.
    :raises InvalidValueError: when a field can't be right.

    >>> DockerOnYarn(["123456789012.dkr.ecr.us-east-1.amazonaws.com"]).privileged_registries
    ()
    """

    trusted_registries: Sequence[str] = ()
    privileged_registries: Sequence[str] = ()
    experimental_emr7: bool = False

    def __post_init__(self) -> None:
        owner = "DockerOnYarn"
        for name in ("trusted_registries", "privileged_registries"):
            self._set(name, check_texts(owner, name, getattr(self, name)))
        check_flag(owner, "experimental_emr7", self.experimental_emr7)
