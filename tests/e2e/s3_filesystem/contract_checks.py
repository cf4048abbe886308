"""Hadoop's FileSystem contract, checked call by call on ``s3://`` from inside a Spark driver."""

from __future__ import annotations

import hashlib
import os
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from hadoop_files import BUCKET, Files, faults, keys, raises, s3
from verdicts import run

MIB = 1024 * 1024


def check_status_tells_files_from_directories(files: Files) -> None:
    s3().put_object(Bucket=BUCKET, Key="status_tells_files_from_directories/implicit/deep/f", Body=b"1234")
    s3().put_object(Bucket=BUCKET, Key="status_tells_files_from_directories/marked/", Body=b"")
    assert [files.kind(name) for name in ("implicit", "implicit/deep", "marked", "nothing")] == [
        "dir"
    ] * 3 + ["none"]
    status = files.status("implicit/deep/f")
    assert status.isFile()
    assert status.getLen() == 4
    assert abs(status.getModificationTime() / 1000 - time.time()) < 60
    assert files.status(f"s3://{BUCKET}/").isDirectory()
    # A name that only begins like a directory is none.
    assert files.kind("impl") == "none"


def check_what_is_missing_is_named(files: Files) -> None:
    raises("FileNotFoundException", "what_is_missing_is_named/gone", lambda: files.status("gone"))
    raises("FileNotFoundException", "what_is_missing_is_named/gone", lambda: files.read("gone"))
    raises("FileNotFoundException", "what_is_missing_is_named/gone", lambda: files.names("gone"))
    raises("FileNotFoundException", "what_is_missing_is_named/gone", lambda: files.tree("gone"))
    files.mkdirs("dir")
    raises("FileNotFoundException", "is a directory", lambda: files.read("dir"))


def check_a_missing_bucket_is_named(files: Files) -> None:
    nowhere = Files(files.spark, "s3://no-such-bucket/dir")
    for call in (
        lambda: nowhere.status("f"),
        lambda: nowhere.status("s3://no-such-bucket/"),
        lambda: nowhere.names(""),
        lambda: nowhere.read("f"),
        lambda: nowhere.write("f"),
        lambda: nowhere.mkdirs("d"),
    ):
        raises("FileNotFoundException", "Bucket 'no-such-bucket' does not exist", call)
    assert not nowhere.fs.exists(nowhere.path("f"))


def check_configuration_errors_name_the_key(files: Files) -> None:
    for setting, value, text in (
        ("endpoint", "", "fs.emrkit.s3.endpoint is not set"),
        ("endpoint", "localhost:5005", "fs.emrkit.s3.endpoint: 'localhost:5005' is not a URL"),
        ("retries", "-1", "fs.emrkit.s3.retries: -1 is out of range"),
        ("multipart_size", "1M", "fs.emrkit.s3.multipart.size: 1048576 is out of range"),
        ("multipart_size", "big", "fs.emrkit.s3.multipart.size: 'big'"),
    ):
        setting = f"fs_emrkit_s3_{setting}"
        raises("IOException", text, lambda: files.with_settings(**{setting: value}))  # noqa: B023
    raises("IOException", "names no bucket", lambda: Files(files.spark, "s3:///no/bucket", x="y"))


def check_a_file_appears_when_it_is_closed(files: Files) -> None:
    out = files.create("f")
    out.write(bytearray(b"part"))
    out.hflush()
    assert files.kind("f") == "none"
    out.close()
    out.close()
    assert files.read("f") == b"part"
    raises("IOException", "the stream is closed", lambda: out.write(bytearray(b"more")))


def check_an_empty_file(files: Files) -> None:
    files.write("f", b"")
    assert files.status("f").getLen() == 0
    assert files.read("f") == b""


def check_overwrite(files: Files) -> None:
    files.write("f", b"old")
    files.write("f", b"new", overwrite=True)
    assert files.read("f") == b"new"
    raises("FileAlreadyExistsException", "exists", lambda: files.create("f", overwrite=False))
    files.mkdirs("dir")
    raises("FileAlreadyExistsException", "is a directory", lambda: files.create("dir"))
    raises("FileAlreadyExistsException", "is a directory", lambda: files.create(f"s3://{BUCKET}/"))


