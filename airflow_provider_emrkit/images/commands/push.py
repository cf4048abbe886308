"""``emrkit image push``: send an image to its registry."""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.account import add_account_options, explained, open_client, open_session
from airflow_provider_emrkit.images.commands.adding import OK, add_engine_option, say, say_error
from airflow_provider_emrkit.images.commands.targeting import SERVERLESS, add_target_option
from airflow_provider_emrkit.images.engine import ContainerEngine
from airflow_provider_emrkit.images.naming import OWNER, tagged
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from airflow_provider_emrkit.images.commands.adding import Adding
    from airflow_provider_emrkit.images.ecr import EcrRepository
    from airflow_provider_emrkit.images.pushing import NewRepository, PushedImage
    from airflow_provider_emrkit.jobs.image_reference import EcrRegistry, ImageReference

_DESCRIPTION = """Push an image to its registry.

To ECR with the AWS credentials, in the account and region that the name says: the login lasts as long as the
push, and does not touch the engine's own configuration. To other registries with the engine's own login."""

_EXAMPLES = """examples:
  emrkit image push 123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.4 --create --immutable-tags
  emrkit image push 123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.4 --source etl:1.4 --profile data
  emrkit image push 123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.4 --policies
  emrkit image push 123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.4 --target serverless --create
  emrkit image push registry.example.com/etl:1.4 --json | jq -r .pinned
"""

_ONLY_ECR = ("create", "policies", "region", "profile", "endpoint_url")
_ONLY_NEW = ("immutable_tags", "scan")
_ONLY_SERVERLESS = ("application",)
ALREADY_THERE = "{} is this image already; its tag can't be moved, and nothing was sent"


