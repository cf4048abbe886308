"""What is to change about an application: its description beside the request that updates it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.applications.images import images_of
from airflow_provider_emrkit.compute.overrides import APPLICATION_MEMBERS
from airflow_provider_emrkit.frozen import HIDDEN, SECRET_NAME
from airflow_provider_emrkit.logs.text import clean_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# What EMR says of images, and of Identity Center, beside what it was asked for.
_ANSWERS = frozenset({"resolvedImageDigest", "identityCenterApplicationArn"})
# Settings whose values may hold anything.
_UNTOLD = "runtimeConfiguration"
_LONGEST = 120

# What may change while an application is STARTED: images where each job's submission resolves their digests,
# and no workers are kept ready. https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/
# updating-running-applications.html
_LIVE = frozenset({"maximumCapacity"})
_LIVE_IMAGES = frozenset({"imageConfiguration", "workerTypeSpecifications"})


@dataclass(frozen=True)
class Change:
    """A setting that is to change.

    :param path: Its name, with dots: ``maximumCapacity.cpu``.
    :param before: Its value; None for none.
    :param after: The value it gets; None for none.

    >>> print(Change("maximumCapacity.cpu", "8 vCPU", "16 vCPU"))
    maximumCapacity.cpu: 8 vCPU -> 16 vCPU
    """

    path: str
    before: Any
    after: Any

    @property
    def member(self) -> str:
        """The member of the request that it is in."""
        return self.path.split(".", 1)[0]

    def __str__(self) -> str:
        if self.member == _UNTOLD:
            return f"{self.member} is another one"
        hidden = SECRET_NAME.search(self.path) is not None
        before, after = (HIDDEN if hidden else _shown(value) for value in (self.before, self.after))
        return f"{self.path}: {before} -> {after}"


def changes(application: Mapping[str, Any], request: Mapping[str, Any]) -> list[Change]:
    """Tell what an update changes.

    What EMR has filled in by itself, where a request leaves it open, counts as a change too.

    :param application: GetApplication's ``application``.
    :param request: UpdateApplication's input.
    """
    found = []
    for member, asked in request.items():
        # EMR takes the names of workers in any case.
        before = {path.lower(): (path, value) for path, value in _leaves(application.get(member), member)}
        after = {path.lower(): (path, value) for path, value in _leaves(asked, member)}
        for key, (path, _) in {**before, **after}.items():
            old, new = (side.get(key, (path, None))[1] for side in (before, after))
            if old != new:
                found.append(Change(path, old, new))
    return found


def have_same_settings(application: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether EMR shows the same settings in two descriptions.

    :param application: GetApplication's ``application``.
    :param other: GetApplication's or UpdateApplication's ``application``.
    """
    return not changes(application, {member: other.get(member) for member in APPLICATION_MEMBERS})


def may_change_live(application: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Tell whether EMR makes all changes of an update while the application is STARTED.

    :param application: GetApplication's ``application``.
    :param request: UpdateApplication's input.
    """
    both = (application, {**application, **request})
    at_start = any(image.at_start for one in both for image in images_of(one))
    allowed = _LIVE if at_start or any(one.get("initialCapacity") for one in both) else _LIVE | _LIVE_IMAGES
    found = changes(application, request)
    return bool(found) and all(change.member in allowed for change in found)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Give the values in a setting with their paths; what is empty is as good as not there."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name not in _ANSWERS:
                yield from _leaves(item, f"{path}.{name}")
    elif isinstance(value, list) and path == _UNTOLD:
        if value:
            yield path, value
    elif isinstance(value, list):
        if value:
            yield path, sorted(map(str, value))
    elif value is not None:
        yield path, value


def _shown(value: Any) -> str:
    return "nothing" if value is None else clean_line(str(value), _LONGEST)
