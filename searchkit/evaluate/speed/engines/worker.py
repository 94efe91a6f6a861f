"""A worker process: one embedding engine behind lines of JSON, a request a line on stdin, its answer a line on stdout.

Stands alone, with the engines beside it, so that it runs in the interpreter of another engine by its path:

    python worker.py MODULE OPTIONS

OPTIONS is a JSON object for MODULE.open_engine. Requests, by their "op":

    load     {"texts"}                the engine's libraries and weights are loaded and the texts embedded
    embed    {"texts", "batch_size"}  embeds them and says how long that took
    each     {"texts"}                embeds them one by one and says how long each took
    vectors  {"texts"}                embeds them and gives the vectors, base64 of float32
    ids      {"texts"}                what the engine's own tokenizer makes of each text
    memory   {}                       the memory of this process

An engine's own prints go to stderr. What cannot be done ends the process with a traceback there.
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

from searchkit.embedding.open_models import spin_briefly


class Engine(Protocol):
    """What `open_engine` returns: a loaded model."""

    def embed(self, texts: list[str], batch_size: int) -> Any:
        """(n, dimension) float32, unit length, of complete model inputs; batch size 0 leaves it to the engine."""
        ...

    def version(self) -> str:
        """The engine's libraries, as `name 1.2`."""
        ...


class EngineWithTokenizer(Engine, Protocol):
    """One that reads texts with a tokenizer of its own."""

    def token_ids(self, text: str) -> list[int]:
        """What the model is given for a text, special tokens included."""
        ...


class Worker:
    """Answers the requests, see above."""

    def __init__(self, module: str, options: dict[str, Any]) -> None:
        self._module = module
        self._options = options
        self._engine: Any = None

    def load(self, texts: list[str]) -> dict[str, Any]:
        """Load what the engine needs, and use it once: some of it is loaded at the first text only."""
        started = time.perf_counter()
        self._engine = import_module(self._module).open_engine(**self._options)
        self._engine.embed(texts, 1)
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "version": self._engine.version(), "memory": memory()}

    def embed(self, texts: list[str], batch_size: int) -> dict[str, Any]:
        """Embed."""
        started = time.perf_counter()
        self._engine.embed(texts, batch_size)
        return {"seconds": time.perf_counter() - started}

    def each(self, texts: list[str]) -> dict[str, Any]:
        """Embed one by one."""
        return {"seconds": [self.embed([text], 1)["seconds"] for text in texts]}

    def vectors(self, texts: list[str]) -> dict[str, Any]:
        """Embed and give the vectors."""
        vectors = self._engine.embed(texts, 0).astype("<f4")
        return {"rows": len(vectors), "vectors": base64.b64encode(vectors.tobytes()).decode("ascii")}

    def ids(self, texts: list[str]) -> dict[str, Any]:
        """Tokenize."""
        return {"ids": [self._engine.token_ids(text) for text in texts]}

    def memory(self) -> dict[str, Any]:
        """Measure memory."""
        return {"memory": memory()}


def memory() -> dict[str, float | None]:
    """Megabytes of this process, see memory_of_process; only the highest so far where there is no /proc."""
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
    """Megabytes (10⁶ bytes): resident, of it anonymous and of mapped files, and the highest so far; None where not known."""
    kilobytes = {}
    try:
        with open(f"/proc/{process}/status", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 (one import less)
            kilobytes = {line.split(":")[0]: line.split()[1] for line in file if line.endswith("kB\n")}
    except OSError:  # not Linux, or the process has ended
        pass
    keys = {"resident": "VmRSS", "anonymous": "RssAnon", "file": "RssFile", "peak": "VmHWM"}
    return {name: int(kilobytes[key]) * 1024 / 1e6 if key in kilobytes else None for name, key in keys.items()}


def main() -> None:
    """Answer requests until there are no more."""
    spin_briefly()
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a library prints must not stand between the answers
    worker = Worker(sys.argv[1], json.loads(sys.argv[2]))
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(worker, request.pop("op"))(**request)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
