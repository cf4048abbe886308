"""What Spark receives on EMR Serverless is what the author wrote: read by three readers that know no other.

One is the local EMR's, one is bash, and one knows quotes and nothing else, neither backslashes nor ``$``.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess

import pytest

from airflow_provider_emrkit.jobs.docker_image import DockerImage
from airflow_provider_emrkit.jobs.serverless_submit import (
    MAX_PARAMETERS,
    characters,
    job_driver,
    serverless_conf,
    spark_submit_parameters,
    unused_options,
)
from airflow_provider_emrkit.jobs.spark_job import SparkJob
from airflow_provider_emrkit.localemr.spark.serverless import split_parameters
from airflow_provider_emrkit.validation import InvalidValueError

# What breaks where somebody quotes, splits or decodes on the way.
NASTY = {
    "empty": "",
    "a space": " ",
    "spaces": "  a  b ",
    "double quotes": '"a" "b',
    "single quotes": "it's 'quoted",
    "both quotes": "'\"'\"'",
    "quotes at the ends": "'a\"",
    "dollars": "$HOME ${x} $(date) `date` $$ $",
    "newlines": "a\nb\r\nc\td\n",
    "only a newline": "\n",
    "backslashes": "\\n \\ \\\\",
    "a backslash at the end": "a\\",
    "a backslash before a quote": "\\' \\\"",
    "shell": "a; b && c | d > e < f & # g",
    "a comment": "#a",
    "globs": "* ? [a] {b,c} ~ !x !!",
    "equals": "=a==b=",
    "commas": ",a,,b,",
    "unicode": "Zürich 日本 😀 \u2028 \u00a0 \u200b",
    "flags": "--conf",
    "a flag with a value": "--conf spark.master=local",
    "json": '{"a": ["b c", "d\\"e"]}',
    "java options": '-Da="x y" -XX:OnOutOfMemoryError=\'kill -9 %p\'',
    "100 KB": "x" * 100_000,
    "100 KB of all": ("x \" $y `z` \\ #" * 8_000)[:100_000],
}  # fmt: skip
nasty = pytest.mark.parametrize("text", list(NASTY.values()), ids=list(NASTY))

# One text after another, NUL between them: each is read as a command's words are, and told with their number.
BASH = """
while IFS= read -r -d '' text; do
  eval "set -- $text"
  printf '%s\\0' "$#" "$@"
done
"""


def read_by_bash(*texts):
    """Give the words of each text."""
    given = "".join(f"{text}\0" for text in texts).encode()
    environment = {"LC_ALL": "C.UTF-8", "HOME": "/nowhere", "x": "wrong", "PATH": "/nowhere"}
    command = [shutil.which("bash"), "-c", BASH]
    done = subprocess.run(command, input=given, capture_output=True, check=True, env=environment)
    assert done.stderr == b""
    told, found = done.stdout.decode().split("\0")[:-1], []
    while told:
        count = int(told.pop(0))
        found.append(told[:count])
        del told[:count]
    return found


def read_by_quotes(text):
    """Read words as somebody who only knows the two sorts of quotes."""
    words, word, quote = [], None, ""
    for character in text:
        if quote:
            quote, word = ("", word) if character == quote else (quote, word + character)
        elif character in "'\"":
            quote, word = character, word or ""
        elif character == " ":
            words, word = (words if word is None else [*words, word]), None
        else:
            word = (word or "") + character
    assert quote == ""
    return words if word is None else [*words, word]


READERS = {
    "localemr": split_parameters,
    "bash": lambda text: read_by_bash(text)[0],
    "quotes": read_by_quotes,
}
readers = pytest.mark.parametrize("read", list(READERS.values()), ids=list(READERS))


def conf_of(words):
    """Give the properties that spark-submit takes from its arguments."""
    pairs = [words[place + 1] for place, word in enumerate(words) if place % 2 == 0 and word == "--conf"]
    return dict(pair.split("=", 1) for pair in pairs)


@readers
@nasty
def test_a_property_arrives_as_it_was_written(text, read):
    job = SparkJob("s3://c/a.py", conf={"spark.x": text, "spark.y": "after"})
    assert read(spark_submit_parameters(job)) == ["--conf", f"spark.x={text}", "--conf", "spark.y=after"]


@readers
@nasty
def test_a_variable_arrives_as_it_was_written(text, read):
    text = text[:40_000]  # it is there twice
    conf = conf_of(read(spark_submit_parameters(SparkJob("s3://c/a.py", env={"X": text}))))
    assert conf == {"spark.emr-serverless.driverEnv.X": text, "spark.executorEnv.X": text}


@readers
@nasty
def test_a_name_and_paths_arrive_as_they_were_written(text, read):
    path = f"s3://c/{text.replace(',', '')}.zip"
    name = text if text.strip() else "x"
    job = SparkJob("s3://c/a.py", name=name, py_files=[path, path], archives=[f"{path}#e"])
    words = ["--name", name, "--py-files", f"{path},{path}", "--archives", f"{path}#e"]
    assert read(spark_submit_parameters(job)) == words


@nasty
def test_an_argument_is_no_part_of_them(text):
    driver = job_driver(SparkJob("s3://c/a.py", args=["before", text, "after"]))["sparkSubmit"]
    assert driver == {"entryPoint": "s3://c/a.py", "entryPointArguments": ["before", text, "after"]}


def generated(seed, count=60):
    """Give texts of pieces that mean something to somebody who reads words."""
    chosen = random.Random(seed)
    pieces = [
        *" \t\n\r'\"\\$`#=,;&|<>(){}[]*?!~^%@:-",
        "$(x)",
        "${x}",
        "'\"",
        "\"'",
        "\\'",
        '\\"',
        "--conf",
        "é",
        "😀",
        "a",
        "0",
    ]
    return ["".join(chosen.choices(pieces, k=chosen.randint(0, 12))) for _ in range(count)]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_whatever_an_author_writes_all_readers_read_the_same(seed):
    texts = generated(seed)
    conf = {f"spark.p{place}": text for place, text in enumerate(texts)}
    job = SparkJob("s3://c/a.py", name="a b", conf=conf, env={"X": texts[0], "Y": texts[1]})
    parameters = spark_submit_parameters(job)
    words = split_parameters(parameters)
    assert words == read_by_bash(parameters)[0] == read_by_quotes(parameters)
    assert conf_of(words) == serverless_conf(job)
    assert {key: serverless_conf(job)[key] for key in conf} == conf


def test_a_wrong_quoting_would_be_seen():
    """The readers don't read alike what is quoted otherwise."""
    assert read_by_bash('--conf "spark.x=$x"')[0] != split_parameters('--conf "spark.x=$x"')
    assert read_by_quotes("--conf spark.x=a\\ b") != split_parameters("--conf spark.x=a\\ b")


