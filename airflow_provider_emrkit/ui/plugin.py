"""What Airflow loads as the plugin ``emrkit``: in each process, so it costs next to nothing."""

from __future__ import annotations

from typing import Any

from airflow_provider_emrkit._compat import AIRFLOW_V_3_0_PLUS, AirflowPlugin
from airflow_provider_emrkit.links import WEB_PREFIX


class EmrKitPlugin(AirflowPlugin):
    """The pages of emrkit, below ``/emrkit`` in Airflow's web server.

    >>> EmrKitPlugin().name
    'emrkit'
    """

    name = "emrkit"

    # Airflow makes an object of a plugin, and asks for its applications in the web server alone.
    if AIRFLOW_V_3_0_PLUS:

        @property
        def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
            """The application of Airflow 3's API server."""
            from airflow_provider_emrkit.ui.fastapi_app import create_app

            return [{"app": create_app(), "url_prefix": f"/{WEB_PREFIX}", "name": "EMR kit"}]

    else:

        @property
        def flask_blueprints(self) -> list[Any]:  # type: ignore[override]
            """The blueprint of Airflow 2's web server."""
            from airflow_provider_emrkit.ui.flask_blueprint import create_blueprint

            return [create_blueprint()]
