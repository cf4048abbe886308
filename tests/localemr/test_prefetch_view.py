"""What prefetch shows."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from airflow_provider_emrkit import cli
from airflow_provider_emrkit.localemr.prefetch_view import PrefetchView
from airflow_provider_emrkit.localemr.spark.inventory import Installed, inventory
from airflow_provider_emrkit.localemr.spark.transfer import Transfer

MIB = 1 << 20


@pytest.fixture
def show():
    """Give news to a view and return what it drew and what it said."""

    def call(*news: str, terminal: bool) -> tuple[str, list[str]]:
        drawn, said = io.StringIO(), []
        with PrefetchView(Console(file=drawn, force_terminal=terminal, width=100), said.append) as view:
            for line in news:
                view(line)
        return drawn.getvalue(), said

    return call


NEWS = [Transfer("Spark 3.5.6", done * MIB, 100 * MIB, 5.0 * MIB) for done in (0, 10, 50, 100)]


def test_a_terminal_has_a_bar(show):
    drawn, said = show("first", *NEWS, "last", terminal=True)
    assert said == ["first", "last"]
    assert "Spark 3.5.6" in drawn
    assert "100%" in drawn
    assert "104.9/104.9 MB" in drawn or "100.0/100.0 MiB" in drawn


def test_elsewhere_there_is_a_line_now_and_then_and_one_at_the_end(show):
    drawn, said = show("first", *NEWS, "last", terminal=False)
    assert drawn == ""
    assert said == [
        "first",
        "downloading Spark 3.5.6: 0 %, 0 of 100 MB, 5.0 MB/s",
        "downloading Spark 3.5.6: 100 %, 100 of 100 MB, 5.0 MB/s",
        "last",
    ]


def test_work_that_goes_on_has_one_line_on_a_terminal(show):
    news = [f"installing Spark … unpacking, {second} s" for second in (3, 6, 9)]
    assert show(NEWS[0], *news, "last", terminal=True)[1] == ["last"]
    assert show(*news, "last", terminal=False)[1] == [*news, "last"]


def test_a_download_of_unknown_size_is_shown_too(show):
    assert "Spark" in show(Transfer("Spark", MIB, 0), terminal=True)[0]
    assert show(Transfer("Spark", MIB, 0), terminal=False)[1] == ["downloading Spark: 1 MB"]


@pytest.fixture
def cache(tmp_path):
    (tmp_path / "spark" / "3.5.6" / "pyspark").mkdir(parents=True)
    (tmp_path / "spark" / "3.5.6" / "pyspark" / "x.jar").write_bytes(bytes(3 * MIB))
    (tmp_path / "spark" / ".3.5.6.lock").touch()
    (tmp_path / "spark" / ".3.4.1.downloads").mkdir()
    (tmp_path / "spark" / ".3.4.1.downloads" / "x.part").write_bytes(bytes(MIB))
    (tmp_path / "java" / "17.0.9.2").mkdir(parents=True)
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "spark-3.5.6-java-17-0123456789abcdef.jsa").write_bytes(b"12")
    return tmp_path


def test_what_is_installed_is_listed_with_the_releases_it_is_exact_for(cache):
    assert inventory(cache) == [
        Installed("Java 17.0.9.2", 0),
        Installed("Spark 3.4.1 (interrupted download)", MIB),
        Installed("Spark 3.5.6", 3 * MIB, ("emr-7.11.0", "emr-7.12.0", "emr-7.13.0")),
        Installed("Spark 3.5.6 class archive", 2),
    ]
    assert inventory(cache / "none") == []


def test_the_command_lists_it(cache, monkeypatch, capsys):
    monkeypatch.setenv("EMRKIT_CACHE_DIR", str(cache))
    monkeypatch.setenv("COLUMNS", "100")
    assert cli.main(["local", "prefetch", "--list"]) == 0
    assert "emr-7.11.0" in capsys.readouterr().out


def test_nothing_to_do_is_said(capsys):
    assert cli.main(["local", "prefetch"]) == 2
    assert "name a release" in capsys.readouterr().err
