"""A Kedro project's configuration as an archive, in which there are no credentials."""

from __future__ import annotations

import os
import time

import pytest

from airflow_provider_emrkit.projects.errors import PackagingError
from airflow_provider_emrkit.projects.kedro_conf import pack_conf
from airflow_provider_emrkit.projects.kedro_settings import KedroSettings

SECRET = "hunter2"


@pytest.fixture
def pack(folder, tmp_path, read_tar):
    """Pack the configuration; give what became of it, and what the archive holds."""

    def packed(local="local", allowed=()):
        target = tmp_path / "conf-sales.tar.gz"
        told = pack_conf(KedroSettings("sales", folder.root / "conf", local), target, allowed)
        return told, read_tar(target)

    return packed


def test_the_configuration_is_the_one_directory_at_the_top(folder, pack):
    folder.write("conf/base/catalog.yml", "a: 1\n")
    folder.write("conf/prod/spark/spark.yml", "b: 2\n")
    told, held = pack()
    assert told.files == ("base/catalog.yml", "prod/spark/spark.yml")
    assert told.left_out == {}
    assert held == {
        "conf": None,
        "conf/base": None,
        "conf/base/catalog.yml": b"a: 1\n",
        "conf/prod": None,
        "conf/prod/spark": None,
        "conf/prod/spark/spark.yml": b"b: 2\n",
    }


def test_it_is_called_conf_whatever_it_is_called_in_the_project(folder, tmp_path, read_tar):
    folder.write("settings/here/base/catalog.yml")
    pack_conf(KedroSettings("sales", folder.root / "settings/here"), tmp_path / "c.tar.gz")
    assert {name.split("/")[0] for name in read_tar(tmp_path / "c.tar.gz")} == {"conf"}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("local/parameters.json", "it is of one developer"),
        ("base/credentials.yml", "it holds credentials"),
        ("base/Credentials.YAML", "it holds credentials"),
        ("base/credentials_prod.yml", "it holds credentials"),
        ("prod/credentials/aws.yml", "it holds credentials"),
        ("prod/deep/er/credentials.json", "it holds credentials"),
        ("base/tls/server.key", "it holds credentials"),
        ("prod/my-credentials.yml", "it holds credentials"),
        ("base/secrets.yml", "it holds credentials"),
        ("base/prod.env", "it holds credentials"),
        ("base/.env", "it is hidden"),
        ("base/.ipynb_checkpoints/catalog.yml", "it is hidden"),
    ],
)
def test_secrets_and_what_is_of_one_developer_stay_here(folder, pack, name, why):
    folder.write("conf/base/catalog.yml")
    folder.write(f"conf/{name}", f"password: {SECRET}\n")
    told, held = pack()
    assert list(told.left_out.values()) == [why]
    assert name.startswith(next(iter(told.left_out)))
    assert SECRET not in str(held)


def test_kedro_finds_the_environment_of_its_default_empty(folder, pack):
    folder.kedro()
    told, held = pack()
    assert told.left_out == {"local": "it is of one developer"}
    assert held["conf/local"] is None
    assert [name for name in held if name.startswith("conf/local/")] == []


def test_another_environment_of_one_developer_stays_here_and_local_does_not(folder, pack):
    folder.write("conf/mine/catalog.yml", SECRET)
    folder.write("conf/local/catalog.yml", "is shared here")
    told, held = pack("mine")
    assert told.left_out == {"mine": "it is of one developer"}
    assert held["conf/local/catalog.yml"] == b"is shared here"
    assert SECRET not in str(held)


def test_a_link_does_not_smuggle_credentials_in(folder, pack, tmp_path):
    folder.kedro()
    outside = tmp_path / "password"
    outside.write_text(SECRET)
    conf = folder.root / "conf"
    (conf / "base/db.yml").symlink_to("../local/credentials.yml")
    (conf / "base/out.yml").symlink_to(outside)
    (conf / "base/again").symlink_to(conf / "local")
    (conf / "base/loop").symlink_to(conf)
    (conf / "base/same.yml").symlink_to("catalog.yml")
    told, held = pack()
    assert told.left_out == {
        "base/again": "it is a link to a directory",
        "base/db.yml": "it is a link, and what it leads to stays here: it is of one developer",
        "base/loop": "it is a link to a directory",
        "base/out.yml": "it is a link out of the configuration",
        "local": "it is of one developer",
    }
    assert held["conf/base/same.yml"] == b"a: 1\n"
    assert SECRET not in str(held)


