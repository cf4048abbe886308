"""Tags of clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.cluster_rules import checked_tags

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.emr.context import Call, Emr


def add_tags(emr: Emr, call: Call) -> dict[str, Any]:
    """AddTags: a key that is there gets the new value."""
    cluster = emr.cluster(call, call.params["ResourceId"])
    cluster.tags.update(checked_tags(call.params["Tags"]))
    emr.changed(cluster)
    return {}


def remove_tags(emr: Emr, call: Call) -> dict[str, Any]:
    """RemoveTags: keys that are not there are ignored."""
    cluster = emr.cluster(call, call.params["ResourceId"])
    for key in call.params["TagKeys"]:
        cluster.tags.pop(key, None)
    emr.changed(cluster)
    return {}


OPERATIONS = {"AddTags": add_tags, "RemoveTags": remove_tags}