def check_of_two_exclusive_writers_one_wins(files: Files) -> None:
    first, second = files.create("f", overwrite=False), files.create("f", overwrite=False)
    first.write(bytearray(b"first"))
    second.write(bytearray(b"second"))
    first.close()
    raises("FileAlreadyExistsException", "created by somebody else", second.close)
    assert files.read("f") == b"first"


def check_append_is_refused(files: Files) -> None:
    files.write("f")
    raises("UnsupportedOperationException", "cannot be appended to", lambda: files.fs.append(files.path("f")))


def check_create_non_recursive(files: Files) -> None:
    raises("FileNotFoundException", "/gone", lambda: files.fs.createFile(files.path("gone/f")).build())
    files.mkdirs("dir")
    files.fs.createFile(files.path("dir/f")).build().close()
    assert files.kind("dir/f") == "file"


def check_nothing_appears_when_the_file_system_is_closed_first(files: Files) -> None:
    own = files.with_settings(fs_emrkit_s3_multipart_size="5M")
    small, large = own.create("small"), own.create("large")
    small.write(bytearray(b"half"))
    large.write(bytearray(12 * MIB))
    own.fs.close()
    raises("IOException", "was closed before the file was", small.close)
    raises("IOException", "was closed before the file was", large.close)
    assert keys("nothing_appears") == []
    assert "Uploads" not in s3().list_multipart_uploads(Bucket=BUCKET)


def check_large_files_go_in_parts(files: Files) -> None:
    own = files.with_settings(fs_emrkit_s3_multipart_size="5M", fs_emrkit_s3_part_parallelism="2")
    data = random.Random(1).randbytes(17 * MIB + 3)
    own.write("large", data)
    own.write("one-part", data[: 5 * MIB])
    head = s3().head_object(Bucket=BUCKET, Key="large_files_go_in_parts/large")
    assert head["ETag"].endswith('-4"')
    assert hashlib.md5(files.read("large")).digest() == hashlib.md5(data).digest()
    whole = s3().head_object(Bucket=BUCKET, Key="large_files_go_in_parts/one-part")
    assert "-" not in whole["ETag"]


def check_a_record_tells_of_an_upload_until_it_ends(files: Files) -> None:
    folder = Path(os.environ["TEST_DIR"], "records")
    own = files.with_settings(fs_emrkit_s3_multipart_size="5M", fs_emrkit_s3_buffer_dir=str(folder))
    for name in ("written", "given up"):
        out = own.create(name)
        out.write(bytearray(6 * MIB))
        upload = s3().list_multipart_uploads(Bucket=BUCKET)["Uploads"][0]
        (record,) = folder.iterdir()
        assert record.read_text().splitlines() == [BUCKET, upload["UploadId"], upload["Key"]]
        out.close() if name == "written" else own.fs.close()
        assert list(folder.iterdir()) == []
    assert files.names("") == ["written"]


def check_a_failed_part_fails_the_file(files: Files) -> None:
    own = files.with_settings(fs_emrkit_s3_multipart_size="5M", fs_emrkit_s3_retries="0")
    faults(kind="status", match="partNumber=2", times=9)
    out = own.create("f")
    out.write(bytearray(12 * MIB))
    raises("IOException", "Injected", out.close)
    faults()
    assert files.kind("f") == "none"
    assert "Uploads" not in s3().list_multipart_uploads(Bucket=BUCKET)


def check_temporary_files_are_unlinked(files: Files) -> None:
    folder = Path(os.environ["TEST_DIR"], "buffers")
    out = files.with_settings(fs_emrkit_s3_buffer_dir=str(folder)).create("f")
    out.write(bytearray(MIB))
    assert list(folder.iterdir()) == []
    out.close()
    assert files.status("f").getLen() == MIB


def check_rename_a_file(files: Files) -> None:
    files.write("from/f", b"data")
    assert files.rename("from/f", "to/g")
    assert files.read("to/g") == b"data"
    assert files.kind("from/f") == "none"
    # Hadoop expects a directory to stay when its last file leaves.
    assert files.kind("from") == "dir"
    assert files.rename("to/g", "to/g")


