"""An engine at work in a process of its own, which is idle between requests (the protocol: engines/worker.py)."""

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

from searchkit.errors import BenchmarkError
from searchkit.evaluate.speed.engine import Engine
from searchkit_indexes import Vectors

_TEXTS_A_REQUEST = 64  # of vectors, which are held as text meanwhile
_SECONDS_TO_END = 10


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes (10⁶ bytes) of a process: resident, of it anonymous and of mapped files, and the highest so far.

    None where the system does not tell; all but the highest on macOS.
    """

    resident: float | None
    anonymous: float | None
    file: float | None
    peak: float | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """How an engine started: seconds from the process' start, and of it for libraries, weights and a first text."""

    ready_seconds: float
    load_seconds: float
    memory: Memory
    version: str


class EngineProcess:
    """Starts the process and loads the engine, the given texts being the first it embeds. Raises BenchmarkError."""

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
            raise BenchmarkError(f"{engine.command[0]} cannot be run ({error}). {engine.remedy}") from error
        try:
            answer = self._ask("load", texts=list(first_texts))
        except BaseException:
            self._process.kill()
            self.close()
            raise
        ready_seconds = time.perf_counter() - started
        self.loaded = Loaded(ready_seconds, answer["seconds"], Memory(**answer["memory"]), answer["version"])

    def seconds_to_embed(self, texts: Sequence[str], batch_size: int) -> float:
        """Seconds for all of the texts, measured in the process."""
        return float(self._ask("embed", texts=list(texts), batch_size=batch_size)["seconds"])

    def seconds_for_each(self, texts: Sequence[str]) -> list[float]:
        """Seconds for each of the texts, one after the other."""
        return list(self._ask("each", texts=list(texts))["seconds"])

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32."""
        parts = []
        for start in range(0, len(texts), _TEXTS_A_REQUEST):
            answer = self._ask("vectors", texts=list(texts[start : start + _TEXTS_A_REQUEST]))
            parts.append(np.frombuffer(base64.b64decode(answer["vectors"]), "<f4").reshape(answer["rows"], -1))
        return np.concatenate(parts)

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """What the engine's own tokenizer makes of each text."""
        return list(self._ask("ids", texts=list(texts))["ids"])

    def memory(self) -> Memory:
        """The process' memory now."""
        return Memory(**self._ask("memory")["memory"])

    def close(self) -> None:
        """End the process."""
        try:
            self._process.communicate(timeout=_SECONDS_TO_END)  # closes its stdin, upon which it ends
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
            self._process.kill()  # it may be at work still
        self.close()

    def _ask(self, operation: str, **fields: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"op": operation, **fields}) + "\n")
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        except (OSError, ValueError) as error:
            raise BenchmarkError(
                f"{self.engine.name} broke down ({self._last_words()}). {self.engine.remedy}"
            ) from error
        return answer

    def _last_words(self) -> str:
        """The last line that the process wrote on stderr: of a traceback, the error."""
        self._talk.seek(0)
        lines = self._talk.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"


def _environment(engine: Engine) -> dict[str, str]:
    """Ours, without what names our packages to another interpreter, and with no way to the network for libraries."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if engine.command[0] != sys.executable:
        environment.pop("PYTHONPATH", None)
    return environment