def add_to(adding: Adding) -> None:
    """Add the command to those of ``emrkit image``."""
    parser = adding.command("push", _run, "push an image to its registry", _EXAMPLES, _DESCRIPTION)
    parser.add_argument("name", metavar="NAME", help="the image, with registry and tag")
    parser.add_argument("--source", metavar="IMAGE", help="what it is called on this machine (default: NAME)")
    add_target_option(parser)
    add_engine_option(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    ecr = parser.add_argument_group("repositories of ECR")
    ecr.add_argument("--create", action="store_true", help="make the repository if it does not exist")
    ecr.add_argument(
        "--immutable-tags", action="store_true", help="a new repository: a tag means one image for good"
    )
    ecr.add_argument(
        "--scan", action="store_true", help="a new repository: look for known vulnerabilities on push"
    )
    ecr.add_argument(
        "--policies",
        action="store_true",
        help="push nothing, print the policies: to pull (for a cluster's instance profile, or of the "
        "repository for EMR Serverless), and to push",
    )
    ecr.add_argument(
        "--application",
        action="append",
        default=[],
        metavar="ID",
        help="serverless: an application that may pull (may be repeated; default: all of account and region)",
    )
    add_account_options(parser, "account, for ECR")


def _run(given: argparse.Namespace) -> int:
    reference = tagged("NAME", given.name)
    registry = reference.ecr
    _check(given, reference)
    if registry and given.policies:
        say(json.dumps(_policies(given, registry, reference), indent=2))
        return OK
    engine = ContainerEngine.find(given.engine, os.environ)
    pushed = _push(engine, given, reference, registry)
    _tell(pushed, given)
    return OK


def _check(given: argparse.Namespace, reference: ImageReference) -> None:
    """See that the options fit together, and the name."""
    registry = reference.ecr
    strange = [] if registry else [name for name in _ONLY_ECR if getattr(given, name)]
    if strange:
        raise _refused(
            strange[0], "is for images in ECR", f"leave it out: {given.name} is in another registry"
        )
    if given.target == SERVERLESS and not registry:
        mend = "push it to ECR: 123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.4"
        raise InvalidValueError(OWNER, "NAME", given.name, "is not where EMR Serverless pulls from", mend)
    other = [] if given.target == SERVERLESS else [name for name in _ONLY_SERVERLESS if getattr(given, name)]
    if other:
        raise _refused(other[0], "is for EMR Serverless", "add --target serverless")
    if not reference.registry and "/" not in reference.repository:
        mend = f"put one in front: 123456789012.dkr.ecr.us-east-1.amazonaws.com/{reference}"
        raise InvalidValueError(OWNER, "NAME", given.name, "has no registry to push to", mend)
    early = [] if given.create else [name for name in _ONLY_NEW if getattr(given, name)]
    if early:
        raise _refused(early[0], "is for a repository that is made", "add --create")
    if registry and given.region not in (None, registry.region):
        problem = f"is not the region of the name, {registry.region}"
        raise InvalidValueError(OWNER, "--region", given.region, problem, "leave it out")


def _refused(name: str, problem: str, mend: str) -> InvalidValueError:
    return InvalidValueError(OWNER, f"--{name.replace('_', '-')}", True, problem, mend)


def _policies(
    given: argparse.Namespace, registry: EcrRegistry, reference: ImageReference
) -> dict[str, dict[str, Any]]:
    from airflow_provider_emrkit.images.policies import application_policy, pull_policy, push_policy

    serverless = given.target == SERVERLESS
    push = push_policy(registry, reference, create=given.create, serverless=serverless)
    if not serverless:
        return {"pull": pull_policy(registry, reference), "push": push}
    repository = _repository_policy(given, registry)
    return {
        "repository": repository,
        "applications": application_policy(registry, reference),
        "push": push,
    }


def _repository_policy(given: argparse.Namespace, registry: EcrRegistry) -> dict[str, Any]:
    from airflow_provider_emrkit.images.policies import serverless_repository_policy

    return serverless_repository_policy(registry.account, registry.region, given.application)


def _push(
    engine: ContainerEngine,
    given: argparse.Namespace,
    reference: ImageReference,
    registry: EcrRegistry | None,
) -> PushedImage:
    from airflow_provider_emrkit.images.pushing import EcrPush, push_elsewhere

    source = given.source or str(reference)
    if registry is None:
        return push_elsewhere(engine, reference, source)
    repository = ecr_repository(given, registry, reference)
    return EcrPush(engine, repository, reference, say_error).run(source, _new(given, registry))


def _new(given: argparse.Namespace, registry: EcrRegistry) -> NewRepository | None:
    from airflow_provider_emrkit.images.pushing import NewRepository

    if not given.create:
        return None
    policy = _repository_policy(given, registry) if given.target == SERVERLESS else None
    return NewRepository(given.immutable_tags, given.scan, policy)


def ecr_repository(
    given: argparse.Namespace, registry: EcrRegistry, reference: ImageReference
) -> EcrRepository:
    """Give the repository of an image's name, with what the options of the account say."""
    from airflow_provider_emrkit.images.ecr import EcrRepository

    there = argparse.Namespace(**{**vars(given), "region": registry.region})
    session = open_session(there)

    def whose() -> str:
        with explained():
            return str(open_client(session, "sts", there).get_caller_identity()["Account"])

    return EcrRepository(open_client(session, "ecr", there), registry, reference, whose)


def _tell(pushed: PushedImage, given: argparse.Namespace) -> None:
    if given.json:
        say(json.dumps(_facts(pushed), indent=2))
        return
    if not pushed.sent:
        say_error(ALREADY_THERE.format(pushed.reference))
    say(f"{pushed.pinned}\n")
    if given.target == SERVERLESS:
        say("for an application:")
        say(f'  ApplicationSpec(..., image="{pushed.reference}")')
        say("or this very image, whatever is pushed later:")
        say(f'  ApplicationSpec(..., image="{pushed.pinned}")')
        return
    say("for a job:")
    say(f'  SparkJob(..., docker=DockerImage("{pushed.reference}"))')
    say("or this very image, whatever is pushed later (emr-6.15.0 and later):")
    say(f'  SparkJob(..., docker=DockerImage("{pushed.pinned}"))')


def _facts(pushed: PushedImage) -> dict[str, Any]:
    return {
        "image": str(pushed.reference),
        "digest": pushed.digest,
        "pinned": pushed.pinned,
        "created": pushed.created,
        "sent": pushed.sent,
    }
