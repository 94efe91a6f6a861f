"""The link to the page that `serve` prints: with the token for who sits at a terminal, without it for a log."""

import sys

import pytest

from searchkit.cli.serve import page_link
from searchkit.serve.http.server import Listening


@pytest.mark.parametrize(
    ("host", "token", "is_terminal", "link"),
    [
        ("127.0.0.1", "secret", True, "http://127.0.0.1:7749/?token=secret"),
        ("127.0.0.1", "secret", False, "http://127.0.0.1:7749/ (it asks for the token)"),
        ("127.0.0.1", "", True, "http://127.0.0.1:7749/"),
        ("0.0.0.0", "secret", True, "http://127.0.0.1:7749/?token=secret"),
        ("[::]", "", False, "http://[::1]:7749/"),
        ("192.168.1.2", "", False, "http://192.168.1.2:7749/"),
    ],
)
def test_only_a_terminal_is_shown_the_token(
    monkeypatch: pytest.MonkeyPatch, host: str, token: str, is_terminal: bool, link: str
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    assert page_link(Listening(host, 7749), token) == link
