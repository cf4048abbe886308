from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import airflow
import jsonschema
import pytest

from airflow_provider_emrkit import __version__
from airflow_provider_emrkit.compute.defaults import ClusterDefaults
from airflow_provider_emrkit.get_provider_info import get_provider_info
from airflow_provider_emrkit.operators.timing import archive_patience, last_lines, pace


def airflow_schema(name: str) -> dict:
    return json.loads((Path(airflow.__file__).parent / name).read_text())


def test_airflow_accepts_it_at_run_time():
    jsonschema.validate(get_provider_info(), airflow_schema("provider_info.schema.json"))


def test_it_is_what_a_provider_of_airflow_itself_would_declare():
    schema = airflow_schema("provider.yaml.schema.json")
    known = {key: value for key, value in get_provider_info().items() if key in schema["properties"]}
    connection = schema["properties"]["connection-types"]["items"]["properties"]
    if "conn-fields" not in connection:  # Airflow before 3.2 takes the form from the hook
        for kind in known["connection-types"]:
            del kind["conn-fields"], kind["ui-field-behaviour"]
    assert known.keys() == get_provider_info().keys()
    jsonschema.validate(known, {**schema, "required": ["name", "package-name", "description", "versions"]})


def test_its_version_is_the_package_version():
    assert get_provider_info()["versions"] == [__version__]


def test_the_connection_form_has_the_defaults_of_clusters():
    fields = get_provider_info()["connection-types"][0]["conn-fields"]
    assert set(ClusterDefaults.__dataclass_fields__) < set(fields)
    for role in ("job_flow_role", "service_role"):
        assert fields[role]["schema"]["default"] == getattr(ClusterDefaults(), role)


def test_every_setting_has_what_airflow_2_asks_for():
    for option in get_provider_info()["config"]["emrkit"]["options"].values():
        assert option.keys() == {"description", "version_added", "type", "example", "default"}
        assert isinstance(option["default"], str)


def test_the_settings_of_logs_have_the_defaults_they_say():
    options = get_provider_info()["config"]["emrkit"]["options"]
    defaults = pace(None)
    assert {
        "max_log_lines": defaults.max_lines,
        "max_run_log_lines": defaults.max_run_lines,
        "worker_log_lines": last_lines(),
        "s3_log_wait": archive_patience(),
    } == {
        name: float(options[name]["default"])
        for name in ("max_log_lines", "max_run_log_lines", "worker_log_lines", "s3_log_wait")
    }


def test_reading_it_imports_nothing_of_airflow():
    code = (
        "import sys; from airflow_provider_emrkit.get_provider_info import get_provider_info;"
        "get_provider_info(); print([name for name in sys.modules if name.split('.')[0] == 'airflow'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def classes() -> list[str]:
    info = get_provider_info()
    return [info["connection-types"][0]["hook-class-name"], *info["extra-links"]]


def modules() -> list[str]:
    info = get_provider_info()
    return [
        name
        for kind in ("hooks", "operators", "sensors", "triggers")
        for part in info[kind]
        for name in part["python-modules"]
    ]


@pytest.mark.parametrize("path", classes())
def test_every_class_it_names_exists(path):
    module, name = path.rsplit(".", 1)
    assert isinstance(getattr(import_module(module), name), type)


@pytest.mark.parametrize("module", modules())
def test_every_module_it_names_exists(module):
    import_module(module)
