"""`searchkit tui` before the UI takes over."""

import pytest
from click.testing import CliRunner

from searchkit.cli.main import cli
from searchkit.errors import UsageError


def test_without_a_terminal_it_says_so_in_one_line() -> None:
    result = CliRunner().invoke(cli, ["tui"])
    assert isinstance(result.exception, UsageError)
    assert str(result.exception).startswith("The terminal UI needs a terminal")
    assert "\n" not in str(result.exception)


@pytest.mark.parametrize("option", ["--collection", "--mode"])
def test_the_help_names_the_options(option: str) -> None:
    assert option in CliRunner().invoke(cli, ["tui", "--help"]).output
