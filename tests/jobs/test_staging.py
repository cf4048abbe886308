from __future__ import annotations

import hashlib
import io
import os
import zipfile

import pytest

from airflow_provider_emrkit.jobs.spark_job import SparkJob
from airflow_provider_emrkit.jobs.staging import (
    is_local,
    local_files,
    resolve,
    staged_file,
    staged_key,
    with_uris,
    zip_directory,
)
from airflow_provider_emrkit.validation import InvalidValueError


@pytest.fixture
def package(tmp_path):
    """A Python package with things beside its code that have no business on a cluster."""
    root = tmp_path / "src" / "shop"
    for name, text in {
        "__init__.py": "",
        "sales.py": "TAX = 19",
        "sub/deep.py": "",
        "data.json": "{}",
        "__pycache__/sales.cpython-311.pyc": "junk",
        "old.pyc": "junk",
        ".git/config": "junk",
        ".hidden": "junk",
    }.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def names(content: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


@pytest.mark.parametrize("path", ["a.py", "../a.py", "/opt/a.py", "a:b.py", "./s3/a.py"])
def test_a_path_without_a_scheme_is_local(path):
    assert is_local(path)


@pytest.mark.parametrize(
    "path", ["s3://b/a.py", "s3a://b/a", "hdfs:///a", "file:///a", "local:/a.py", "https://x/a"]
)
def test_a_path_with_a_scheme_is_not(path):
    assert not is_local(path)


def test_local_files_are_named_once_in_order_and_without_fragments():
    job = SparkJob(
        "job.py",
        py_files=["lib", "s3://b/x.zip", "job.py"],
        jars=["local:/usr/a.jar"],
        files=["app.conf#a", "app.conf#b"],
        archives=["env.tgz#env"],
    )
    assert local_files(job) == ("job.py", "lib", "app.conf", "env.tgz")


def test_a_key_is_the_hash_of_the_content_and_the_name(tmp_path):
    file = tmp_path / "job.py"
    file.write_bytes(b"print()")
    digest = hashlib.sha256(b"print()").hexdigest()
    assert staged_key(str(file)) == f"{digest[:32]}/job.py"
    assert staged_file(str(file)).content is None


def test_the_key_follows_the_content_not_the_time(tmp_path):
    file = tmp_path / "job.py"
    file.write_text("1")
    before = staged_key(str(file))
    os.utime(file, (1, 1))
    assert staged_key(str(file)) == before
    file.write_text("2")
    assert staged_key(str(file)) != before


def test_a_package_is_zipped_under_its_name_and_without_what_is_not_code(package):
    assert names(zip_directory(package)) == [
        "shop/__init__.py",
        "shop/data.json",
        "shop/sales.py",
        "shop/sub/deep.py",
    ]


def test_a_folder_of_packages_is_zipped_from_its_top(package):
    assert "shop/sales.py" in names(zip_directory(package.parent))


def test_the_zip_can_be_imported_from(package, tmp_path, monkeypatch):
    archive = tmp_path / "shop.zip"
    archive.write_bytes(zip_directory(package))
    monkeypatch.syspath_prepend(str(archive))
    import shop.sales

    assert shop.sales.TAX == 19


def test_the_same_directory_gives_the_same_zip_wherever_and_whenever(package, tmp_path):
    before = staged_file(str(package))
    for file in package.rglob("*.py"):
        os.utime(file, (1_000_000_000, 1_000_000_000))
        file.chmod(0o600)
    moved = package.rename(tmp_path / "shop")
    after = staged_file(str(moved))
    assert (after.key, after.content) == (before.key, before.content)
    assert after.key.endswith("/shop.zip")


def test_the_zip_does_not_depend_on_the_version_of_zlib(package):
    entries = zipfile.ZipFile(io.BytesIO(zip_directory(package))).infolist()
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}


def test_a_changed_file_changes_the_key_of_its_directory(package):
    before = staged_key(str(package))
    (package / "sub" / "deep.py").write_text("x = 1")
    assert staged_key(str(package)) != before


def test_uris_take_the_place_of_local_paths_only():
    job = SparkJob("job.py", py_files=["lib", "s3://b/x.zip"], files=["a.conf#name"], archives=["e.tgz"])
    staged = with_uris(
        job,
        {
            "job.py": "s3://s/1/job.py",
            "lib": "s3://s/2/lib.zip",
            "a.conf": "s3://s/3/a.conf",
            "e.tgz": "s3://s/4/e.tgz",
        },
    )
    assert staged == SparkJob(
        "s3://s/1/job.py",
        py_files=["s3://s/2/lib.zip", "s3://b/x.zip"],
        files=["s3://s/3/a.conf#name"],
        archives=["s3://s/4/e.tgz"],
    )
    assert local_files(staged) == ()


def test_a_path_that_was_not_staged_is_an_error():
    with pytest.raises(KeyError, match="lib"):
        with_uris(SparkJob("job.py", py_files=["lib"]), {"job.py": "s3://s/1/job.py"})


def test_relative_paths_are_looked_up_from_the_dag_folder(package, tmp_path):
    (tmp_path / "job.py").write_text("")
    (tmp_path / "a.conf").write_text("")
    job = SparkJob("job.py", py_files=["src/shop"], files=["./src/../a.conf#x"], jars=["s3://b/a.jar"])
    resolved = resolve(job, tmp_path)
    assert resolved.entry_point == f"{tmp_path}/job.py"
    assert resolved.py_files == (str(package),)
    assert resolved.files == (f"{tmp_path}/a.conf#x",)
    assert resolved.jars == ("s3://b/a.jar",)


def test_absolute_paths_stay(tmp_path):
    file = tmp_path / "job.py"
    file.write_text("")
    assert resolve(SparkJob(str(file)), "/elsewhere").entry_point == str(file)


def test_a_link_keeps_the_name_it_was_given(tmp_path):
    (tmp_path / "v1.py").write_text("")
    (tmp_path / "job.py").symlink_to("v1.py")
    assert resolve(SparkJob("job.py"), tmp_path).entry_point == f"{tmp_path}/job.py"


def test_a_missing_file_is_named_with_its_field_and_the_folder(tmp_path):
    with pytest.raises(InvalidValueError) as caught:
        resolve(SparkJob("jobs/nope.py"), tmp_path)
    assert str(caught.value).startswith(
        f"SparkJob.entry_point: 'jobs/nope.py' is not in {tmp_path}; correct the path"
    )


def test_only_py_files_takes_directories(package, tmp_path):
    (tmp_path / "job.py").write_text("")
    with pytest.raises(InvalidValueError, match=r"SparkJob.files: 'src' is a directory; give a file"):
        resolve(SparkJob("job.py", files=["src"]), tmp_path)


@pytest.mark.parametrize("name", ["my job.py", "a%20b.py", "a?b.py", "a#b.py"])
def test_a_name_that_is_no_part_of_a_uri_is_refused(tmp_path, name):
    (tmp_path / name).write_text("")
    with pytest.raises(
        InvalidValueError, match="has a name that Spark can't take as part of a URI; rename the file"
    ):
        resolve(SparkJob(name), tmp_path)