def check_rename_into_a_directory(files: Files) -> None:
    files.write("f")
    files.write("source/deep/f")
    files.mkdirs("empty")
    assert files.rename("f", "empty")
    assert files.rename("source", "empty")
    assert files.tree("empty") == ["empty/f", "empty/source/deep/f"]
    files.write("f")
    raises("FileAlreadyExistsException", "empty/f, which exists", lambda: files.rename("f", "empty"))
    assert files.kind("f") == "file"


def check_rename_a_directory(files: Files) -> None:
    for i in range(30):
        files.write(f"source/dt={i % 3}/f {i}", str(i).encode())
    files.mkdirs("source/empty")
    assert files.rename("source", "target/new")
    assert files.kind("source") == "none"
    assert files.kind("target/new/empty") == "dir"
    assert len(files.tree("target/new")) == 30
    assert files.read("target/new/dt=2/f 29") == b"29"


def check_renames_that_are_refused(files: Files) -> None:
    files.write("f", b"f")
    files.write("g", b"g")
    files.write("dir/inside")
    raises("FileNotFoundException", "/gone", lambda: files.rename("gone", "new"))
    raises("FileAlreadyExistsException", "g, which exists", lambda: files.rename("f", "g"))
    raises("FileAlreadyExistsException", "f, which exists", lambda: files.rename("dir", "f"))
    raises("ParentNotDirectoryException", "its parent is a file", lambda: files.rename("f", "g/below"))
    assert not files.rename("dir", "dir/below")
    assert not files.rename("dir", "dir")
    assert not files.rename(f"s3://{BUCKET}/", "dir")
    assert (files.read("f"), files.read("g")) == (b"f", b"g")
    assert files.tree("dir") == ["dir/inside"]


def check_a_failed_rename_leaves_the_source_alone(files: Files) -> None:
    for i in range(20):
        files.write(f"source/f{i:02}")
    faults(kind="status", status=403, method="PUT", match="target/f17", times=9)
    raises("IOException", "Injected", lambda: files.rename("source", "target"))
    faults()
    assert len(files.tree("source")) == 20
    assert files.kind("target") == "none"


def check_an_object_too_large_for_one_copy_is_copied_in_parts(files: Files) -> None:
    own = files.with_settings(fs_emrkit_s3_copy_size="5M")
    data = random.Random(6).randbytes(11 * MIB)
    own.write("source/large é", data)
    own.write("source/small")
    assert own.rename("source", "target")
    key = "an_object_too_large_for_one_copy_is_copied_in_parts/target/large é"
    assert s3().head_object(Bucket=BUCKET, Key=key)["ETag"].endswith('-3"')
    assert hashlib.md5(files.read("target/large é")).digest() == hashlib.md5(data).digest()
    faults(kind="status", status=403, method="PUT", match="partNumber=2", times=9)
    raises("IOException", "Injected", lambda: own.rename("target", "never"))
    faults()
    assert files.kind("never") == "none"
    assert len(files.tree("target")) == 2
    assert "Uploads" not in s3().list_multipart_uploads(Bucket=BUCKET)


def check_delete(files: Files) -> None:
    files.write("dir/f")
    files.write("dir/deep/f")
    raises("PathIsNotEmptyDirectoryException", "/dir", lambda: files.delete("dir", recursive=False))
    assert files.delete("dir/f", recursive=False)
    assert files.delete("dir/deep")
    assert files.kind("dir") == "dir"
    assert files.delete("dir", recursive=False)
    assert files.kind("dir") == "none"
    assert not files.delete("dir")
    files.write("dirt")
    assert not files.delete("dir")
    assert files.kind("dirt") == "file"


def check_delete_of_the_root_empties_the_bucket(files: Files) -> None:
    s3().create_bucket(Bucket="emptied")
    root = Files(files.spark, "s3://emptied")
    root.write("a/b")
    raises("PathIsNotEmptyDirectoryException", "emptied", lambda: root.delete("", recursive=False))
    assert root.delete("")
    assert root.names("") == []
    assert "emptied" in [bucket["Name"] for bucket in s3().list_buckets()["Buckets"]]