def test_a_configuration_behind_a_link_is_taken(folder, pack, tmp_path):
    folder.write("shared/base/catalog.yml")
    (folder.root / "conf").symlink_to("shared")
    assert pack()[0].files == ("base/catalog.yml",)


@pytest.mark.parametrize(
    "text",
    [
        "key: AKIAABCDEFGHIJKLMNOP\n",
        "-----BEGIN RSA PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\n",
        f"aws_secret_access_key: '{'a' * 40}'\n",
    ],
)
def test_a_key_in_another_file_ends_it(folder, pack, tmp_path, text):
    folder.write("conf/base/catalog.yml", text)
    with pytest.raises(PackagingError, match=r"^base/catalog.yml holds a key.*; move it to credentials.yml"):
        pack()


HARMLESS = "users:\n  reset_password: never\n"


def test_a_text_that_is_no_secret_is_taken_along_by_the_name_that_the_error_gives_it(folder, pack):
    folder.write("conf/base/parameters.yml", HARMLESS)
    with pytest.raises(PackagingError) as caught:
        pack()
    assert "base/parameters.yml holds a key or a password (line 2), which" in str(caught.value)
    assert "never" not in str(caught.value)
    place = str(caught.value).rpartition("say --allow-text ")[2]
    assert place == "base/parameters.yml:reset_password"
    told, held = pack(allowed=[place])
    assert held["conf/base/parameters.yml"] == HARMLESS.encode()
    assert told.allowed == (place,)


def test_what_is_allowed_is_one_place_and_nothing_beside_it(folder, pack):
    folder.write("conf/base/parameters.yml", HARMLESS)
    folder.write("conf/prod/parameters.yml", HARMLESS)
    allowed = ["base/parameters.yml:reset_password"]
    with pytest.raises(PackagingError, match=r"^prod/parameters.yml holds .* \(line 2\)"):
        pack(allowed=allowed)
    folder.write("conf/prod/parameters.yml", "a: 1\n")
    folder.write("conf/base/parameters.yml", f"{HARMLESS}  reset_password: {SECRET}\n")
    with pytest.raises(PackagingError, match=r"line 2, base/parameters.yml line 3") as caught:
        pack(allowed=allowed)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("key", ["AKIAABCDEFGHIJKLMNOP", "-----BEGIN PRIVATE KEY-----"])
def test_a_key_is_never_allowed(folder, pack, key):
    folder.write("conf/base/catalog.yml", f"key: {key}\n")
    with pytest.raises(PackagingError, match="holds a key") as caught:
        pack(allowed=["base/catalog.yml:key"])
    assert "--allow-text" not in str(caught.value)


def test_what_is_allowed_and_is_not_there_any_more_is_told(folder, pack):
    folder.write("conf/base/parameters.yml", "a: 1\n")
    with pytest.raises(PackagingError, match=r"--allow-text base/parameters.yml:a names no text that looks"):
        pack(allowed=["base/parameters.yml:a"])


def test_the_same_files_give_the_same_bytes(folder, tmp_path):
    settings = KedroSettings("sales", folder.root / "conf")
    first, second = tmp_path / "1.tar.gz", tmp_path / "2.tar.gz"
    for name in ("base/b.yml", "base/a.yml", "prod/c.yml"):
        folder.write(f"conf/{name}", name)
    pack_conf(settings, first)
    for number, path in enumerate(sorted((folder.root / "conf").rglob("*"))):
        os.utime(path, (number, time.time()))
        path.chmod(0o700)
    pack_conf(settings, second)
    assert first.read_bytes() == second.read_bytes()


def test_hostile_names_arrive_as_they_are(folder, pack):
    name = "base/a b\n$(touch x) \x1b[31mß.yml"
    folder.write(f"conf/{name}", "a: 1\n")
    os.mkfifo(folder.root / "conf/base/pipe")
    told, held = pack()
    assert held[f"conf/{name}"] == b"a: 1\n"
    assert told.left_out == {"base/pipe": "it is no file"}


def test_a_name_that_is_no_text_is_packed(folder, pack):
    path = folder.write("conf/base/a.yml", "a: 1\n")
    path.rename(path.with_name(os.fsdecode(b"\xff.yml")))
    assert pack()[0].files == ("base/\udcff.yml",)


def test_a_missing_or_empty_configuration_is_told(folder, pack):
    with pytest.raises(PackagingError, match=r"there is no directory .*; make it, or name"):
        pack()
    folder.write("conf/local/credentials.yml")
    with pytest.raises(PackagingError, match="holds no configuration for a run; put it into conf/base"):
        pack()
