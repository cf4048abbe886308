from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise

import pytest

from airflow_provider_emrkit import (
    BootstrapAction,
    ClusterPool,
    ClusterSize,
    ClusterSpec,
    DockerOnYarn,
    EbsVolumes,
    InstanceRole,
    ManagedScaling,
)
from airflow_provider_emrkit.compute.pools_file import UnknownPoolError, load_pools
from airflow_provider_emrkit.validation import InvalidValueError

FILE = """\
sizes:
  wide:
    primary: {types: [m5.xlarge]}
    core: {types: [r5.2xlarge], count: 2, ebs: {size_gib: 100}}
    task:
      types: [r5.2xlarge, r5a.2xlarge]
      count: 12
      market: spot

pools:
  medium:
    max_clusters: 4
    steps_per_cluster: 3
    wait_timeout: 7200
    owner: data-platform@example.com
    spec: &etl
      release_label: emr-7.11.0
      size: medium
      applications: [Spark, Hive]
      configurations:
        spark-defaults:
          spark.executor.cores: 4
      bootstrap_actions:
        - {path: "s3://my-bucket/install.sh", args: [numpy]}
      tags: {cost-centre: "4711"}

  wide.one:
    max_clusters: 2
    selection: most_memory
    team: forecasting
    lease_uri: s3://leases/{{ var.value.environment }}
    spec:
      <<: *etl
      size: wide
      managed_scaling: {minimum: 2, maximum: 20}

  own:
    max_clusters: 1
    spec:
      release_label: emr-7.11.0
      size: {primary: {types: [m5.xlarge]}, core: {types: [m5.xlarge]}}
      task: {types: [m5.2xlarge], count: 3}
"""
ETL = ClusterSpec(
    "emr-7.11.0",
    size="medium",
    applications=["Spark", "Hive"],
    configurations={"spark-defaults": {"spark.executor.cores": "4"}},
    bootstrap_actions=[BootstrapAction("s3://my-bucket/install.sh", ["numpy"])],
    tags={"cost-centre": "4711"},
)
ONE = InstanceRole(["m5.xlarge"])


@pytest.fixture
def load(tmp_path):
    def load(content: str | bytes = FILE, old: str = "", new: str = ""):
        assert old in FILE
        file = tmp_path / "pools.yaml"
        content = content.replace(old, new, 1) if old else content
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_pools(file)

    return load


@pytest.fixture
def refused(tmp_path, load):
    def refused(message: str, *args: str | bytes) -> None:
        with pytest.raises(InvalidValueError) as caught:
            load(*args)
        path = tmp_path / "pools.yaml"
        assert str(caught.value).startswith(message.replace("FILE", str(path))), str(caught.value)

    return refused


def test_a_file_holds_pools_as_they_are_in_code(load):
    pools = load()
    wide = ClusterSize(
        ONE,
        InstanceRole(["r5.2xlarge"], count=2, ebs=EbsVolumes(100)),
        InstanceRole(["r5.2xlarge", "r5a.2xlarge"], count=12, market="spot"),
    )
    assert pools == {
        "medium": ClusterPool(
            "medium",
            ETL,
            max_clusters=4,
            steps_per_cluster=3,
            wait_timeout=7200,
            owner="data-platform@example.com",
        ),
        "wide.one": ClusterPool(
            "wide.one",
            ClusterSpec(
                **{**vars(ETL), "size": wide, "managed_scaling": ManagedScaling(minimum=2, maximum=20)}
            ),
            max_clusters=2,
            selection="most_memory",
            team="forecasting",
            lease_uri="s3://leases/{{ var.value.environment }}",
        ),
        "own": ClusterPool(
            "own",
            ClusterSpec("emr-7.11.0", size=ClusterSize(ONE, ONE), task=InstanceRole(["m5.2xlarge"], count=3)),
            max_clusters=1,
        ),
    }


