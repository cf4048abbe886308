"""What the demo asks of ``emrkit`` and of the local EMR."""

from __future__ import annotations

import sys

import pytest

import demo.localemr
from demo.airflow import StartError
from demo.environment import Places
from demo.localemr import ClusterNews


@pytest.fixture
def prefetch(tmp_path):
    """Run a prefetch with an ``emrkit`` that is the given Python program; its result and its news."""

    def prefetch(program: str) -> tuple[str, list[str]]:
        emrkit = tmp_path / "bin" / "emrkit"
        emrkit.parent.mkdir()
        emrkit.write_text(f"#!{sys.executable}\n{program}\n")
        emrkit.chmod(0o755)
        places = Places(tmp_path, tmp_path, tmp_path, tmp_path, tmp_path, 1, 2)
        news: list[str] = []
        return demo.localemr.prefetch(places, {}, "emr-7.11.0", news.append), news

    return prefetch


def test_each_line_of_a_prefetch_is_news_and_the_last_its_result(prefetch):
    result, news = prefetch("import sys; print('installing'); print(*sys.argv[1:])")
    assert news == ["installing", "local prefetch emr-7.11.0"]
    assert result == "local prefetch emr-7.11.0"


@pytest.mark.parametrize(
    ("program", "message"),
    [
        pytest.param(
            "print('installing')\nprint('emrkit: no way to the index;\\nname a mirror')\nraise SystemExit(1)",
            "no way to the index;\nname a mirror",
            id="what emrkit says, all of it",
        ),
        pytest.param("raise SystemExit('killed')", "killed", id="anything else: the last line"),
    ],
)
def test_a_prefetch_that_fails_says_why(prefetch, program, message):
    with pytest.raises(StartError) as error:
        prefetch(program)
    assert str(error.value) == message


def test_the_release_is_read_from_the_dag(tmp_path):
    file = tmp_path / "dag.py"
    file.write_text('ClusterSpec(release_label="emr-7.11.0", size="tiny")')
    assert demo.localemr.release_label(file) == "emr-7.11.0"
    file.write_text("ClusterSpec()")
    with pytest.raises(StartError, match="names no release_label"):
        demo.localemr.release_label(file)


@pytest.mark.parametrize(
    ("news", "line"),
    [
        pytest.param(ClusterNews("j-1", "STARTING"), "cluster STARTING", id="state only"),
        pytest.param(
            ClusterNews("j-1", "STARTING", "Installing Spark", "emr-7.11.0", "s-1", "PENDING"),
            "cluster STARTING (Installing Spark), step PENDING",
            id="with its reason and step",
        ),
    ],
)
def test_a_cluster_in_one_line(news, line):
    assert news.line() == line