def check_mkdirs(files: Files) -> None:
    assert files.mkdirs("a/b/c")
    assert files.mkdirs("a/b/c")
    assert [files.kind(name) for name in ("a", "a/b", "a/b/c")] == ["dir"] * 3
    assert files.names("a/b/c") == []
    files.write("f")
    raises("FileAlreadyExistsException", "is a file", lambda: files.mkdirs("f"))
    raises("ParentNotDirectoryException", "mkdirs/f is a file", lambda: files.mkdirs("f/x/y"))


def check_more_keys_than_a_page(files: Files) -> None:
    client = s3()
    names = [f"{i % 100 // 99}/f{i:04}" for i in range(1100)]
    for name in names:
        client.put_object(Bucket=BUCKET, Key=f"more_keys_than_a_page/many/{name}", Body=b"")
    assert files.tree("many") == sorted(f"many/{name}" for name in names)
    assert len(files.names("many/0")) == 1089
    assert files.fs.getContentSummary(files.path("many")).getFileCount() == 1100
    assert files.rename("many", "moved")
    assert len(keys("more_keys_than_a_page/moved/")) == 1100
    assert files.delete("moved")
    # The marker that keeps the parent alive is all that is left.
    assert keys("more_keys_than_a_page/") == ["more_keys_than_a_page/"]


def check_listing(files: Files) -> None:
    files.write("a/x", b"12345")
    files.write("a/y/z")
    files.mkdirs("empty")
    assert files.names("") == ["a", "empty"]
    assert files.names("a") == ["x", "y"]
    assert files.names("a/x") == ["x"]
    assert files.names("empty") == []
    assert files.tree("empty") == []
    assert files.tree("a/x") == ["a/x"]
    assert files.tree("") == ["a/x", "a/y/z"]
    found = files.fs.globStatus(files.path("{a,b}/[xy]*"))
    assert sorted(status.getPath().getName() for status in found) == ["x", "y"]
    status = files.fs.listStatus(files.path("a/x"))[0]
    assert (status.getLen(), status.getPath().toString()) == (5, f"{files.base}/a/x")


def check_odd_names(files: Files) -> None:
    names = ["a b", "p+q", "100%", "%41", "k=v", "é€", "a:b", "x#y?z", "'\"<&>", "back\\tick`", "~t*[1]"]
    for name in names:
        path = files.jvm.org.apache.hadoop.fs.Path("s3", BUCKET, f"/odd_names/in/{name}/{name}")
        out = files.fs.create(path)
        out.write(bytearray(name.encode()))
        out.close()
    assert keys("odd_names/in/") == sorted(f"odd_names/in/{name}/{name}" for name in names)
    assert files.names("in") == sorted(names)
    files.mkdirs("into")
    for name in names:
        assert files.fs.rename(
            files.jvm.org.apache.hadoop.fs.Path("s3", BUCKET, f"/odd_names/in/{name}"), files.path("into")
        )
    assert files.rename("into", "out")
    s3().delete_object(Bucket=BUCKET, Key="odd_names/out/")
    assert keys("odd_names/out/") == sorted(f"odd_names/out/{name}/{name}" for name in names)
    assert files.read("out/é€/é€") == "é€".encode()
    assert files.delete("out")
    assert keys("odd_names/out/") == []


def check_keys_that_no_path_can_name(files: Files) -> None:
    base = "keys_that_no_path_can_name"
    for key in (f"{base}/dir//double", f"{base}/dir/x/../up", f"{base}/dir/ok", f"{base}/up"):
        s3().put_object(Bucket=BUCKET, Key=key, Body=b"")
    assert files.tree("dir") == ["dir/ok"]
    assert files.names("dir") == ["ok", "x"]
    assert files.names("dir/x") == []
    assert files.delete("dir")
    assert keys(base) == [f"{base}/up"]


