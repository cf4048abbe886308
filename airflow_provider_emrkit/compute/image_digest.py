"""Whether a cluster's YARN starts containers of an image that is named by its digest. Pure."""

from __future__ import annotations

from airflow_provider_emrkit.releases import parse_label
from airflow_provider_emrkit.validation import InvalidValueError

# Hadoop takes such names from 3.3.6 on (YARN-11364). Releases before the first label have 3.2.1 and refuse
# them; those up to the second have a 3.3.3 of AWS's own, whose people wrote that change.
MAYBE = "emr-6.9.0"
SURELY = "emr-6.15.0"


def takes_digests(release_label: str) -> bool | None:
    """Tell whether YARN takes digests in the names of images; None for where nobody says.

    >>> takes_digests("emr-6.8.0"), takes_digests("emr-6.9.0"), takes_digests("emr-6.15.0")
    (False, None, True)
    """
    try:
        label = parse_label(release_label)
    except InvalidValueError:
        return None
    if label.family != "emr" or label >= parse_label(SURELY):
        return True
    return None if label >= parse_label(MAYBE) else False
