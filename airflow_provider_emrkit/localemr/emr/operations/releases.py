"""EMR's releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.instance_types import supported_types
from airflow_provider_emrkit.localemr.emr.paging import page
from airflow_provider_emrkit.localemr.emr.release_rules import release_of
from airflow_provider_emrkit.releases import known_labels, parse_label

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.emr.context import Call, Emr
    from airflow_provider_emrkit.releases import Release

DEFAULT_PAGE = 100

_FIRST_ON_ARM = {("emr", 4): "emr-5.30.0", ("emr", 5): "emr-5.30.0", ("emr", 6): "emr-6.1.0"}


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
    """Tell whether a release has an application: ``spark``, or ``spark@3.5.6`` for one version of it."""
    name, _, version = wanted.partition("@")
    found = [item for item in _applications(label) if item["Name"].lower() == name]
    return not wanted or (bool(found) and version in ("", found[0]["Version"]))


def list_supported_instance_types(emr: Emr, call: Call) -> dict[str, Any]:  # noqa: ARG001
    """ListSupportedInstanceTypes: of the families in our table; RunJobFlow takes any type."""
    known = release_of(call.params["ReleaseLabel"])
    types = supported_types(("X86_64", "AARCH64") if _runs_on_arm(known) else ("X86_64",))
    found, marker = page(types, call.params.get("Marker"), lambda item: str(item["Type"]))
    return {"SupportedInstanceTypes": found, "Marker": marker}


def _runs_on_arm(known: Release) -> bool:
    label = known.label
    first = _FIRST_ON_ARM.get((label.family, label.major))
    return first is None or label >= parse_label(first)


OPERATIONS = {
    "DescribeReleaseLabel": describe_release_label,
    "ListReleaseLabels": list_release_labels,
    "ListSupportedInstanceTypes": list_supported_instance_types,
}
