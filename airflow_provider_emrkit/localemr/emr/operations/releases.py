"""EMR's releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.cluster_rules import release_of
from airflow_provider_emrkit.localemr.emr.paging import page
from airflow_provider_emrkit.releases import known_labels

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.emr.context import Call, Emr

DEFAULT_PAGE = 100


def list_release_labels(emr: Emr, call: Call) -> dict[str, Any]:  # noqa: ARG001 - all operations have it
    """ListReleaseLabels: newest first."""
    filters = call.params.get("Filters", {})
    prefix, application = filters.get("Prefix", ""), filters.get("Application", "").lower()
    labels = [
        label
        for label in reversed(known_labels())
        if label.startswith(prefix) and _has_application(label, application)
    ]
    size = call.params.get("MaxResults", DEFAULT_PAGE)
    found, token = page(labels, call.params.get("NextToken"), str, size)
    return {"ReleaseLabels": found, "NextToken": token}


def describe_release_label(emr: Emr, call: Call) -> dict[str, Any]:  # noqa: ARG001
    """DescribeReleaseLabel: of the newest release when none is named."""
    label = call.params.get("ReleaseLabel") or known_labels()[-1]
    return {"ReleaseLabel": label, "Applications": _applications(label), "AvailableOSReleases": []}


def _applications(label: str) -> list[dict[str, str]]:
    known = release_of(label)
    return [{"Name": "Hadoop", "Version": known.hadoop}, {"Name": "Spark", "Version": known.spark}]


def _has_application(label: str, wanted: str) -> bool:
    if not wanted:
        return True
    names = [application["Name"].lower() for application in _applications(label)]
    with_versions = [f"{item['Name']} {item['Version']}".lower() for item in _applications(label)]
    return wanted in (*names, *with_versions)


OPERATIONS = {
    "DescribeReleaseLabel": describe_release_label,
    "ListReleaseLabels": list_release_labels,
}
