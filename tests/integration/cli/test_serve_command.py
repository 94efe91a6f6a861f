"""`searchkit serve` as a user starts it, with the small model."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from searchkit.errors import UsageError
from searchkit.library import Library
from searchkit.serve.http.options import ServeOptions
from searchkit.serve.http.server import _listen
from tests.support.errors import refused
from tests.support.files import write
from tests.support.homes import copied

pytestmark = [pytest.mark.minilm, pytest.mark.slow]


@pytest.fixture
def environment(small_model: Path, tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "SEARCHKIT_HOME": str(copied(small_model, tmp_path / "home")), "COLUMNS": "100"}


def run(environment: dict[str, str], *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    result = subprocess.run(
        [sys.executable, "-m", "searchkit", *arguments], capture_output=True, text=True, env=environment, check=False
    )
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    return result


@contextmanager
def started(environment: dict[str, str], *arguments: str) -> Iterator[tuple[str, list[str], "subprocess.Popen[str]"]]:
    """The address, the lines that it printed at the start, the process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "searchkit", "serve", "--port", "0", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stderr
    try:
        lines: list[str] = []
        while not (lines and lines[-1].startswith("Ctrl-C")):
            line = process.stderr.readline()
            assert line, lines
            lines.append(line)
        found = re.search(r"http://127\.0\.0\.1:\d+", lines[0])
        assert found
        yield found[0], lines, process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_serves_and_stops(environment: dict[str, str], docs: Path, number: signal.Signals) -> None:
    run(environment, "index", str(docs))
    shown = run(environment, "serve", "--token")
    assert shown.stderr == ""
    with started(environment) as (url, lines, process):
        assert len(lines) == 5
        assert "docs" in lines[1]
        assert lines[2].startswith(f"In the browser: {url}/")
        headers = {"authorization": f"Bearer {shown.stdout.strip()}"}
        with httpx2.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
            found = client.get("/search", params={"q": "pruning rose bushes", "k": 1}).json()["hits"]
            assert found[0]["title"] == "roses.md: Roses"
            model = client.get("/v1/models").json()["data"][-1]["id"].partition(":")[0]
            text = client.post("/v1/embeddings", json={"model": f"{model}:query", "input": "roses"}).json()
            assert len(text["data"][0]["embedding"]) == 384
        process.send_signal(number)
        assert process.wait(30) == 0
        assert process.stderr
        assert process.stderr.read() == "Stopped.\n"


def test_token_arrays_are_of_the_models_own_vocabulary(environment: dict[str, str], docs: Path) -> None:
    run(environment, "index", str(docs))
    with Library(environment["SEARCHKIT_HOME"]) as library:
        embedder = library.open_models.named("all-minilm-l6-v2")
        tokenizer = embedder._tokenizer  # type: ignore[attr-defined]
        ids = tokenizer.encode("prune the roses in march", 64)[1:-1]
        assert embedder.decode(ids) == "prune the roses in march"
    with started(environment, "--no-token") as (url, lines, _):
        assert "No token" in lines[3]
        with httpx2.Client(base_url=url, trust_env=False, timeout=60) as client:

            def vectors(given: object) -> object:
                return client.post("/v1/embeddings", json={"model": "all-minilm-l6-v2", "input": given}).json()

            assert (
                json.dumps(vectors([ids]))
                == json.dumps(vectors(ids))
                == json.dumps(vectors("prune the roses in march"))
            )
            assert "is not a token of this model" in str(vectors([10**6]))


def test_a_port_that_is_taken_is_an_error_with_a_remedy(environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = run(environment, "serve", "--port", str(taken.getsockname()[1]), code=1)
    assert "--port 0" in refused.stderr
    nowhere = run(environment, "serve", "--host", "203.0.113.1", code=1)  # an address of documentation, nobody's
    assert "Cannot listen at 203.0.113.1" in nowhere.stderr
    assert "--port 0" not in nowhere.stderr


def test_two_that_are_started_together_do_not_both_believe_they_have_the_port(environment: dict[str, str]) -> None:
    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        first, second = ServeOptions(port=port), ServeOptions(port=port)
        with _listen(first), refused(UsageError, match="--port 0"):
            _listen(second)


def test_what_would_be_open_to_others_is_refused(environment: dict[str, str]) -> None:
    assert "needs the token" in run(environment, "serve", "--host", "0.0.0.0", "--no-token", code=2).stderr
    assert "not the origin" in run(environment, "serve", "--allow-origin", "http://*", code=2).stderr
    assert "127.0.0.1" in run(environment, "serve", "--help").stdout


def test_settings_in_the_file_hold_and_options_hold_more(environment: dict[str, str]) -> None:
    write(Path(environment["SEARCHKIT_HOME"]) / "config.toml", '[serve]\nhost = "0.0.0.0"\ntoken = false\n')
    assert "needs the token" in run(environment, "serve", code=2).stderr
    with started(environment, "--host", "127.0.0.1") as (url, _, _):
        assert httpx2.get(f"{url}/health", trust_env=False).json()["status"] == "ok"
