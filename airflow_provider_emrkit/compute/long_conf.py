"""Spark properties that are too long for ``sparkSubmitParameters``: they go as ``spark-defaults``. Pure."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.configurations import MAX_PROPERTIES, MAX_PROPERTY
from airflow_provider_emrkit.jobs.serverless_submit import MAX_PARAMETERS, characters
from airflow_provider_emrkit.releases import known_release

if TYPE_CHECKING:
    from collections.abc import Mapping

SPARK_DEFAULTS = "spark-defaults"
# Text that means the same however somebody writes it into a file of properties.
_PLAIN = re.compile(r"(?![=:])[!-\[\]-~](?:[ -\[\]-~]*[!-\[\]-~])?")


def divided(
    conf: Mapping[str, str], others: str, application: Mapping[str, Any]
) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Divide properties into those that are options, and those that are the run's ``spark-defaults``.

    Options are taken byte for byte, hence only what does not fit goes elsewhere: the longest first, as far as
    they are plain texts that EMR Serverless takes there.

    :param conf: All properties.
    :param others: The other options, written out.
    :param application: GetApplication's ``application``.
    :return: The options, in their order, and ``applicationConfiguration``.
    """
    excess = characters(others) + sum(map(_cost, conf, conf.values())) - MAX_PARAMETERS
    if excess <= 0:
        return dict(conf), []
    held = _held(application)
    moved: set[str] = set()
    for key in sorted(filter(lambda key: _is_plain(key, conf[key]), conf), key=lambda key: -len(conf[key])):
        if excess <= 0 or len(held["properties"].keys() | moved | {key}) > MAX_PROPERTIES:
            break
        moved.add(key)
        excess -= _cost(key, conf[key])
    kept = {key: value for key, value in conf.items() if key not in moved}
    properties = {**held["properties"], **{key: conf[key] for key in conf if key in moved}}
    return kept, [{**held, "properties": properties}] if moved else []


def _cost(key: str, value: str) -> int:
    return characters(f" {shlex.join(['--conf', f'{key}={value}'])}")


def _is_plain(key: str, value: str) -> bool:
    fits = len(key) <= MAX_PROPERTY and len(value) <= MAX_PROPERTY
    return fits and all(map(_PLAIN.fullmatch, (key, value)))


def _held(application: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the run's ``spark-defaults`` have to say again, because they take the application's place."""
    known = known_release(str(application.get("releaseLabel")))
    if known is None or not known.supports("serverless_merging"):
        for item in application.get("runtimeConfiguration") or ():
            if item.get("classification") == SPARK_DEFAULTS:
                return {**item, "properties": dict(item.get("properties") or {})}
    return {"classification": SPARK_DEFAULTS, "properties": {}}
