"""The page for somebody whom Airflow 3 does not know."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from urllib.parse import quote

from airflow_provider_emrkit._compat import AIRFLOW_V_3_1_PLUS
from airflow_provider_emrkit.links import WEB_PREFIX
from airflow_provider_emrkit.ui import notice
from airflow_provider_emrkit.ui.notice import Notice

NOTICE = Notice(
    401, "Log in to Airflow", "Airflow shows the Spark UI of a task to those who may see the task."
)

# 3.0 tells who somebody is by a token that its pages keep, and that a browser sends with no link; a script
# sends it, and shows what comes.
_SCRIPT = """
const token = localStorage.getItem("token");
if (token) {
  const headers = {Accept: "application/json", Authorization: "Bearer " + token};
  fetch(location.href, {headers}).then(async (answer) => {
    if (answer.ok) location.replace((await answer.json()).url);
    else if (answer.status !== 401) document.documentElement.innerHTML = await answer.text();
  });
}
"""
_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_POLICY = f"{notice.HEADERS['Content-Security-Policy']}; script-src 'sha256-{_HASH}'; connect-src 'self'"

HEADERS = notice.HEADERS if AIRFLOW_V_3_1_PLUS else {**notice.HEADERS, "Content-Security-Policy": _POLICY}


def further(path: str, query: str) -> str:
    """Give the way to Airflow's login, and back to a page of ours.

    :param path: The page's.

    >>> further("/emrkit/dags/sales/dashboard", "run_id=1").partition("<script>")[0]
    '<p><a href="/api/v2/auth/login?next=%2Femrkit%2Fdags%2Fsales%2Fdashboard%3Frun_id%3D1">Log in</a></p>'
    """
    root = path.rpartition(f"/{WEB_PREFIX}/")[0]
    here = quote(f"{path}?{query}", safe="")
    link = f'<p><a href="{escape(root)}/api/v2/auth/login?next={here}">Log in</a></p>'
    return link if AIRFLOW_V_3_1_PLUS else f"{link}<script>{_SCRIPT}</script>"
