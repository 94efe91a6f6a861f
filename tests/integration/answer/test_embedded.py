"""The embedded model runs in a process of its own: its death, its silence and its hunger are errors, and nothing worse."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from searchkit.answer.models.embedded import EmbeddedLanguageModel
from searchkit.answer.models.language_model import Message
from searchkit.errors import AnswerCutError, LlmError
from tests.support.files import write

ASKED = [Message("system", "Rules."), Message("user", "Question?")]
# What the worker uses of llama-cpp-python; the file says how it behaves.
FAKE = """
import ctypes, os, signal, time
from pathlib import Path
from types import SimpleNamespace
from . import llama_cpp

def llama_log_callback(function): return function
def llama_log_set(*_): pass
def llama_set_abort_callback(context, function, _): Llama.between = staticmethod(function)

class Llama:
    between = None
    def __init__(self, path, n_ctx, n_threads, n_threads_batch, verbose):
        self.how, self.context, self.ctx = Path(path).read_text(), n_ctx, None
        self.metadata = {"general.architecture": "toy", "toy.context_length": "2000"}
        assert llama_cpp.llama_model_default_params().use_extra_bufts is False
        print("noise that a library writes to standard output")
        if self.how == "no model": raise ValueError("Failed to load model from file")
        if self.how == "dies at once": os.kill(os.getpid(), signal.SIGSEGV)
    def n_ctx(self): return self.context
    def tokenize(self, text, add_bos, special): return text.split()
    def close(self): pass
    def create_chat_completion(self, turns, stream, max_tokens, temperature, repeat_penalty):
        def piece(text=None, reason=None):
            return {"choices": [{"delta": {"content": text} if text else {}, "finish_reason": reason}]}
        if self.how == "encoder": raise AssertionError("Memory is not initialized")
        yield piece("pid ")
        yield piece(str(os.getpid()))
        if self.how == "crashes": os.kill(os.getpid(), signal.SIGSEGV)
        if self.how == "greedy": yield piece(str(len(b"x" * (1 << 46))))
        if self.how == "hangs": time.sleep(1000)
        if self.how == "slow":
            for _ in range(1000):
                time.sleep(0.01)
                if self.between(None): return
                yield piece(" more")
        yield piece(" " + " ".join(turn["role"] for turn in turns))
        yield piece(None, "length" if max_tokens < 10 else "stop")
"""
DETAILS = """
from types import SimpleNamespace
def llama_model_default_params(): return SimpleNamespace(use_extra_bufts=True)
def ggml_abort_callback(function): return function
"""


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path / "lib" / "llama_cpp" / "__init__.py", FAKE)
    write(tmp_path / "lib" / "llama_cpp" / "llama_cpp.py", DETAILS)
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    return tmp_path


@pytest.fixture
def opened(runtime: Path) -> Iterator[list[EmbeddedLanguageModel]]:
    models: list[EmbeddedLanguageModel] = []
    yield models
    for model in models:
        model.close()


def embedded(runtime: Path, opened: list[EmbeddedLanguageModel], how: str) -> EmbeddedLanguageModel:
    opened.append(EmbeddedLanguageModel(write(runtime / "toy.gguf", how)))
    return opened[-1]


def process_of(text: str) -> int:
    return int(text.split()[1])


def test_it_answers_from_another_process(runtime: Path, opened: list[EmbeddedLanguageModel]) -> None:
    model = embedded(runtime, opened, "fine")
    assert (model.window_tokens, model.count_tokens("three little words")) == (2000, 3)
    reply = model.reply(ASKED, 50)
    text = "".join(reply)
    assert process_of(text) != os.getpid()
    assert text.endswith("system user") and not reply.is_cut_short
    short = model.reply(ASKED, 5)
    assert process_of("".join(short)) == process_of(text)
    assert short.is_cut_short
    model.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process_of(text), 0)


@pytest.mark.parametrize("how", ["crashes", "greedy"])
def test_a_process_that_dies_in_an_answer_cuts_it_and_the_next_question_starts_another(
    runtime: Path, opened: list[EmbeddedLanguageModel], how: str
) -> None:
    model = embedded(runtime, opened, how)
    for _ in range(2):
        pieces: list[str] = []
        with pytest.raises(LlmError) as caught:
            pieces += model.reply(ASKED, 50)
        assert caught.value.remedy
        assert "toy" in str(caught.value)
    write(runtime / "toy.gguf", "fine")
    if how == "crashes":
        assert isinstance(caught.value, AnswerCutError) and "ended by signal 11" in str(caught.value)
        assert "".join(model.reply(ASKED, 50)).endswith("user")


def test_a_process_that_is_killed_between_answers_is_started_again(
    runtime: Path, opened: list[EmbeddedLanguageModel]
) -> None:
    model = embedded(runtime, opened, "fine")
    first = "".join(model.reply(ASKED, 50))
    os.kill(process_of(first), signal.SIGKILL)
    with pytest.raises(LlmError, match="ended by signal 9"):
        "".join(model.reply(ASKED, 50))
    assert process_of("".join(model.reply(ASKED, 50))) != process_of(first)


def test_a_process_that_hangs_is_ended(
    runtime: Path, opened: list[EmbeddedLanguageModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("searchkit.answer.models.embedded._SILENT_SECONDS", 0.5)
    model = embedded(runtime, opened, "hangs")
    pieces: list[str] = []
    with pytest.raises(AnswerCutError, match="did not answer any more"):
        pieces.extend(model.reply(ASKED, 50))
    with pytest.raises(ProcessLookupError):
        os.kill(process_of("".join(pieces)), 0)


def test_a_stopped_reply_ends_soon_and_the_process_stays(runtime: Path, opened: list[EmbeddedLanguageModel]) -> None:
    model = embedded(runtime, opened, "slow")
    pids = []
    for _ in range(2):
        reply = model.reply(ASKED, 50)
        text = ""
        for piece in reply:
            text += piece
            if len(text.split()) > 4:
                break
        started = time.monotonic()
        reply.stop()
        assert model.count_tokens(f"after {started}") == 2
        assert time.monotonic() - started < 3
        pids.append(process_of(text))
    assert pids[0] == pids[1]


def test_an_encoder_is_told_as_such(runtime: Path, opened: list[EmbeddedLanguageModel]) -> None:
    with pytest.raises(LlmError, match="toy is an embedding model, and cannot chat"):
        list(embedded(runtime, opened, "encoder").reply(ASKED, 5))


@pytest.mark.parametrize(("how", "why"), [("no model", "Failed to load"), ("dies at once", "ended by signal 11")])
def test_a_file_that_cannot_be_loaded_is_an_error_that_says_why(
    runtime: Path, opened: list[EmbeddedLanguageModel], how: str, why: str
) -> None:
    with pytest.raises(LlmError, match=why):
        _ = embedded(runtime, opened, how).window_tokens