def check_seek_and_read(files: Files) -> None:
    data = random.Random(2).randbytes(3 * MIB)
    files.write("f", data)
    stream = files.fs.open(files.path("f"))
    for position in (0, 3 * MIB - 1, 17, MIB - 1, MIB, 2 * MIB + 5):
        stream.seek(position)
        assert stream.getPos() == position
        assert stream.read() == data[position]
    stream.seek(3 * MIB)
    assert stream.read() == -1
    assert stream.available() == 0
    raises("EOFException", "negative", lambda: stream.seek(-1))
    raises("EOFException", "past the end of the file", lambda: stream.seek(3 * MIB + 1))
    stream.seek(5)
    assert stream.skip(10) == 10
    assert stream.read() == data[15]
    stream.close()
    stream.close()
    raises("IOException", "Stream is closed", stream.read)


def check_a_small_file_is_read_from_anywhere(files: Files) -> None:
    # It is fetched whole by the first read, wherever that begins.
    files.write("f", b"0123456789")
    stream = files.fs.open(files.path("f"))
    for position in (6, 2, 9, 0):
        stream.seek(position)
        assert stream.read() == ord(str(position))


def check_positioned_reads_leave_the_position_alone(files: Files) -> None:
    data = random.Random(3).randbytes(3 * MIB)
    files.write("f", data)
    stream = files.fs.open(files.path("f"))
    stream.seek(7)
    assert positioned(files, stream, 2 * MIB, 4) == data[2 * MIB : 2 * MIB + 4]
    assert positioned(files, stream, 0, 2 * MIB) == data[: 2 * MIB]
    assert positioned(files, stream, 3 * MIB - 4, 4) == data[-4:]
    assert stream.getPos() == 7
    raises("EOFException", "", lambda: stream.readFully(3 * MIB - 2, bytearray(4)))
    assert stream.read(3 * MIB, bytearray(4), 0, 4) == -1
    files.write("small", b"0123456789")
    assert positioned(files, files.fs.open(files.path("small")), 3, 4) == b"3456"


def positioned(files: Files, stream: Any, position: int, length: int) -> bytes:
    """``readFully`` at a position. Py4J passes byte arrays by value, so the call is made by reflection."""
    arguments = files.spark._sc._gateway.new_array(files.jvm.java.lang.Object, 2)
    arguments[0], arguments[1] = position, bytearray(length)
    files.jvm.org.apache.commons.lang3.reflect.MethodUtils.invokeMethod(stream, "readFully", arguments)
    return bytes(arguments[1])


def check_windows_of_any_size_give_the_same_bytes(files: Files) -> None:
    data = random.Random(4).randbytes(2 * MIB + 11)
    files.write("f", data)
    for readahead, most in (("1", "10000"), ("64K", "256K"), ("1M", "8M"), ("4M", "8M")):
        own = files.with_settings(fs_emrkit_s3_readahead=readahead, fs_emrkit_s3_readahead_max=most)
        assert hashlib.md5(own.read("f")).digest() == hashlib.md5(data).digest(), readahead


def check_a_replaced_file_is_noticed(files: Files) -> None:
    files.write("f", bytes(2 * MIB))
    stream = files.fs.open(files.path("f"))
    assert stream.read() == 0
    files.write("f", b"\x01" * (2 * MIB))
    stream.seek(MIB + 1)
    raises("IOException", "was replaced while it was being read", stream.read)


def check_requests_are_repeated(files: Files) -> None:
    for times, kind in ((3, "status"), (1, "lost")):
        faults(kind=kind, times=times)
        files.write("f", b"data")
        faults(kind=kind, times=times)
        assert files.read("f") == b"data"
        faults(kind=kind, times=times)
        assert files.rename("f", "g")
        faults(kind=kind, times=times)
        assert files.delete("g")
    faults()


def check_a_cut_answer_is_fetched_again(files: Files) -> None:
    data = random.Random(5).randbytes(MIB)
    files.write("f", data)
    faults(kind="cut", method="GET", times=2)
    assert files.read("f") == data
    faults()


def check_a_garbled_request_is_sent_again(files: Files) -> None:
    for code in ("BadDigest", "RequestTimeout"):
        faults(kind="status", status=400, code=code, method="PUT", times=2)
        files.write(code, b"data")
    faults(kind="status", status=400, code="InvalidArgument", method="PUT")
    raises("IOException", "400 InvalidArgument", lambda: files.write("never"))
    faults()
    assert files.names("") == ["BadDigest", "RequestTimeout"]