def test_a_pool_that_is_not_there_is_an_error_that_names_those_that_are(load, tmp_path):
    pools = load()
    with pytest.raises(UnknownPoolError) as caught:
        pools["medum"]
    message = f"{tmp_path / 'pools.yaml'}.pools: 'medum' is not known; use one of medium, own, wide.one"
    assert str(caught.value) == message
    assert isinstance(caught.value, KeyError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == message


def test_pools_can_be_asked_for_as_of_any_mapping(load):
    pools = load()
    assert isinstance(pools, Mapping)
    assert pools.get("medum") is None
    assert "medum" not in pools
    assert list(pools) == ["medium", "wide.one", "own"]


def test_a_file_may_hold_no_pools(load):
    with pytest.raises(UnknownPoolError, match="'medium' is not known; it holds no pools"):
        load("pools: {}")["medium"]


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_airflow_can_copy_and_pickle_them(load, clone):
    pools = load()
    assert clone(pools) == pools
    with pytest.raises(UnknownPoolError, match=r"pools.yaml.pools: 'medum'"):
        clone(pools)["medum"]


def test_a_size_of_the_file_may_take_the_place_of_one_of_the_package(load):
    assert load(
        FILE,
        "  wide:",
        "  medium:\n    primary: {types: [c5.xlarge]}\n    core: {types: [c5.xlarge]}\n  wide:",
    )["medium"].spec.roles.primary.types == ("c5.xlarge",)


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        ("size: medium", "size: '{{ params.size }}'", {"size": "{{ params.size }}"}),
        ("emr-7.11.0", "'{{ params.release }}'", {"release_label": "{{ params.release }}"}),
    ],
)
def test_a_template_is_kept_for_the_task_to_render(load, old, new, fields):
    assert load(FILE, old, new)["medium"].spec == ClusterSpec(**{**vars(ETL), **fields})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            "size: medium",
            "size: hige",
            "FILE, line 18: pools.medium.spec.size: 'hige' is not known; use one of tiny, small, medium, "
            "large, xlarge, wide",
            id="size",
        ),
        pytest.param(
            "max_clusters: 4",
            "max_clutsers: 4",
            "FILE, line 12: pools.medium: 'max_clutsers' is not known; use one of spec, max_clusters, ",
            id="field of a pool",
        ),
        pytest.param(
            "    max_clusters: 4\n",
            "",
            "FILE, line 11: pools.medium: 'max_clusters' is missing; add it",
            id="bound",
        ),
        pytest.param(
            "max_clusters: 4",
            "max_clusters: '4'",
            "FILE, line 12: pools.medium.max_clusters: '4' is of type",
            id="text",
        ),
        pytest.param(
            "max_clusters: 4",
            "max_clusters: 4\n    min_clusters: 5",
            "FILE, line 12: pools.medium.max_clusters: 4 is less than min_clusters, 5",
            id="bounds",
        ),
        pytest.param(
            "wait_timeout: 7200",
            "wait_timeout: .inf",
            "FILE, line 14: pools.medium.wait_timeout: inf is out",
            id="wait",
        ),
        pytest.param(
            "team: forecasting",
            "name: wide",
            "FILE, line 30: pools.wide.one: 'name' is not known; use one of spec, max_clusters",
            id="name, which the pool has already",
        ),
        pytest.param(
            "  medium:\n", "  my pool:\n", "FILE, line 11: pools.my pool.name: 'my pool' is not w", id="name"
        ),
        pytest.param(
            "  medium:\n", "  12:\n", "FILE, line 11.pools: 12 is of type int; put the name in", id="number"
        ),
        pytest.param(
            "team: forecasting",
            "team: a/b",
            "FILE, line 30: pools.wide.one.team: 'a/b' is not well formed",
            id="team",
        ),
        pytest.param(
            "selection: most_memory",
            "selection: most_memry",
            "FILE, line 29: pools.wide.one.selection: 'most_memry' is not known; use one of fewest_steps, ",
            id="selection",
        ),
        pytest.param(
            "  size: medium",
            "  size: medium\n      step_concurrency: 9",
            "FILE, line 19: pools.medium.spec.step_concurrency: 9 is not the pool's",
            id="spec that is no pool's",
        ),
        pytest.param(
            "{minimum: 2, maximum: 20}",
            "{minimum: 2, maxmum: 20}",
            "FILE, line 35: pools.wide.one.spec.managed_scaling: 'maxmum' is not known; use one of minimum, ",
            id="managed scaling",
        ),
        pytest.param(
            "count: 12",
            "cuont: 12",
            "FILE, line 7: sizes.wide.task: 'cuont' is not known; use one of types",
            id="role",
        ),
        pytest.param(
            "size_gib: 100",
            "size_gib: 0",
            "FILE, line 4: sizes.wide.core.ebs.size_gib: 0 is out of bounds",
            id="disk",
        ),
        pytest.param(
            "{types: [m5.2xlarge], count: 3}",
            "{types: [m5], count: 3}",
            "FILE, line 42: pools.own.spec.task.types[0]: 'm5' is not well formed",
            id="role of a spec",
        ),
        pytest.param(
            "{primary: {types: [m5.xlarge]}, core: {types: [m5.xlarge]}}",
            "7",
            "FILE, line 41: pools.own.spec.size: 7 is of type int; write an object",
            id="size that is none",
        ),
        pytest.param(
            "s3://my-bucket/install.sh",
            "install.sh",
            "FILE, line 24: pools.medium.spec.bootstrap_actions[0].path: 'install.sh' is not well formed",
            id="bootstrap action",
        ),
        pytest.param(
            '{path: "s3://my-bucket/install.sh", args: [numpy]}',
            "s3://my-bucket/install.sh",
            "FILE, line 24: pools.medium.spec.bootstrap_actions[0]: 's3://my-bucket/install.sh' is of",
            id="bootstrap action without fields",
        ),
        pytest.param(
            '"4711"',
            "4711",
            "FILE, line 25: pools.medium.spec.tags['cost-centre']: 4711 is of type int",
            id="tag",
        ),
        pytest.param(
            "cost-centre",
            "aws:x",
            "FILE, line 25: pools.medium.spec.tags key: 'aws:x' is reserved",
            id="key of a tag",
        ),
        pytest.param(
            "spark.executor.cores: 4",
            "spark.executor.cores: [4]",
            "FILE, line 20: pools.medium.spec.configurations[0] (spark-defaults)['spark.executor.cores']",
            id="configuration",
        ),
        pytest.param(
            "\npools:",
            "\npool:",
            "FILE, line 10.the file: 'pool' is not known; use one of pools, s",
            id="section",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line_its_place_and_the_mend(refused, old, new, message):
    refused(message, FILE, old, new)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "FILE.the file: None is of type NoneType; write an object"),
        ("[1]", "FILE.the file: [1] is of type list"),
        ("sizes: {}", "FILE.the file: 'pools' is missing; add it"),
        ("pools:", "FILE, line 1.pools: None is of type NoneType"),
        ("\npools: {a: 3}", "FILE, line 2: pools.a: 3 is of type int"),
        ("pools: {a: {spec: {}, max_clusters: 1}}", "FILE, line 1: pools.a.spec: 'release_label' is missing"),
    ],
)
def test_a_file_of_another_shape(refused, content, message):
    refused(message, content)


