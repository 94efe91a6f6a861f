"""Runs an engine in its own process, which is idle between requests (protocol: see engines/worker.py)."""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

from searchkit.embedding.embedder import normalized
from searchkit.errors import BenchmarkError
from searchkit.evaluate.speed.engine import Engine
from searchkit_indexes import Vectors

_TEXTS_A_REQUEST = 64  # of vectors, which are transferred as text
_SECONDS_TO_END = 10


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of a process in megabytes (10⁶ bytes): resident, its anonymous and mapped-file parts, and the peak so far.

    None where the system does not report it: on macOS all but the peak.
    """

    resident: float | None
    anonymous: float | None
    file: float | None
    peak: float | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """The start of an engine: seconds since the process started, and the part for libraries, weights and a first text."""

    ready_seconds: float
    load_seconds: float
    memory: Memory
    version: str


class EngineProcess:
    """Starts the process, loads the engine, and embeds the given texts first. Raises BenchmarkError."""

    def __init__(self, engine: Engine, first_texts: Sequence[str]) -> None:
        self.engine = engine
        self._talk = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        started = time.perf_counter()
        try:
            self._process = subprocess.Popen(
                engine.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._talk,
                env=_environment(engine),
                encoding="ascii",
            )
        except OSError as error:
            self._talk.close()
            raise BenchmarkError(f"{engine.command[0]} cannot be run ({error}).", remedy=engine.remedy) from error
        try:
            answer = self._ask("load", texts=list(first_texts))
        except BaseException:
            self._process.kill()
            self.close()
            raise
        ready_seconds = time.perf_counter() - started
        self.loaded = Loaded(ready_seconds, answer["seconds"], Memory(**answer["memory"]), answer["version"])

    def seconds_to_embed(self, texts: Sequence[str], batch_size: int) -> float:
        """Embed all texts; returns the seconds, measured in the process."""
        return float(self._ask("embed", texts=list(texts), batch_size=batch_size)["seconds"])

    def seconds_for_each(self, texts: Sequence[str]) -> list[float]:
        """Embed the texts one by one; returns the seconds for each."""
        return list(self._ask("each", texts=list(texts))["seconds"])

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Embed texts and return the vectors: (n, dimension) float32, unit length, which some engines in bfloat16 miss by 1 %."""
        parts = []
        for start in range(0, len(texts), _TEXTS_A_REQUEST):
            answer = self._ask("vectors", texts=list(texts[start : start + _TEXTS_A_REQUEST]))
            parts.append(np.frombuffer(base64.b64decode(answer["vectors"]), "<f4").reshape(answer["rows"], -1))
        return normalized(np.concatenate(parts))

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokenize each text with the engine's own tokenizer."""
        return list(self._ask("ids", texts=list(texts))["ids"])

    def memory(self) -> Memory:
        """Return the current memory of the process."""
        return Memory(**self._ask("memory")["memory"])

    def close(self) -> None:
        """End the process."""
        try:
            self._process.communicate(timeout=_SECONDS_TO_END)  # closes its stdin, so that it ends
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._talk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._process.kill()  # it may still be working
        self.close()

    def _ask(self, operation: str, **fields: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"op": operation, **fields}) + "\n")
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        except (OSError, ValueError) as error:
            message = f"{self.engine.name} broke down ({self._last_words()})."
            raise BenchmarkError(message, remedy=self.engine.remedy) from error
        return answer

    def _last_words(self) -> str:
        """Return the last line that the process wrote to stderr: of a traceback, the error."""
        self._talk.seek(0)
        lines = self._talk.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"


def _environment(engine: Engine) -> dict[str, str]:
    """Copy our environment, without the paths of our packages, and with network access disabled for libraries."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if engine.command[0] != sys.executable:
        environment.pop("PYTHONPATH", None)
    return environment
