"""A worker process: one embedding engine behind a protocol of JSON lines, requests on stdin, answers on stdout.

Imports nothing of searchkit, so that another engine's interpreter can run it by its path:

    python worker.py MODULE OPTIONS

OPTIONS is a JSON object for MODULE.open_engine. Requests, by their "op":

    load     {"texts"}                loads the engine's libraries and weights, and embeds the texts
    embed    {"texts", "batch_size"}  embeds the texts and returns the seconds
    each     {"texts"}                embeds the texts one by one and returns the seconds of each
    vectors  {"texts"}                embeds the texts and returns the vectors, base64 of float32
    ids      {"texts"}                tokenizes the texts with the engine's own tokenizer
    memory   {}                       returns the memory of this process

Output of the engine goes to stderr. An error ends the process with a traceback there.
"""

from __future__ import annotations

import base64
import json
import os
import platform
import sys
import time
from importlib import import_module
from typing import Any, Protocol


class Engine(Protocol):
    """A loaded model, as `open_engine` returns it."""

    def embed(self, texts: list[str], batch_size: int) -> Any:
        """Embed complete model inputs: (n, dimension) float32, unit length; batch size 0 leaves it to the engine."""
        ...

    def version(self) -> str:
        """Name the engine's libraries, as `name 1.2`."""
        ...


class EngineWithTokenizer(Engine, Protocol):
    """An engine with its own tokenizer."""

    def token_ids(self, text: str) -> list[int]:
        """Tokenize a text, special tokens included."""
        ...


class Worker:
    """Answers the requests listed above."""

    def __init__(self, module: str, options: dict[str, Any]) -> None:
        self._module = module
        self._options = options
        self._engine: Any = None

    def load(self, texts: list[str]) -> dict[str, Any]:
        """Load the engine and use it once, since some parts are loaded with the first text."""
        started = time.perf_counter()
        self._engine = import_module(self._module).open_engine(**self._options)
        self._engine.embed(texts, 1)
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "version": self._engine.version(), "memory": memory()}

    def embed(self, texts: list[str], batch_size: int) -> dict[str, Any]:
        """Embed texts."""
        started = time.perf_counter()
        self._engine.embed(texts, batch_size)
        return {"seconds": time.perf_counter() - started}

    def each(self, texts: list[str]) -> dict[str, Any]:
        """Embed texts one by one."""
        return {"seconds": [self.embed([text], 1)["seconds"] for text in texts]}

    def vectors(self, texts: list[str]) -> dict[str, Any]:
        """Embed texts and return the vectors."""
        vectors = self._engine.embed(texts, 0).astype("<f4")
        return {"rows": len(vectors), "vectors": base64.b64encode(vectors.tobytes()).decode("ascii")}

    def ids(self, texts: list[str]) -> dict[str, Any]:
        """Tokenize texts."""
        return {"ids": [self._engine.token_ids(text) for text in texts]}

    def memory(self) -> dict[str, Any]:
        """Measure memory."""
        return {"memory": memory()}


def memory() -> dict[str, float | None]:
    """Measure this process, see memory_of_process; without /proc only the peak."""
    found = memory_of_process("self")
    if found["peak"] is None:
        try:
            import resource
        except ImportError:  # Windows
            return found
        unit = 1 if platform.system() == "Darwin" else 1024
        found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return found


def memory_of_process(process: int | str) -> dict[str, float | None]:
    """Measure megabytes (10⁶ bytes): resident, its anonymous and mapped-file parts, and the peak; None where unknown."""
    kilobytes = {}
    try:
        with open(f"/proc/{process}/status", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 (one import less)
            kilobytes = {line.split(":")[0]: line.split()[1] for line in file if line.endswith("kB\n")}
    except OSError:  # not Linux, or the process has ended
        pass
    keys = {"resident": "VmRSS", "anonymous": "RssAnon", "file": "RssFile", "peak": "VmHWM"}
    return {name: int(kilobytes[key]) * 1024 / 1e6 if key in kilobytes else None for name, key in keys.items()}


def main() -> None:
    """Answer requests until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # output of a library must not mix with the answers
    worker = Worker(sys.argv[1], json.loads(sys.argv[2]))
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(worker, request.pop("op"))(**request)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