@pytest.mark.parametrize(
    ("old", "new", "key", "lines"),
    [
        ("  own:", "  medium:", "pools.medium", "11 and 37"),
        ("max_clusters: 4", "max_clusters: 4\n    max_clusters: 5", "pools.medium.max_clusters", "12 and 13"),
        ("size_gib: 100", "size_gib: 100, size_gib: 100", "sizes.wide.core.ebs.size_gib", "4 and 4"),
    ],
)
def test_a_key_that_is_there_twice_is_an_error(refused, tmp_path, old, new, key, lines):
    refused(
        f"load_pools.path: {str(tmp_path / 'pools.yaml')!r} has {key} twice, on lines {lines}; keep one",
        FILE,
        old,
        new,
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("pools: [", "is not YAML: "),
        ("pools: {a: *b}", "is not YAML: found undefined alias"),
        ("pools: {}\n---\npools: {}", "is not YAML: "),
        ("pools: {2024-13-41: {}}", "is not YAML: month must be in 1..12"),
        ("pools: {[1]: 2}", "is not YAML: found unhashable key (line 1, column 9)"),
        ("pools: \x07", "is not YAML: unacceptable character"),
        (b"pools: \xff\xfe", "is not YAML: unacceptable character"),
        ("pools: &a {b: *a}", "is not YAML: it holds itself"),
        ("[" * 200_000, "nests too deeply"),
        ("pools: !!python/object/apply:os.system [exit]", "is not YAML: could not determine a constructor"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_and_nothing_of_it_evaluated(refused, tmp_path, content, problem):
    refused(f"load_pools.path: {str(tmp_path / 'pools.yaml')!r} {problem}", content)


def test_a_small_file_that_would_fill_all_memory_is_refused(refused, tmp_path):
    names = "abcdefgh"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise(names)]
    problem = "holds more than 50,000 values, with its aliases; make it smaller"
    refused(f"load_pools.path: {str(tmp_path / 'pools.yaml')!r} {problem}", "\n".join(lines))


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_pools(tmp_path / "none.yaml")


def test_errors_are_the_same_without_the_fast_loader(refused, monkeypatch):
    import yaml

    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    refused("FILE, line 18: pools.medium.spec.size: 'hige' is not known", FILE, "size: medium", "size: hige")


def test_reading_a_file_imports_neither_airflow_nor_aws(load, tmp_path):
    load()
    code = (
        "import sys; from airflow_provider_emrkit import load_pools;"
        f"load_pools({str(tmp_path / 'pools.yaml')!r});"
        "print({'airflow', 'boto3', 'botocore', 'jinja2'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


IMAGES = """\
pools:
  images:
    max_clusters: 1
    spec:
      release_label: emr-6.15.0
      docker: DOCKER
"""


@pytest.mark.parametrize(
    ("text", "docker"),
    [
        (
            "{trusted_registries: [user, '{{ var.value.registry }}']}",
            DockerOnYarn(["user", "{{ var.value.registry }}"]),
        ),
        ("{}", DockerOnYarn()),
        ("false", False),
        ("null", None),
    ],
)
def test_a_file_says_whose_images_a_pool_runs(load, text, docker):
    assert load(IMAGES.replace("DOCKER", text))["images"].spec.docker == docker


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("true", "FILE, line 6: pools.images.spec.docker: True would trust the registry of the job"),
        ("user", "FILE, line 6: pools.images.spec.docker: 'user' is of type str; write an object"),
        (
            "{registries: [user]}",
            "FILE, line 6: pools.images.spec.docker: 'registries' is not known; use one of tru",
        ),
        (
            "{trusted_registries: ['user/etl:1']}",
            "FILE, line 6: pools.images.spec.docker.trusted_registries[0]: 'user/etl:1' is the name",
        ),
    ],
)
def test_what_a_file_can_not_say_of_images(refused, text, message):
    refused(message, IMAGES.replace("DOCKER", text))