def check_an_exclusive_write_whose_answer_is_lost_succeeds(files: Files) -> None:
    faults(kind="lost", method="PUT", match="/small")
    files.write("small", b"data", overwrite=False)
    faults(kind="lost", method="POST", match="uploadId")
    own = files.with_settings(fs_emrkit_s3_multipart_size="5M")
    own.write("large", bytes(6 * MIB), overwrite=False)
    faults()
    assert files.read("small") == b"data"
    assert files.status("large").getLen() == 6 * MIB


def check_a_server_that_is_gone_is_named(files: Files) -> None:
    own = files.with_settings(fs_emrkit_s3_endpoint="http://127.0.0.1:9", fs_emrkit_s3_retries="1")
    raises(
        "IOException", "failed 2 times on http://127.0.0.1:9 (fs.emrkit.s3.endpoint)", lambda: own.status("f")
    )


def check_every_scheme(files: Files) -> None:
    for scheme in ("s3", "s3a", "s3n"):
        other = Files(files.spark, f"{scheme}://{BUCKET}/every_scheme")
        other.write(scheme, scheme.encode())
        assert other.fs.getScheme() == scheme
        assert other.status(scheme).getPath().toString() == f"{other.base}/{scheme}"
    assert files.names("") == ["s3", "s3a", "s3n"]
    raises("IllegalArgumentException", "Wrong FS", lambda: files.status("s3://another-bucket/f"))


def check_file_context(files: Files) -> None:
    files.mkdirs("")
    for scheme in ("s3", "s3a", "s3n"):
        context = files.jvm.org.apache.hadoop.fs.FileContext.getFileContext(
            files.jvm.java.net.URI(f"{scheme}://{BUCKET}"), files.conf
        )
        paths = [
            files.jvm.org.apache.hadoop.fs.Path(f"{scheme}://{BUCKET}/file_context/{name}") for name in "ab"
        ]
        for path in paths:
            flags = files.jvm.java.util.EnumSet.of(files.jvm.org.apache.hadoop.fs.CreateFlag.CREATE)
            options = files.spark._sc._gateway.new_array(files.jvm.org.apache.hadoop.fs.Options.CreateOpts, 0)
            context.create(path, flags, options).close()
        renames = files.spark._sc._gateway.new_array(files.jvm.org.apache.hadoop.fs.Options.Rename, 1)
        raises("FileAlreadyExistsException", "", lambda: context.rename(*paths, renames_none(files)))  # noqa: B023
        renames[0] = files.jvm.org.apache.hadoop.fs.Options.Rename.OVERWRITE
        context.rename(*paths, renames)
        assert files.names("") == ["b"]
        files.delete("b")


def renames_none(files: Files) -> object:
    return files.spark._sc._gateway.new_array(files.jvm.org.apache.hadoop.fs.Options.Rename, 0)


def check_many_threads(files: Files) -> None:
    def life(i: int) -> bytes:
        files.write(f"t/{i}/a", str(i).encode())
        files.rename(f"t/{i}/a", f"t/{i}/b")
        data = files.read(f"t/{i}/b")
        files.names("t")
        if i % 2:
            files.delete(f"t/{i}")
        return data

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(life, range(100))) == [str(i).encode() for i in range(100)]
    assert len(files.names("t")) == 50


def check_bytes_read_are_counted(files: Files) -> None:
    # Spark's task metrics come from these statistics.
    statistics = files.jvm.org.apache.hadoop.fs.FileSystem.getStatistics("s3", files.fs.getClass())
    before = statistics.getBytesRead(), statistics.getBytesWritten()
    files.write("f", bytes(1234))
    files.read("f")
    assert (statistics.getBytesRead() - before[0], statistics.getBytesWritten() - before[1]) == (1234, 1234)


if __name__ == "__main__":
    s3().create_bucket(Bucket=BUCKET)
    run(globals(), lambda spark, name: Files(spark, f"s3://{BUCKET}/{name}"))
