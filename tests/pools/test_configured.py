from __future__ import annotations

import re

import pytest

from airflow_provider_emrkit import load_pools
from airflow_provider_emrkit.validation import InvalidValueError

FILE = "pools: {NAME: {max_clusters: 3, spec: {release_label: emr-7.11.0}}}"


@pytest.fixture
def configured(monkeypatch):
    return lambda path: monkeypatch.setenv("AIRFLOW__EMRKIT__POOLS_FILE", str(path))


def written(tmp_path, name: str):
    path = tmp_path / f"{name}.yaml"
    path.write_text(FILE.replace("NAME", name))
    return path


def refused(message: str):
    return pytest.raises(InvalidValueError, match=re.escape(f"[emrkit].pools_file: {message}"))


def test_the_file_of_the_configuration_is_read(configured, tmp_path):
    configured(written(tmp_path, "medium"))
    assert load_pools()["medium"].max_clusters == 3


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_file_that_is_given_comes_first(configured, tmp_path, kind):
    configured(written(tmp_path, "medium"))
    assert list(load_pools(kind(written(tmp_path, "large")))) == ["large"]


def test_a_pool_that_is_not_there_is_an_error_that_names_those_that_are(configured, tmp_path):
    configured(written(tmp_path, "medium"))
    with pytest.raises(
        InvalidValueError, match=r"medium.yaml.pools: 'medum' is not known; use one of medium"
    ):
        load_pools()["medum"]


def test_a_changed_file_is_read_again(configured, tmp_path):
    path = written(tmp_path, "medium")
    configured(path)
    assert list(load_pools()) == ["medium"]
    path.write_text(FILE.replace("NAME", "MEDIUM"))
    assert list(load_pools()) == ["MEDIUM"]


@pytest.mark.parametrize("path", ["", "  "])
def test_without_a_file_the_setting_is_named(configured, path):
    configured(path)
    with refused(
        "'' names no file; set it to the whole path of a YAML file of pools, or give load_pools a path"
    ):
        load_pools()


def test_the_setting_has_no_default():
    with refused("'' names no file"):
        load_pools()


def test_a_path_that_depends_on_where_a_process_was_started_is_refused(configured, tmp_path, monkeypatch):
    written(tmp_path, "medium")
    monkeypatch.chdir(tmp_path)
    configured("medium.yaml")
    with refused("'medium.yaml' is not a whole path; begin it with /"):
        load_pools()


def test_a_file_that_can_t_be_read_is_named_with_the_setting(configured, tmp_path):
    path = tmp_path / "none.yaml"
    configured(path)
    with refused(
        f"{str(path)!r} can't be read: No such file or directory; correct it, or put the file where"
    ):
        load_pools()
    configured(tmp_path)
    with refused(f"{str(tmp_path)!r} can't be read: Is a directory"):
        load_pools()


def test_a_given_file_that_can_t_be_read_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_pools(tmp_path / "none.yaml")
