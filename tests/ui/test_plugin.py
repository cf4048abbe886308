from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

from airflow_provider_emrkit._compat import AIRFLOW_V_3_0_PLUS


def test_airflow_finds_the_plugin():
    found = {one.value for one in entry_points(group="airflow.plugins") if one.name == "emrkit"}
    assert found == {"airflow_provider_emrkit.ui.plugin:EmrKitPlugin"}


def test_it_has_pages_for_the_web_server_of_this_airflow():
    from airflow_provider_emrkit.ui.plugin import EmrKitPlugin

    plugin = EmrKitPlugin()
    if AIRFLOW_V_3_0_PLUS:
        (app,) = plugin.fastapi_apps
        assert (app["url_prefix"], app["app"].openapi_url) == ("/emrkit", None)
        assert plugin.flask_blueprints == []
    else:
        (blueprint,) = plugin.flask_blueprints
        assert blueprint.url_prefix == "/emrkit"


def test_loading_it_loads_no_pages_since_every_process_of_airflow_does():
    code = (
        "import sys\n"
        "import airflow_provider_emrkit._compat\n"
        "before = set(sys.modules)\n"
        "import airflow_provider_emrkit.ui.plugin\n"
        "heavy = ('fastapi', 'starlette', 'flask', 'boto3', 'botocore', 'airflow.')\n"
        "print(sorted(name for name in set(sys.modules) - before if name.startswith(heavy)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
