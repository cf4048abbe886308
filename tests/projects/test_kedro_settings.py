"""What a Kedro project says of itself, read without running its code."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.projects.kedro_settings import kedro_settings


def test_kedros_own_words_hold_where_the_project_says_nothing(folder):
    found = kedro_settings(folder.root, {"package_name": "sales"})
    assert (found.package, found.conf, found.local) == ("sales", folder.root / "conf", "local")


def test_the_packages_settings_say_otherwise(folder):
    folder.write(
        "code/sales/settings.py",
        """
        import os
        CONF_SOURCE = "settings/conf"
        CONFIG_LOADER_ARGS = {"base_env": "base", "default_run_env": "mine", "x": os.environ}
        """,
    )
    found = kedro_settings(folder.root, {"package_name": "sales", "source_dir": "code"})
    assert (found.conf, found.local) == (folder.root / "settings/conf", "mine")


@pytest.mark.parametrize(
    "text", ["raise SystemExit(1)", "CONF_SOURCE = compute()", "def (", "CONF_SOURCE = 3"]
)
def test_code_is_not_run(folder, text):
    folder.write("src/sales/settings.py", text)
    assert kedro_settings(folder.root, {"package_name": "sales"}).conf == folder.root / "conf"
