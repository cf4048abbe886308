"""The image that ``emrkit package --image`` builds, checks and pushes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.commands.push import ALREADY_THERE, ecr_repository
from airflow_provider_emrkit.images.engine import ContainerEngine
from airflow_provider_emrkit.images.naming import tagged
from airflow_provider_emrkit.images.pushing import EcrPush, NewRepository
from airflow_provider_emrkit.images.spark_needs import release_with_serverless_images
from airflow_provider_emrkit.projects.detect import OWNER
from airflow_provider_emrkit.projects.image import build_image, check_image, image_of, importable
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from airflow_provider_emrkit.images.pushing import PushedImage
    from airflow_provider_emrkit.jobs.image_reference import EcrRegistry, ImageReference
    from airflow_provider_emrkit.projects.manifest import Manifest
    from airflow_provider_emrkit.projects.rights import Rights


@dataclass(frozen=True)
class Imaging:
    """An image that is to be made of a package.

    :param engine: Builds and pushes it.
    :param reference: Its name.
    :param given: The options of the command.
    :param say: Gets what goes on, a line at a time.

    >>> Imaging.prepared(given, os.environ, print).run(manifest, made, rights).image_digest  # doctest: +SKIP
    'sha256:…'
    """

    engine: ContainerEngine
    reference: ImageReference
    given: argparse.Namespace
    say: Callable[[str], None]

    @classmethod
    def prepared(
        cls, given: argparse.Namespace, environ: Mapping[str, str], say: Callable[[str], None]
    ) -> Imaging:
        """See that the image can be made, before anything long is done.

        :raises InvalidValueError: when its name is none, or the release takes no images.
        :raises EngineError: when no engine answers.
        """
        try:
            release_with_serverless_images(given.release)
        except InvalidValueError as error:
            raise error.moved(OWNER, "--release") from None
        reference = tagged("--image", given.image)
        registry = reference.ecr
        if given.push and registry is None:
            problem = "is not in ECR, where EMR Serverless pulls from"
            mend = "name it like 123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.0"
            raise InvalidValueError(OWNER, "--image", given.image, problem, mend)
        if registry and given.region not in (None, registry.region):
            # EMR Serverless pulls from its own region alone.
            problem = f"is not the region of the image, {registry.region}"
            raise InvalidValueError(OWNER, "--region", given.region, problem, "leave it out")
        return cls(ContainerEngine.find(given.engine, environ), reference, given, say)

    def run(self, manifest: Manifest, made: Path, rights: Rights | None) -> Manifest:
        """Build, check and push the image; give the manifest with what it is.

        :param rights: Who may pull from a repository that is made.
        :raises PackagingError: when it can't be built, or no job would run in it.
        :raises EngineError: when it can't be pushed.
        :raises AccountError: when AWS refuses.
        """
        image = image_of(manifest, made)
        self.say(f"image  building {self.reference}")
        build_image(self.engine, image, made, self.reference, self.given.build_arg)
        self.say(f"image  checking {self.reference}")
        check_image(self.engine, image, self.reference, importable(manifest, made), self.say)
        registry = self.reference.ecr
        digest = self._pushed(registry, rights).digest if registry and self.given.push else None
        return replace(
            manifest,
            image=str(self.reference),
            image_digest=digest,
            image_python=image.python_path,
            image_conf_source=image.conf_path,
        )

    def _pushed(self, registry: EcrRegistry, rights: Rights | None) -> PushedImage:
        self.say(f"image  pushing {self.reference}")
        repository = ecr_repository(self.given, registry, self.reference)
        policy = rights.repository if rights else None
        new = NewRepository(policy=policy) if self.given.create else None
        pushed = EcrPush(self.engine, repository, self.reference, self.say).run(str(self.reference), new)
        if not pushed.sent:
            self.say(f"image  {ALREADY_THERE.format(self.reference)}")
        return pushed
