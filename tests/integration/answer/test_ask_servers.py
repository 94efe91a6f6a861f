"""Model servers of every kind are found, asked for their real window, and survived when they misbehave."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from searchkit.answer.models.choose import ModelChoice, choose_model
from searchkit.answer.models.connection import base_url, is_loopback
from searchkit.answer.models.language_model import Message
from searchkit.answer.models.server_info import Endpoint, Probe, ServerModel, discover_servers, probe
from searchkit.answer.models.server_model import CAREFUL_WINDOW, HttpLanguageModel, ServerOptions
from searchkit.config import LlmSettings
from searchkit.display import error_text
from searchkit.errors import AnswerCutError, LlmError, LlmNotFoundError, UsageError, WindowTooSmallError
from tests.support.errors import refused
from tests.support.fake_llm import MODEL, FakeLlm, Script, fake_llm

ASKED = [Message("system", "Rules."), Message("user", "Question?")]
NOBODY = LlmSettings()


@pytest.fixture
def llm() -> Iterator[FakeLlm]:
    with fake_llm() as server:
        yield server


def model_at(llm: FakeLlm, **options: Any) -> HttpLanguageModel:
    chosen = HttpLanguageModel(llm.base, ServerModel(MODEL, {}), ServerOptions(**options))
    assert isinstance(chosen, HttpLanguageModel)
    return chosen


def reply(llm: FakeLlm, script: Script, **options: Any) -> str:
    llm.scripts = [script]
    model = model_at(llm, **options)
    try:
        return "".join(model.reply(ASKED, 50))
    finally:
        model.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("cut_bytes", [0, 1, 3, 1000])
def test_a_reply_is_read_however_the_stream_is_cut(llm: FakeLlm, cut_bytes: int) -> None:
    text = ["Grüße, ", "水 \u2028 and ", "", 'a "quote"\n', "end."]
    assert reply(llm, Script(text, cut_bytes=cut_bytes)) == "".join(text)
    assert llm.asked[0]["stream"] is True
    assert llm.asked[0]["max_tokens"] == 50


def test_a_reply_without_done_is_whole_if_it_said_that_it_has_ended(llm: FakeLlm) -> None:
    assert reply(llm, Script(["all"], is_done_sent=False)) == "all"


def test_a_connection_that_breaks_gives_what_came_and_then_the_error(llm: FakeLlm) -> None:
    llm.scripts = [Script(["It ends ", "in March"], drop_after=1)]
    came = []
    with refused(AnswerCutError, r"The answer ends here: .* Check that the server is still running"):
        for piece in model_at(llm).reply(ASKED, 50):
            came.append(piece)
    assert came == ["It ends "]


def test_a_connection_that_breaks_before_anything_came_is_another_error(llm: FakeLlm) -> None:
    with pytest.raises(LlmError, match="No answer came"):
        reply(llm, Script(["x"], drop_after=0))


def test_a_server_that_hangs_is_given_up(llm: FakeLlm) -> None:
    with pytest.raises(AnswerCutError, match="was silent"):
        reply(llm, Script(["a ", "b"], hang_after=1), silence_seconds=0.3)


def test_a_reply_is_stopped_at_once_while_the_server_is_silent(llm: FakeLlm) -> None:
    llm.scripts = [Script(["a ", "b"], hang_after=1)]
    running = model_at(llm).reply(ASKED, 50)
    pieces = iter(running)
    assert next(pieces) == "a "
    threading.Thread(target=running.stop).start()
    assert list(pieces) == []
    assert not llm.release.is_set()


@pytest.mark.parametrize(
    ("status", "message", "error", "remedy"),
    [
        (404, "model 'x' not found", LlmNotFoundError, "ollama pull"),
        (401, "no", LlmError, "api_key_env"),
        (400, "Requested tokens (5000) exceed context window of 2048", WindowTooSmallError, "2,048 tokens"),
        (400, {"message": "too long", "n_ctx": 4096}, WindowTooSmallError, "4,096"),
        (400, "This model's maximum context length is 8192 tokens", WindowTooSmallError, "8,192"),
        (500, "out of memory", LlmError, "the server's own log"),
    ],
)
def test_a_refusal_says_what_to_do(llm: FakeLlm, status: int, message: Any, error: type[LlmError], remedy: str) -> None:
    with refused(error, remedy):
        reply(llm, Script(status=status, error=message))


@pytest.mark.parametrize(
    "raw", [b"<html>hello</html>", b"data: no json\n\n", b"data: [1]\n\n", b'data: {"error": {"message": "died"}}\n\n']
)
def test_what_is_no_stream_is_an_error(llm: FakeLlm, raw: bytes) -> None:
    with pytest.raises(LlmError):
        reply(llm, Script(raw=raw))


def test_a_web_page_is_no_answer(llm: FakeLlm) -> None:
    with pytest.raises(LlmError, match="does not stream as OpenAI's does"):
        reply(llm, Script(raw=b"<html>Sign in</html>", content_type="text/html; charset=utf-8"))


def test_an_answer_that_comes_whole_is_read(llm: FakeLlm) -> None:
    raw = b'{"choices": [{"message": {"role": "assistant", "content": "all of it"}, "finish_reason": "stop"}]}'
    assert reply(llm, Script(raw=raw, content_type="application/json")) == "all of it"
    with pytest.raises(LlmError, match="does not stream as OpenAI's does"):
        reply(llm, Script(raw=b'{"ok": true}', content_type="application/json"))


def test_a_model_that_only_thinks_is_told_as_such(llm: FakeLlm) -> None:
    raw = b'data: {"choices": [{"delta": {"reasoning_content": "Hm"}, "finish_reason": "length"}]}\n\ndata: [DONE]\n\n'
    with pytest.raises(LlmError, match="50 tokens on thinking"):
        reply(llm, Script(raw=raw))


def test_a_named_server_that_does_not_answer_at_once_is_asked_again(
    llm: FakeLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Endpoint] = []

    def slow_at_first(endpoint: Endpoint, api_key: str = "", seconds: float = 0) -> Probe:
        looked.append(endpoint)
        return Probe(endpoint, answers=False) if len(looked) == 1 else probe(endpoint, api_key, seconds)

    monkeypatch.setattr("searchkit.answer.models.choose.probe", slow_at_first)
    chosen = choose_model(NOBODY, ModelChoice(llm=llm.base))
    assert (chosen.name, len(looked)) == (MODEL, 2)
    chosen.close()


def test_a_template_without_a_system_role_gets_the_rules_with_the_question(llm: FakeLlm) -> None:
    llm.scripts = [Script(status=400, error="System role not supported"), Script(["fine"])]
    assert "".join(model_at(llm).reply(ASKED, 50)) == "fine"
    assert [turn["role"] for turn in llm.asked[1]["messages"]] == ["user"]
    assert llm.prompt() == "Rules.\n\nQuestion?"


@pytest.mark.parametrize(
    ("routes", "entry", "window"),
    [
        ({}, {}, CAREFUL_WINDOW),
        ({"GET__props": {"default_generation_settings": {"n_ctx": 8192}}}, {}, 8192),
        ({}, {"max_model_len": 16384}, 16384),
        ({"POST__api__show": {"model_info": {"qwen3.context_length": 40960}}}, {}, 4096),
        ({"POST__api__show": {"model_info": {}, "parameters": "stop x\nnum_ctx 12000"}}, {}, 12000),
        ({"GET__api__ps": {"models": [{"name": MODEL, "context_length": 6000}]}}, {}, 6000),
        ({"GET__api__v0__models": {"data": [{"id": MODEL, "loaded_context_length": 5000}]}}, {}, 5000),
    ],
)
def test_the_window_is_the_one_that_is_served(routes: dict[str, Any], entry: dict[str, Any], window: int) -> None:
    with fake_llm(**routes) as llm:
        model = HttpLanguageModel(llm.base, ServerModel(MODEL, entry), ServerOptions())
        assert model.window_tokens == window
        assert (
            HttpLanguageModel(llm.base, ServerModel(MODEL, entry), ServerOptions(context_tokens=999)).window_tokens
            == 999
        )


@pytest.mark.parametrize("route", ["/tokenize", "/extras/tokenize/count"])
def test_tokens_are_counted_by_the_server_where_it_can(llm: FakeLlm, route: str) -> None:
    llm.counts_tokens_at = route
    assert model_at(llm).count_tokens("four times ten letters, in all forty .") == 10
    assert llm.counted == 1


def test_tokens_are_guessed_where_the_server_cannot(llm: FakeLlm) -> None:
    assert model_at(llm).count_tokens("one two three") >= 3


def test_servers_are_found_on_their_ports_at_once(llm: FakeLlm) -> None:
    places = (Endpoint("Ollama", f"http://127.0.0.1:{free_port()}/v1"), Endpoint("llama.cpp", llm.base))
    assert [found.answers for found in discover_servers(places)] == [False, True]
    assert choose_model(NOBODY, endpoints=places).name == MODEL


def test_embedding_models_and_our_own_server_are_passed_over() -> None:
    listed = [{"id": "nomic-embed-text"}, {"id": "notes", "owned_by": "searchkit"}, {"id": "b"}, {"id": "a"}]
    with fake_llm(GET__api__ps={"models": [{"name": "a"}]}) as llm:
        llm.routes["GET /v1/models"] = {"data": listed}
        found = discover_servers([Endpoint("Ollama", llm.base)])
    assert [model.name for model in found[0].models] == ["a", "b"]  # the one in memory first


def test_without_any_server_it_says_what_was_tried_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("searchkit.answer.models.choose.bundled_gguf", lambda: None)
    port = free_port()
    with pytest.raises(LlmNotFoundError) as error:
        choose_model(NOBODY, endpoints=[Endpoint("Ollama", f"http://127.0.0.1:{port}/v1")])
    for part in (
        f"Ollama on http://127.0.0.1:{port} (not running)",
        "--no-llm",
        "--llm URL",
    ):
        assert part in error_text(error.value)
    with pytest.raises(LlmNotFoundError, match="No model server answers at"):
        choose_model(NOBODY, ModelChoice(f"127.0.0.1:{port}"))
    with pytest.raises(LlmNotFoundError, match="The embedded model is not installed"):
        choose_model(NOBODY, ModelChoice("embedded"))
    with pytest.raises(LlmNotFoundError, match="There is no model file"):
        choose_model(NOBODY, ModelChoice("/nowhere/x.gguf"))


def test_a_model_that_is_not_there_is_refused_with_those_that_are(llm: FakeLlm) -> None:
    with pytest.raises(LlmNotFoundError, match=f"Choose from: {MODEL}"):
        choose_model(NOBODY, ModelChoice(llm.base, "gpt"))
    llm.routes["GET /v1/models"] = {"data": []}
    with pytest.raises(LlmNotFoundError, match="has no chat model"):
        choose_model(NOBODY, ModelChoice(llm.base))


def test_the_key_goes_to_the_configured_server_alone(llm: FakeLlm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "s3cret")
    llm.answers("fine")
    settings = LlmSettings(api_key_env="MY_KEY")
    "".join(choose_model(settings, endpoints=[Endpoint("Ollama", llm.base)]).reply(ASKED, 9))
    "".join(choose_model(LlmSettings(base_url=llm.base, api_key_env="MY_KEY")).reply(ASKED, 9))
    assert [headers.get("authorization") for headers in llm.headers] == [None, "Bearer s3cret"]
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(LlmError, match="MY_KEY"):
        choose_model(LlmSettings(base_url=llm.base, api_key_env="MY_KEY"))


@pytest.mark.parametrize(
    ("given", "base", "stays_here"),
    [
        ("localhost:11434", "http://localhost:11434/v1", True),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/v1", True),
        ("http://[::1]:1234/v1", "http://[::1]:1234/v1", True),
        ("https://api.example.com/openai/v1/chat/completions", "https://api.example.com/openai/v1", False),
        ("http://127.0.0.1.evil.example", "http://127.0.0.1.evil.example/v1", False),
        ("http://0.0.0.0:8000", "http://0.0.0.0:8000/v1", False),
    ],
)
def test_addresses_are_read_and_told_apart(given: str, base: str, stays_here: bool) -> None:
    assert base_url(given) == base
    assert is_loopback(base_url(given)) is stays_here


@pytest.mark.parametrize("given", ["ftp://x", "http://", "http://u:p@x", "http://x:99999", "http://x?y=1"])
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="is not an address"):
        base_url(given)
