"""Real language models: the embedded one, and a llama-cpp-python server. Opt-in: SEARCHKIT_TEST_LLM=1, with the extra [llm]."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from searchkit.answer import open_answerer
from searchkit.answer.answerer import Answerer
from searchkit.answer.models.embedded import bundled_gguf, has_runtime
from searchkit.answer.models.server_info import Endpoint, probe
from searchkit.library import Library
from tests.support.files import write

pytestmark = [
    pytest.mark.llm,
    pytest.mark.skipif(not os.environ.get("SEARCHKIT_TEST_LLM"), reason="SEARCHKIT_TEST_LLM is not set"),
    pytest.mark.skipif(not (has_runtime() and bundled_gguf()), reason="the extra [llm] is not installed"),
]
QUESTION = "Work begins on 10 March and ends on 31 March"


@pytest.fixture
def indexed(library: Library, tmp_path: Path) -> Library:
    write(tmp_path / "work" / "contract.md", "# Contract\n\nWork begins on 10 March 2025 and ends on 31 March 2026.\n")
    write(tmp_path / "work" / "bread.md", "# Bread\n\nKnead the dough and let it rest overnight.\n")
    library.index(tmp_path / "work")
    return library


def check_a_whole_answer(answerer: Answerer) -> None:
    stream = answerer.answer(QUESTION)
    text = "".join(stream)
    assert stream.report is not None
    assert stream.report.ending in ("complete", "length")
    assert stream.report.cited == (1,)
    assert "31 March" in text  # the small model leaves the year out now and then


def test_the_embedded_model_answers_with_citations(indexed: Library) -> None:
    answerer = open_answerer(indexed, llm="embedded")
    assert answerer.window.tokens == 4096
    assert answerer.window.count("hello world") == 2
    check_a_whole_answer(answerer)
    answerer.close()


def test_the_embedded_model_stops_while_it_reads_and_goes_on(indexed: Library) -> None:
    answerer = open_answerer(indexed, llm="embedded")
    assert answerer.window.tokens
    stream = answerer.answer(QUESTION)
    pieces = iter(stream)
    stream.stop()
    assert "".join(pieces) == ""
    check_a_whole_answer(answerer)
    answerer.close()


def test_what_is_no_model_file_is_refused(indexed: Library, tmp_path: Path) -> None:
    broken = write(tmp_path / "broken.gguf", "no model")
    answerer = open_answerer(indexed, llm=str(broken))
    with pytest.raises(Exception, match="cannot be loaded"):
        answerer.answer(QUESTION)
    answerer.close()


@pytest.fixture
def server() -> Iterator[str]:
    if importlib.util.find_spec("starlette_context") is None:
        pytest.skip("llama-cpp-python's server is not installed: pip install 'llama-cpp-python[server]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(bundled_gguf()), "--port", str(port)]
    process = subprocess.Popen([*command, "--n_ctx", "2048"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    endpoint = Endpoint("llama-cpp-python", f"http://127.0.0.1:{port}/v1")
    deadline = time.monotonic() + 120
    while not probe(endpoint).answers and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.2)
    yield endpoint.base
    process.terminate()
    process.wait()


def test_a_llama_cpp_python_server_answers_with_citations(indexed: Library, server: str) -> None:
    answerer = open_answerer(indexed, llm=server)
    assert answerer.window.count("hello world") == 2
    check_a_whole_answer(answerer)
    answerer.close()