def test_every_option_in_its_place():
    job = SparkJob(
        "s3://code/a.jar",
        args=["x"],
        main_class="com.example.A",
        conf={"spark.b": 2, "spark.a": True},
        py_files=["s3://c/1.py", "s3://c/2.zip"],
        jars=["s3://c/1.jar", "s3://c/2.jar"],
        files=["s3://c/f#g"],
        archives=["s3://c/e.tgz#environment", "s3://c/h.zip"],
        packages=["a:b:1", "c:d:2"],
        env={"PYSPARK_PYTHON": "./environment/bin/python"},
        name="own",
    )
    assert split_parameters(spark_submit_parameters(job, name="the run's")) == [
        *("--name", "own", "--class", "com.example.A"),
        *("--conf", "spark.b=2", "--conf", "spark.a=true"),
        *("--conf", "spark.emr-serverless.driverEnv.PYSPARK_PYTHON=./environment/bin/python"),
        *("--conf", "spark.executorEnv.PYSPARK_PYTHON=./environment/bin/python"),
        *("--py-files", "s3://c/1.py,s3://c/2.zip"),
        *("--jars", "s3://c/1.jar,s3://c/2.jar"),
        *("--files", "s3://c/f#g"),
        *("--archives", "s3://c/e.tgz#environment,s3://c/h.zip"),
        *("--packages", "a:b:1,c:d:2"),
    ]


def test_the_application_is_called_after_its_run_where_the_job_has_no_name():
    assert spark_submit_parameters(SparkJob("s3://c/a.py"), "sales.load") == "--name sales.load"


def test_a_job_without_options_has_no_parameters():
    assert job_driver(SparkJob("s3://c/a.py")) == {"sparkSubmit": {"entryPoint": "s3://c/a.py"}}


def test_properties_can_be_left_out():
    job = SparkJob("s3://c/a.py", conf={"spark.a": 1, "spark.b": 2})
    assert spark_submit_parameters(job, conf={"spark.b": "2"}) == "--conf spark.b=2"
    assert spark_submit_parameters(job, conf={}) == ""


def test_too_many_arguments():
    assert (
        len(job_driver(SparkJob("s3://c/a.py", args=["x"] * 1024))["sparkSubmit"]["entryPointArguments"])
        == 1024
    )
    with pytest.raises(InvalidValueError, match="1025 arguments are more than the 1,024 that"):
        job_driver(SparkJob("s3://c/a.py", args=["x"] * 1025))


def test_too_long_options():
    fits = MAX_PARAMETERS - len("--conf spark.a=")
    job_driver(SparkJob("s3://c/a.py", conf={"spark.a": "x" * fits}))
    message = re.escape("SparkJob.conf: 102401 characters of options are more than the 102,400 that EMR")
    with pytest.raises(InvalidValueError, match=message):
        job_driver(SparkJob("s3://c/a.py", conf={"spark.a": "x" * (fits + 1)}))
    with pytest.raises(InvalidValueError, match=r"spark\.long is the longest property"):
        job_driver(SparkJob("s3://c/a.py", conf={"spark.a": "secret", "spark.long": "😀" * 60_000}))
    with pytest.raises(InvalidValueError, match="driverEnv.X is the longest".replace(".", r"\.")):
        job_driver(SparkJob("s3://c/a.py", env={"X": "x" * 60_000}))


def test_a_too_long_path():
    with pytest.raises(InvalidValueError, match="is longer than 4,096 characters; give it a shorter path"):
        job_driver(SparkJob(f"s3://c/{'x' * 4096}.py"))


def test_characters_are_counted_as_emr_does():
    assert (characters("aé"), characters("😀")) == (2, 2)


def test_what_means_nothing_there_is_named():
    image = DockerImage("123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1", ecr_login=True)
    conf = {"spark.yarn.appMasterEnv.X": "1", "spark.kubernetes.namespace": "x", "spark.executor.cores": 4}
    assert unused_options(SparkJob("s3://c/a.py", conf=conf, deploy_mode="client", docker=image)) == (
        "deploy_mode='client'",
        "conf['spark.yarn.appMasterEnv.X']",
        "conf['spark.kubernetes.namespace']",
        "docker.ecr_login",
    )
    assert unused_options(SparkJob("s3://c/a.py", conf={"spark.executor.cores": 4}, env={"X": "1"})) == ()


def test_a_variable_is_set_once():
    message = re.escape("is set by conf['spark.emr-serverless.driverEnv.X'] too; keep one")
    with pytest.raises(InvalidValueError, match=message):
        SparkJob("s3://c/a.py", env={"X": "1"}, conf={"spark.emr-serverless.driverEnv.X": "2"})
