from __future__ import annotations

import base64
import hashlib
import re

import pytest

from airflow_provider_emrkit.ui import login

PATH = "/team/emrkit/airflow/emrkit/dags/sales/dashboard"


@pytest.mark.parametrize("is_3_1", [True, False])
def test_the_way_to_the_login_and_back_holds_behind_a_proxy_too(monkeypatch, is_3_1):
    monkeypatch.setattr(login, "AIRFLOW_V_3_1_PLUS", is_3_1)
    (link,) = re.findall(r'href="([^"]+)"', login.further(PATH, "run_id=a%2Bb&task_id=load"))
    root, _, back = link.partition("/api/v2/auth/login?next=")
    assert root == "/team/emrkit/airflow"
    assert back == "%2Fteam%2Femrkit%2Fairflow%2Femrkit%2Fdags%2Fsales%2Fdashboard" + (
        "%3Frun_id%3Da%252Bb%26task_id%3Dload"
    )


def test_what_stands_in_the_address_is_no_html():
    page = login.further('/"><script>x</script>/emrkit/dags/sales/dashboard', '"><b>')
    assert "<script>x" not in page
    assert "<b>" not in page


def test_only_3_0_needs_a_script_and_no_other_runs(monkeypatch):
    monkeypatch.setattr(login, "AIRFLOW_V_3_1_PLUS", True)
    assert "<script>" not in login.further(PATH, "")
    monkeypatch.setattr(login, "AIRFLOW_V_3_1_PLUS", False)
    (script,) = re.findall(r"<script>(.*?)</script>", login.further(PATH, ""), re.DOTALL)
    (allowed,) = re.findall(r"script-src 'sha256-([^']+)'", login._POLICY)
    assert base64.b64decode(allowed) == hashlib.sha256(script.encode()).digest()
