"""The process that runs a GGUF file: llama.cpp may crash, hang or take all memory, and takes nobody with it.

Started by embedded.py. Its argument is the set-up, a line of input a request, one of output a message, in JSON. Its input ends it.

    {"count": TEXT}                     -> {"tokens": N}
    {"turns": [...], "most": TOKENS}    -> {"text": PIECE} ..., {"ended": true, "is_cut_short": BOOL} or {"failed": WHY}
    {"stop": true}                      the reply that is being written ends at once
    at the start                        -> {"window": TOKENS} or {"failed": WHY}
    every second of a long computation  -> {"alive": true}
"""

import ctypes
import json
import os
import sys
import time
from queue import Queue
from threading import Event, Lock, Thread
from typing import Any

_SIGN_SECONDS = 1.0


def main() -> None:
    """Load the model, and answer until standard input ends."""
    messages = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # so that nothing a library prints gets among the messages
    setup = json.loads(sys.argv[1])
    _limit_memory(setup["memory_bytes"])
    worker = _Worker(messages)
    worker.start()
    try:
        worker.load(setup)
    except (ValueError, RuntimeError, OSError, MemoryError) as error:
        worker.send({"failed": str(error) or type(error).__name__})
        return
    worker.serve()


class _Worker:
    """The model, with a thread that reads requests, so that a reply can be stopped, and one that shows that all is well."""

    def __init__(self, messages: Any) -> None:
        self._messages = messages
        self._requests: Queue[dict[str, Any]] = Queue()
        self._writing = Lock()
        self._is_stopped = Event()
        self._sign_of_life = 0.0
        self._model: Any = None
        self._kept: list[Any] = []  # what llama.cpp calls must live as long as the model

    def start(self) -> None:
        """Begin to read requests."""
        Thread(target=self._read, daemon=True).start()

    def load(self, setup: dict[str, Any]) -> None:
        """Load the model and say how large its window is."""
        import llama_cpp

        log = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(log, ctypes.c_void_p(None))
        threads = setup["threads"]
        self._without_extra_buffers(llama_cpp)
        self._model = llama_cpp.Llama(
            setup["gguf"], n_ctx=setup["context"], n_threads=threads, n_threads_batch=threads, verbose=False
        )
        # Between layers, so that a stop does not have to wait for a long prompt.
        between = llama_cpp.llama_cpp.ggml_abort_callback(self._between_layers)
        llama_cpp.llama_set_abort_callback(self._model.ctx, between, ctypes.c_void_p(None))
        self._kept += [log, between]
        trained = self._model.metadata.get(f"{self._model.metadata.get('general.architecture')}.context_length")
        self.send({"window": min(int(self._model.n_ctx()), int(trained or setup["context"]))})

    def serve(self) -> None:
        """Answer requests, one after the other."""
        while True:
            request = self._requests.get()
            if "count" in request:
                text = request["count"].encode("utf-8", "replace")
                self.send({"tokens": len(self._model.tokenize(text, add_bos=False, special=False))})
            else:
                self._reply(request["turns"], request["most"])

    def send(self, message: dict[str, Any]) -> None:
        """Send a message to whoever has started this process."""
        with self._writing:
            self._messages.write(json.dumps(message).encode("ascii") + b"\n")
            self._messages.flush()

    def _read(self) -> None:
        for line in sys.stdin.buffer:
            request = json.loads(line)
            if "stop" in request:
                self._is_stopped.set()
            else:
                if "turns" in request:
                    self._is_stopped.clear()
                self._requests.put(request)
        os._exit(0)

    def _reply(self, turns: list[dict[str, str]], most: int) -> None:
        is_cut_short = False
        try:
            chunks = self._model.create_chat_completion(
                turns, stream=True, max_tokens=most, temperature=0.0, repeat_penalty=1.0
            )
            for chunk in chunks:
                choice = chunk["choices"][0]
                is_cut_short = is_cut_short or choice.get("finish_reason") == "length"
                if self._is_stopped.is_set():
                    break
                if text := choice["delta"].get("content"):
                    self.send({"text": text})
        except (ValueError, RuntimeError, AssertionError) as error:
            if not self._is_stopped.is_set():
                self.send({"failed": str(error) or type(error).__name__})
                return
        self.send({"ended": True, "is_cut_short": is_cut_short})

    def _between_layers(self, _: object) -> bool:
        if (now := time.monotonic()) - self._sign_of_life >= _SIGN_SECONDS:
            self._sign_of_life = now
            self.send({"alive": True})
        return self._is_stopped.is_set()

    @staticmethod
    def _without_extra_buffers(llama_cpp: Any) -> None:
        """Have weights kept as they are in the file: what llama.cpp makes of them for AMX ends the process on some builds."""
        default = llama_cpp.llama_cpp.llama_model_default_params

        def careful() -> Any:
            options = default()
            if hasattr(options, "use_extra_bufts"):
                options.use_extra_bufts = False
            return options

        llama_cpp.llama_cpp.llama_model_default_params = careful


def _limit_memory(most_bytes: int) -> None:
    """Limit what this process allocates; the weights are mapped, and not counted. Elsewhere than on Linux nothing is limited."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))


if __name__ == "__main__":
    main()
