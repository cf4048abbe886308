from __future__ import annotations

import itertools
import json
import random
import time
from pathlib import Path

import botocore
import pytest

from airflow_provider_emrkit.jobs.image_reference import MAX_NAME, EcrRegistry, ImageReference
from airflow_provider_emrkit.validation import InvalidValueError

ACCOUNT = "123456789012"
SHA256 = "sha256:" + "f" * 64
SHA512 = "sha512:" + "f" * 128


def parsed(text):
    found = ImageReference.parse(text)
    return found.registry, found.repository, found.tag, found.digest


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        # Docker Hub: no host, hence no registry.
        ("python", "", "python", "", ""),
        ("python:3.11", "", "python", "3.11", ""),
        ("user/etl", "", "user/etl", "", ""),
        ("user/team/etl:1", "", "user/team/etl", "1", ""),
        ("under_score", "", "under_score", "", ""),
        ("a__b/c--d", "", "a__b/c--d", "", ""),
        ("lower:Upper", "", "lower", "Upper", ""),
        # What looks like a host, but is no first part of anything.
        ("example.com:tag", "", "example.com", "tag", ""),
        ("example.com:5000", "", "example.com", "5000", ""),
        ("192.168.1.1:5000", "", "192.168.1.1", "5000", ""),
        ("localhost", "", "localhost", "", ""),
        # Hosts.
        ("docker.io/library/python:3.11", "docker.io", "library/python", "3.11", ""),
        ("example.com/repo:tag", "example.com", "repo", "tag", ""),
        ("sub-dom1.foo.com/bar/baz/quux", "sub-dom1.foo.com", "bar/baz/quux", "", ""),
        (
            "b.gcr.io/test.example.com/app:test.example.com",
            "b.gcr.io",
            "test.example.com/app",
            "test.example.com",
            "",
        ),
        ("xn--n3h.com/image:xn--n3h.com", "xn--n3h.com", "image", "xn--n3h.com", ""),
        ("192.168.1.1/repo", "192.168.1.1", "repo", "", ""),
        ("localhost/etl", "localhost", "etl", "", ""),
        ("localhost:5000/etl:1", "localhost:5000", "etl", "1", ""),
        ("test:5000/repo", "test:5000", "repo", "", ""),
        ("192.168.1.1:5000/repo:5050", "192.168.1.1:5000", "repo", "5050", ""),
        ("REGISTRY.example.com/etl", "REGISTRY.example.com", "etl", "", ""),
        ("[2001:db8::1]/repo", "[2001:db8::1]", "repo", "", ""),
        ("[2001:db8::1]:5000/repo:tag", "[2001:db8::1]:5000", "repo", "tag", ""),
        ("[::1]:5000/repo", "[::1]:5000", "repo", "", ""),
        # Digests.
        (f"repo@{SHA256}", "", "repo", "", SHA256),
        (f"test:5000/repo:tag@{SHA256}", "test:5000", "repo", "tag", SHA256),
        (f"xn--7o8h.com/image:v1@{SHA512}", "xn--7o8h.com", "image", "v1", SHA512),
        # Length.
        ("a/" * 122 + "a:a-tag-does-not-count", "", "a/" * 122 + "a", "a-tag-does-not-count", ""),
        ("etl:" + "x" * 128, "", "etl", "x" * 128, ""),
    ],
)
def test_what_docker_reads(text, registry, repository, tag, digest):
    assert parsed(text) == (registry, repository, tag, digest)
    assert str(ImageReference.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "/",
        "etl ",
        " etl",
        "etl\n",
        ":justtag",
        f"@{SHA256}",
        "etl:",
        "etl@",
        "etl:-tag",
        "etl:.tag",
        "etl:tag:tag",
        "etl:" + "x" * 129,
        "repo@sha256:ffffffffffffffffffffffffffffffffff",
        "repo@sha256:" + "F" * 64,
        "repo@sha256:" + "f" * 65,
        "repo@invaliddigest:" + "f" * 64,
        f"repo@{SHA256}:tag",
        "Uppercase:tag",
        "test:5000/Uppercase/lowercase:tag",
        "user/Etl",
        "Registry/etl",
        "A/b/c:1",
        "aa/asdf$$^/aa",
        "-etl",
        "etl-",
        ".etl",
        "a..b",
        "a___b",
        "a_.b",
        "a//b",
        "/a",
        "a/",
        "-host.com/etl",
        "host-.com/etl",
        "host..com/etl",
        "host:port/etl",
        "[2001:db8::1]",
        "[2001:db8::1]:5000",
        "[fe80::1%eth0]:5000/repo",
        "[2001:db8::1/repo",
        "https://example.com/etl:1",
        "docker://etl",
        "étl",
        "etl:täg",
        "a" * 64,
        "٣etl",
        "etl:1,other:1",
        "etl;rm -rf /",
        "etl\x00",
    ],
)
def test_what_docker_does_not_read(text):
    with pytest.raises(InvalidValueError, match="is no name of an image"):
        ImageReference.parse(text)


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("example.com/", "example.com/"),
        ("user/", "docker.io/user/"),
        ("", "docker.io/library/"),
    ],
)
def test_a_name_of_255_characters_is_the_longest(name, whole):
    text = name + "a" * (MAX_NAME - len(whole))
    assert ImageReference.parse(f"{text}:tag").name == text
    with pytest.raises(InvalidValueError, match="is too long; shorten it to 255"):
        ImageReference.parse(f"{text}a:tag")


