"""Pushes an image, and finds out which digest it has in the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.images.engine import EngineError
from airflow_provider_emrkit.images.login import logged_in
from airflow_provider_emrkit.images.policies import admits_serverless

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_emrkit.images.ecr import EcrRepository
    from airflow_provider_emrkit.images.engine import ContainerEngine, Pushed
    from airflow_provider_emrkit.jobs.image_reference import ImageReference

_UNSURE = "push it under a tag of its own, and use that"


class PushError(EngineError):
    """The image is not in its registry as it is here; the message says why and how to mend it.

    >>> raise PushError("the repository does not exist", "add --create")  # doctest: +SKIP
    """


@dataclass(frozen=True)
class PushedImage:
    """An image that is in its registry.

    :param reference: Its name.
    :param digest: What it is, whatever its tag means later.
    :param created: Whether its repository was made for it.
    :param sent: Whether anything was sent; not when it was there already.

    >>> PushedImage(ImageReference.parse("etl:1.4"), "sha256:…", created=False).pinned  # doctest: +SKIP
    'etl@sha256:…'
    """

    reference: ImageReference
    digest: str
    created: bool = False
    sent: bool = True

    @property
    def pinned(self) -> str:
        """Its name by digest."""
        return f"{self.reference.name}@{self.digest}"


@dataclass(frozen=True)
class NewRepository:
    """What a repository gets that does not exist yet.

    :param immutable_tags: Whether a tag always means the same image.
    :param scan: Whether ECR looks for known vulnerabilities in what is pushed.
    :param policy: Its policy, which lets EMR Serverless pull; None for none. It is given to a repository that
        exists and has none as well: whoever made it may not have got to that.

    >>> NewRepository(immutable_tags=True).immutable_tags
    True
    """

    immutable_tags: bool = False
    scan: bool = False
    policy: Mapping[str, Any] | None = None


class EcrPush:
    """One push to ECR.

    :param engine: Sends the image.
    :param repository: Where to.
    :param reference: The image's name.
    :param say: Gets lines for the user that are no answer.

    >>> EcrPush(engine, repository, reference, say_error).run("etl:1.4", NewRepository())  # doctest: +SKIP
    """

    def __init__(
        self,
        engine: ContainerEngine,
        repository: EcrRepository,
        reference: ImageReference,
        say: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._repository = repository
        self._reference = reference
        self._say = say

    def run(self, source: str, new: NewRepository | None) -> PushedImage:
        """Make the repository if it is wished for, and push.

        :param source: What the image is called on this machine.
        :param new: What a new repository gets; None to make none.
        :raises AccountError: when ECR refuses.
        :raises EngineError: when the engine does, or the image must not be pushed.
        """
        image = local_image(self._engine, source)
        settings = self._repository.settings()
        created = settings is None and self._made(new)
        if new is not None and new.policy is not None:
            self._admit(new.policy)
        if settings is not None:
            if there := self._unmovable(settings, image):
                return PushedImage(self._reference, there, sent=False)
            self._tell_other(settings, new)
        if source != str(self._reference):
            self._engine.tag(source, str(self._reference))
        with logged_in(self._reference.registry, self._repository.auth(), self._engine.environ) as login:
            pushed = self._engine.push(str(self._reference), login)
        if pushed.code:
            raise PushError(*self._failed())
        return PushedImage(self._reference, self._verified(pushed), created=created)

    def _made(self, new: NewRepository | None) -> bool:
        if new is None:
            sentence = f"the repository {self._reference.name} does not exist"
            raise PushError(self._with_trouble(sentence), "to make it: --create")
        made = self._repository.create(immutable_tags=new.immutable_tags, scan=new.scan)
        if made:
            self._say(f"made the repository {self._reference.name}")
        return made

    def _admit(self, policy: Mapping[str, Any]) -> None:
        """Let EMR Serverless pull; a policy of somebody's own is left as it is."""
        there = self._repository.policy()
        if there is None:
            self._repository.set_policy(policy)
            self._say(f"{self._reference.name} lets EMR Serverless pull now")
        elif not admits_serverless(there):
            self._say(
                f"the repository {self._reference.name} keeps its policy, which does not let EMR Serverless "
                "pull: add the statement of emrkit image push NAME --target serverless --policies"
            )

    def _unmovable(self, settings: Mapping[str, Any], image: Mapping[str, Any]) -> str:
        """Give the digest of what has the tag for good, if that is this image; empty if nothing has it.

        :raises PushError: when it is another image.
        """
        if settings.get("imageTagMutability") != "IMMUTABLE":
            return ""
        there = self._repository.digest()
        if there is None or self._repository.ids() & _ids(image):
            return there or ""
        raise PushError(
            f"{self._reference} is another image already ({there}), and its repository lets no tag be moved",
            f"push this one under a new tag, as {self._reference.name}:NEW --source {self._reference}",
        )

    def _tell_other(self, settings: Mapping[str, Any], new: NewRepository | None) -> None:
        """Say where a repository that exists is not as a new one would be."""
        if new is not None and new.immutable_tags and settings.get("imageTagMutability") == "MUTABLE":
            self._say(
                f"the repository {self._reference.name} exists, and its tags can be moved: left as it is"
            )

    def _failed(self) -> tuple[str, str]:
        sentence = f"{self._engine.name} could not push {self._reference}"
        mend = "see above; what a push needs in IAM: emrkit image push NAME --policies"
        return self._with_trouble(sentence), mend

    def _with_trouble(self, sentence: str) -> str:
        trouble = self._repository.trouble()
        return f"{sentence}; {trouble}" if trouble else sentence

    def _verified(self, pushed: Pushed) -> str:
        """Give the digest that ECR has, which is one that the engine has pushed."""
        there = self._repository.digest()
        if there in pushed.digests and there is not None:
            return there
        sent = " or ".join(pushed.digests) or "nothing that it knows"
        raise PushError(
            f"ECR has {there or 'nothing'} as {self._reference}, and {self._engine.name} has sent {sent}: "
            "perhaps somebody else pushed that tag at the same time",
            _UNSURE,
        )


def push_elsewhere(engine: ContainerEngine, reference: ImageReference, source: str) -> PushedImage:
    """Push an image to a registry that is not ECR, with the user's own login.

    :param source: What the image is called on this machine.
    :raises EngineError: when the engine refuses.
    """
    local_image(engine, source)
    if source != str(reference):
        engine.tag(source, str(reference))
    pushed = engine.push(str(reference))
    if pushed.code:
        login = f"{engine.name} login{f' {reference.registry}' if reference.registry else ''}"
        raise PushError(f"{engine.name} could not push {reference}", f"see above; perhaps: {login}")
    if len(pushed.digests) != 1:
        known = ", ".join(pushed.digests) or "none"
        raise PushError(f"{reference} was pushed, and its digest is not known ({known})", _UNSURE)
    return PushedImage(reference, pushed.digests[0])


def _ids(image: Mapping[str, Any]) -> frozenset[str]:
    """Give all by which the engine knows an image: its id, and its digests in repositories."""
    # Podman writes the id without what it is a digest of.
    own = f"sha256:{str(image.get('Id', '')).removeprefix('sha256:')}"
    return frozenset({own, *(entry.partition("@")[2] for entry in image.get("RepoDigests") or ())})


def local_image(engine: ContainerEngine, name: str) -> dict[str, Any]:
    """Give what the engine has of an image.

    :raises PushError: when it has none of that name.
    """
    found = engine.inspect(name)
    if found is None:
        mend = f"build it: emrkit image build --tag {name}; or name another with --source"
        raise PushError(f"{engine.name} has no image {name} on this machine", mend)
    return found
