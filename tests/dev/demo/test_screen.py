"""In a file the demo writes plain lines, in a terminal one moves; text from logs does no harm."""

from __future__ import annotations

import io

import pytest

from demo.screen import Screen, harmless


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def file():
    return io.StringIO()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("Größe 5 €", "Größe 5 €", id="letters stay"),
        pytest.param("a\tb", "a    b", id="tab"),
        pytest.param("\x1b[31mred", "\\x1b[31mred", id="colour"),
        pytest.param("a\rb", "a\\rb", id="back to the start of the line"),
        pytest.param("\x9b2J", "\\x9b2J", id="8-bit control"),
        pytest.param("a\u202eb", "a\\u202eb", id="right to left"),
        pytest.param("\x07\x00", "\\x07\\x00", id="bell and null"),
    ],
)
def test_control_characters_become_visible(text, shown):
    assert harmless(text) == shown


def test_a_log_line_in_a_file(file):
    Screen(file).log("12:00:00", "job", "rows [bold]read[/bold]: 3\x1b[2J")
    assert file.getvalue() == "  12:00:00 job     │ rows [bold]read[/bold]: 3\\x1b[2J\n"


def test_each_line_of_an_entry_starts_with_what_is_ours(file):
    Screen(file).log("12:00:00", "job", "one\n✓ demo: success\n")
    assert file.getvalue().splitlines() == [
        "  12:00:00 job     │ one",
        "  12:00:00 job     │ ✓ demo: success",
    ]


def test_a_step_in_a_file_is_two_lines_without_control_characters(file):
    with Screen(file).step("input") as step:
        step.done("5 files")
    start, end = file.getvalue().splitlines()
    assert start == "… input"
    assert end.startswith("✓ input: 5 files  (0.")
    assert "\x1b" not in file.getvalue()


def test_a_step_that_fails_says_so(file):
    with pytest.raises(ValueError, match="no"), Screen(file).step("input"):
        raise ValueError("no")
    assert file.getvalue().splitlines()[-1].startswith("✗ input  (0.")


def test_long_lines_in_a_file_are_not_wrapped(file):
    Screen(file).log("12:00:00", "job", "x" * 500)
    assert len(file.getvalue().splitlines()) == 1


def test_the_progress_line_of_a_terminal_moves():
    terminal = Terminal()
    screen = Screen(terminal)
    with screen.step("Airflow") as step:
        step.update("waiting for the triggerer")
        screen.log("12:00:00", "job", "hello")
    assert screen.moving
    assert "\x1b[" in terminal.getvalue()
    assert "hello" in terminal.getvalue()


def test_the_table_holds_every_field(file):
    row = {"task": "flights_summary", "state": "success", "output": "s3://bucket/" + "long/" * 40}
    Screen(file).table([row])
    text = file.getvalue()
    for name in row:
        assert name in text
    assert "flights_summary" in text
