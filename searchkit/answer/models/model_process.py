"""The process in which llama.cpp runs a GGUF file, seen from the one that has started it; see embedded_worker.py."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, Queue
from typing import Any

_MEMORY_SHARE = 0.6  # of the machine's, which the process may take beside the weights
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1));"
    " from searchkit.answer.models.embedded_worker import main; main()"
)


class ModelProcess:
    """The process, see embedded_worker.py. `window_tokens`: 0 until it has said it."""

    def __init__(self, gguf: Path, context_tokens: int) -> None:
        self.window_tokens = 0
        self._is_silent = False
        setup = {
            "gguf": str(gguf),
            "context": context_tokens,
            "threads": max(1, _cores() - 1),
            "memory_bytes": int(_MEMORY_SHARE * _machine_bytes()),
        }
        path = json.dumps([os.path.abspath(entry) for entry in sys.path])  # noqa: PTH100 ("" is the current folder)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, path, json.dumps(setup)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("SEARCHKIT_DEBUG_LLM") else subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for whoever asked
        )
        self._messages: Queue[dict[str, Any] | None] = Queue()
        self._sending = threading.Lock()
        threading.Thread(target=self._read, daemon=True, name="searchkit-llm").start()

    def send(self, request: dict[str, Any]) -> None:
        """Send a request. Raises OSError if the process is no more."""
        assert self._process.stdin is not None
        with self._sending:
            self._process.stdin.write(json.dumps(request).encode("ascii") + b"\n")
            self._process.stdin.flush()

    def next(self, seconds: float) -> dict[str, Any]:
        """The next message that is more than a sign of life. Raises EOFError if the process dies, or is silent for so long."""
        while True:
            try:
                message = self._messages.get(timeout=seconds)
            except Empty as error:
                self._is_silent = True
                raise EOFError from error
            if message is None:
                raise EOFError
            if "alive" not in message:
                return message

    def why(self) -> str:
        """How it ended, as the end of a sentence."""
        if self._is_silent:
            return "did not answer any more"
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        code = self._process.returncode
        return f"ended by signal {-code}" if code is not None and code < 0 else "ended"

    def end(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError, OSError):  # closed, or cut in the middle of a line
            for line in self._process.stdout:
                self._messages.put(json.loads(line))
        self._messages.put(None)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _machine_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8_000_000_000
