"""Further clients, unmodified, in an environment of their own; see CONTRIBUTING.md for how to make one."""

import json
import os
import subprocess
from typing import Any

import pytest

from tests.support.fake_llm import FakeLlm
from tests.support.files import ROOT
from tests.support.serve_process import Server

pytestmark = [pytest.mark.slow, pytest.mark.clients]
ANSWER = "The gauge shows two bar [1]."


def run(scenario: str, server: Server) -> Any:
    """What a client got, or a skip if its package is not installed there."""
    python = os.environ["SEARCHKIT_TEST_CLIENTS"]
    command = [python, str(ROOT / "tests" / "support" / "other_clients.py"), scenario, server.url, server.token]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    if "ModuleNotFoundError" in result.stderr:
        pytest.skip(result.stderr.strip().splitlines()[-1])
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize("scenario", ["langchain_responses", "langchain_ollama", "llama_index"])
def test_a_client_chats_with_a_collection(scenario: str, server: Server, llm: FakeLlm) -> None:
    llm.answers(ANSWER)
    got = run(scenario, server)
    assert got["text"].startswith(ANSWER)
    assert got.get("streamed", got.get("chat")).startswith(ANSWER)
    assert got.get("annotations", ["file_citation", "url_citation"]) == ["file_citation", "url_citation"]


def test_litellm_reranks_in_the_manner_of_every_provider(server: Server) -> None:
    assert run("litellm_rerank", server) == {
        provider: [1] for provider in ("cohere", "jina_ai", "hosted_vllm", "infinity")
    }


def test_haystack_embeds_an_empty_text_among_others(server: Server) -> None:
    assert run("haystack_empty", server) == {"dimensions": [64, 64, 64]}


def test_langchain_embeds_texts(server: Server) -> None:
    assert run("langchain_tokens", server) == {"dimensions": [64, 64]}