def test_the_scheme_of_an_address_is_told():
    with pytest.raises(InvalidValueError, match="without the scheme"):
        ImageReference.parse(f"https://{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/etl:1")


def test_names_made_of_the_grammar_are_taken_apart_into_what_they_were_made_of():
    registries = ("", "localhost", "localhost:1", "a.b", "a-1.b:65535", "10.0.0.1:80", "[::1]", "X.1")
    repositories = ("a", "0", "a.b", "a_b", "a__b", "a---b", "a/b", "ab/c_d/e-f.g", "a" * 100)
    tags = ("", "1", "_x", "A.b-c", "x" * 128)
    digests = ("", SHA256, SHA512, "sha384:" + "0" * 96)
    for parts in itertools.product(registries, repositories, tags, digests):
        reference = ImageReference(*parts)
        assert ImageReference.parse(str(reference)) == reference


def test_no_text_is_read_as_anything_but_itself():
    random.seed(7)
    read = 0
    for _ in range(20_000):
        text = "".join(random.choices("ab0.:/@-_[]A \n", k=random.randint(1, 9)))
        try:
            reference = ImageReference.parse(text)
        except InvalidValueError:
            continue
        read += 1
        assert str(reference) == text
        assert reference.is_trusted_by([reference.trusted_as])
        assert not reference.repository.startswith("/")
    assert read > 500


@pytest.mark.parametrize(
    "text",
    ["a" * 200_000, "a-" * 100_000, "a." * 100_000, "a/" * 100_000, "a_" * 300 + "!", "a-" * 320 + "!"],
)
def test_hostile_names_cost_no_time(text):
    start = time.perf_counter()
    with pytest.raises(InvalidValueError):
        ImageReference.parse(text)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com", "us-east-1"),
        (f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        (f"{ACCOUNT}.dkr.ecr.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        (f"{ACCOUNT}.dkr.ecr-fips.us-east-2.amazonaws.com", "us-east-2"),
        (f"{ACCOUNT}.dkr-ecr.eu-west-1.on.aws", "eu-west-1"),
        (f"{ACCOUNT}.dkr-ecr-fips.us-east-1.on.aws", "us-east-1"),
        (f"{ACCOUNT}.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "cn-north-1"),
    ],
)
def test_registries_of_ecr(host, region):
    assert ImageReference.parse(f"{host}/team/etl:1.4").ecr == EcrRegistry(ACCOUNT, region)


def test_ecr_is_known_in_every_partition_of_aws():
    partitions = json.loads((Path(botocore.__file__).parent / "data" / "partitions.json").read_text())
    suffixes = {partition["outputs"]["dnsSuffix"] for partition in partitions["partitions"]}
    hosts = [f"{ACCOUNT}.dkr.ecr.a-region-1.{suffix}" for suffix in suffixes]
    assert [host for host in hosts if EcrRegistry.of(host) is None] == []


@pytest.mark.parametrize(
    "text",
    [
        "etl",
        "user/etl",
        "public.ecr.aws/amazonlinux/amazonlinux:2023",
        "1234.dkr.ecr.us-east-1.amazonaws.com/etl",
        f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com.example.com/etl",
        f"x{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/etl",
        f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com:443/etl",
        "docker.io/user/etl",
    ],
)
def test_what_is_no_private_registry_of_ecr(text):
    assert ImageReference.parse(text).ecr is None


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("python:3.11", "library"),
        ("library/python", "library"),
        ("user/etl", "user"),
        ("docker.io/user/etl", "docker.io"),
        ("localhost:5000/etl", "localhost:5000"),
        (
            f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/team/etl:1",
            f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com",
        ),
    ],
)
def test_what_has_to_be_listed_for_an_image(text, entry):
    assert ImageReference.parse(text).trusted_as == entry
    assert ImageReference.parse(text).is_trusted_by([entry])
    assert ImageReference.parse(text).is_trusted_by(["centos", f"{entry}/"])


@pytest.mark.parametrize(
    ("text", "entries", "trusted"),
    [
        ("example.com/team/etl", ["example.com/team"], True),
        ("example.com/team/etl", ["example.com/team/"], True),
        ("example.com/team2/etl", ["example.com/team"], False),
        ("example.com/etl:1", ["example.com/etl"], False),
        ("example.com.evil.org/etl", ["example.com"], False),
        ("example.com:5000/etl", ["example.com"], False),
        ("Example.com/etl", ["example.com"], False),
        ("docker.io/user/etl", ["user"], False),
        ("example.com/etl", ["library"], False),
        ("user/etl", ["library"], False),
        ("python", ["python"], False),
        ("etl", ["", "/"], False),
        ("etl", [], False),
    ],
)
def test_trust_is_the_beginning_of_a_name_up_to_a_slash(text, entries, trusted):
    assert ImageReference.parse(text).is_trusted_by(entries) is trusted
