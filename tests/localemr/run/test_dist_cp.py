"""What s3-dist-cp is asked to do, and what it writes from which files."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.dist_cp import DistCpError, Source, parse_arguments, plan
from airflow_provider_emrkit.localemr.run.dist_cp_program import Files, run

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024
BASE = ["--src", "s3://in/logs", "--dest", "hdfs:///out"]


def planned(*args: str, files: dict[str, int]) -> dict[str, list[str]]:
    """Give the names of the written files with the names of what they are made of."""
    outputs = plan(
        parse_arguments([*BASE, *args]), [Source(f"s3://in/logs/{k}", v) for k, v in files.items()]
    )
    return {
        output.uri.removeprefix("hdfs:///out/"): [
            source.uri.removeprefix("s3://in/logs/") for source in output.sources
        ]
        for output in outputs
    }


def test_every_file_keeps_its_place():
    assert planned(files={"a.txt": 1, "x/y/b": 2}) == {"a.txt": ["a.txt"], "x/y/b": ["x/y/b"]}


def test_a_pattern_is_matched_against_the_whole_uri():
    files = {"a.txt": 1, "b.csv": 1}
    assert planned("--srcPattern", r".*\.csv", files=files) == {"b.csv": ["b.csv"]}
    assert planned("--srcPattern=csv", files=files) == {}


def test_files_of_a_group_become_one_and_others_are_left_out():
    files = {"d/2024-01-a.txt": 1, "d/2024-01-b.txt": 1, "d/2024-02-a.txt": 1, "d/other": 1}
    assert planned("--groupBy", r".*/(\d+-\d+)-.*(\.txt)", files=files) == {
        "d/2024-010.txt": ["d/2024-01-a.txt", "d/2024-01-b.txt"],
        "d/2024-02.txt": ["d/2024-02-a.txt"],
    }


def test_a_group_is_cut_where_it_has_the_size():
    files = dict.fromkeys(("1", "2", "3", "4", "5"), MIB)
    assert planned("--groupBy", ".*/(logs)/.*", "--targetSize", "2", files=files) == {
        "logs0": ["1", "2"],
        "logs1": ["3", "4"],
        "logs2": ["5"],
    }


@pytest.mark.parametrize(
    ("codec", "name"), [("keep", "a.txt"), ("none", "a"), ("gz", "a.gz"), ("GZIP", "a.gz")]
)
def test_the_codec_takes_the_place_of_the_suffix(codec, name):
    assert list(planned("--outputCodec", codec, files={"a.txt": 1})) == [name]


def test_named_groups_of_java_are_read():
    assert planned("--groupBy", r".*/(?<day>\d)(?<!x)\..*", files={"1.a": 1}) == {"1": ["1.a"]}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        pytest.param(["--dest", "x"], "--src is missing", id="no-source"),
        pytest.param(["--src", "x"], "--dest is missing", id="no-destination"),
        pytest.param([*BASE, "--outputCodec", "lzo"], "use keep, none, gz, gzip", id="codec"),
        pytest.param([*BASE, "--groupBy", "x"], "at least one group", id="no-group"),
        pytest.param([*BASE, "--groupBy", "("], "is no pattern", id="no-pattern"),
        pytest.param([*BASE, "--targetSize", "1k"], "no number of MiB", id="size"),
        pytest.param([*BASE, "--outputManifest", "x"], "--outputManifest is not possible", id="refused"),
        pytest.param([*BASE, "--srcpattern", "x"], "'--srcpattern' is not known", id="unknown"),
        pytest.param([*BASE, "more"], "'more' is not known", id="no-option"),
    ],
)
def test_what_cannot_be_done_is_named(args, message):
    with pytest.raises(DistCpError, match=message):
        parse_arguments(args)


def test_two_files_never_become_one_by_accident():
    with pytest.raises(DistCpError, match=r"hdfs:///out/a would be written twice"):
        planned("--outputCodec", "none", files={"a.x": 1, "a.y": 1})


@pytest.fixture
def s3(endpoint):
    client = aws_client("s3", endpoint, "us-east-1")
    client.create_bucket(Bucket="dist")
    yield client
    for item in client.list_objects_v2(Bucket="dist").get("Contents", []):
        client.delete_object(Bucket="dist", Key=item["Key"])


@pytest.fixture
def copy(s3, tmp_path):
    files = Files(s3, tmp_path)
    return lambda *args: run(args, files)


def keys(s3) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket="dist").get("Contents", [])]


def test_from_s3_to_hdfs_and_back(copy, s3, tmp_path: Path):
    for name, body in {"in/a b.txt": b"1", "in/x/ß#?.txt": b"22", "in/folder/": b"", "inside": b"no"}.items():
        s3.put_object(Bucket="dist", Key=name, Body=body)
    copy("--src", "s3n://dist/in/", "--dest", "hdfs://node:8020/data")
    assert (tmp_path / "hdfs/data/a b.txt").read_bytes() == b"1"
    assert (tmp_path / "hdfs/data/x/ß#?.txt").read_bytes() == b"22"
    assert len([path for path in (tmp_path / "hdfs").rglob("*") if path.is_file()]) == 2
    copy("--src", "/data", "--dest", "s3://dist/back")
    assert [key for key in keys(s3) if key.startswith("back")] == ["back/a b.txt", "back/x/ß#?.txt"]
    copy("--src", "hdfs:///data", "--dest", f"file://{tmp_path}/here")
    assert (tmp_path / "here/a b.txt").read_bytes() == b"1"


def test_within_s3_a_file_alone_keeps_its_name(copy, s3):
    s3.put_object(Bucket="dist", Key="in/a.txt", Body=b"1")
    copy("--src", "s3://dist/in/a.txt", "--dest", "s3://dist/out/", "--storageClass", "STANDARD_IA")
    assert s3.head_object(Bucket="dist", Key="out/a.txt")["StorageClass"] == "STANDARD_IA"


def test_packed_files_are_joined_unpacked_and_packed(copy, s3):
    s3.put_object(Bucket="dist", Key="in/1.gz", Body=gzip.compress(b"one\n"))
    s3.put_object(Bucket="dist", Key="in/2.gz", Body=gzip.compress(b"two\n"))
    group = ["--src", "s3://dist/in", "--groupBy", ".*/(in)/.*"]
    for codec, name in (("keep", "in0"), ("none", "in0"), ("gz", "in0.gz")):
        copy(*group, "--dest", f"s3://dist/{codec}", "--outputCodec", codec)
        body = s3.get_object(Bucket="dist", Key=f"{codec}/{name}")["Body"].read()
        assert (body if codec == "none" else gzip.decompress(body)) == b"one\ntwo\n"


def test_sources_are_deleted_when_everything_is_copied_and_not_before(copy, s3):
    for name in ("in/1.gz", "in/2.gz"):
        s3.put_object(Bucket="dist", Key=name, Body=b"not packed")
    group = ["--src", "s3://dist/in", "--dest", "s3://dist/out", "--deleteOnSuccess"]
    with pytest.raises(gzip.BadGzipFile):
        copy(*group, "--outputCodec", "none")
    assert "in/1.gz" in keys(s3)
    copy(*group)
    assert keys(s3) == ["out/1.gz", "out/2.gz"]
    copy(
        "--src",
        "s3://dist/out",
        "--dest",
        "s3://dist/out",
        "--deleteOnSuccess",
        "--storageClass",
        "STANDARD_IA",
    )
    assert keys(s3) == ["out/1.gz", "out/2.gz"]


def test_only_the_prefixes_of_a_file_are_copied(copy, s3):
    for name in ("in/a/1", "in/b/2", "in/c/3"):
        s3.put_object(Bucket="dist", Key=name, Body=b"x")
    s3.put_object(Bucket="dist", Key="prefixes", Body=b"s3://dist/in/a\ns3://dist/in/c/\n")
    copy("--src", "s3://dist/in", "--dest", "s3://dist/out", "--srcPrefixesFile", "s3://dist/prefixes")
    assert [key for key in keys(s3) if key.startswith("out")] == ["out/a/1", "out/c/3"]


@pytest.mark.parametrize(
    ("src", "message"),
    [
        ("s3://dist/none", "File does not exist: s3://dist/none"),
        ("hdfs:///none", "File does not exist: hdfs:///none"),
        ("ftp://x/y", "the scheme ftp is not known"),
        ("hdfs:///../x", "leads out"),
    ],
)
def test_a_source_that_is_not_there_is_named(copy, src, message):
    with pytest.raises(DistCpError, match=message):
        copy("--src", src, "--dest", "s3://dist/out")
