"""Tags of clusters and Studios."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.cluster_rules import checked_tags
from airflow_provider_emrkit.localemr.emr.operations.studios import found_studio
from airflow_provider_emrkit.localemr.emr.shapes import shown_tags

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.localemr.emr.context import Call, Emr


def add_tags(emr: Emr, call: Call) -> dict[str, Any]:
    """AddTags: a key that is there gets the new value."""
    added = checked_tags(call.params["Tags"])
    return _change(emr, call, lambda tags: {**tags, **added})


def remove_tags(emr: Emr, call: Call) -> dict[str, Any]:
    """RemoveTags: keys that are not there are ignored."""
    gone = frozenset(call.params["TagKeys"])
    return _change(emr, call, lambda tags: {key: tags[key] for key in tags if key not in gone})


def _change(emr: Emr, call: Call, change: Callable[[dict[str, str]], dict[str, str]]) -> dict[str, Any]:
    resource_id = call.params["ResourceId"]
    if resource_id.startswith("es-"):
        studio = found_studio(emr, call, resource_id)
        tags = change({tag["Key"]: tag["Value"] for tag in studio.data["Tags"]})
        studio.data = {**studio.data, "Tags": shown_tags(tags)}
        emr.store.resources.put(studio)
    else:
        cluster = emr.cluster(call, resource_id)
        cluster.tags = change(cluster.tags)
        emr.changed(cluster)
    return {}


OPERATIONS = {"AddTags": add_tags, "RemoveTags": remove_tags}
