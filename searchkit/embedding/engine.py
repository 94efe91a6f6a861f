"""Which engine embeds passages: ONNX Runtime, or OpenVINO where its package is installed and was measured to be faster here.

The choice is a matter of the machine, not of the model: it lies beside the model's files, is no part of what they are sealed by,
and is not believed on another machine. Queries always run on ONNX Runtime, which opens in a tenth of the time. The vectors of
both are the same to a cosine of .998, so that what one has indexed the other finds.
"""

import hashlib
import importlib.util
import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from searchkit.errors import Action, ModelError, Remedy
from searchkit.files import write_atomically

if TYPE_CHECKING:
    import numpy.typing as npt

    from searchkit.embedding.onnx_embedder import OnnxEmbedder
    from searchkit_indexes import Vectors

    Inputs = Sequence[npt.NDArray[Any]]

ENGINE_FILE = "engine.json"
_TOKENS = 256
_TEXTS_EACH = 4  # for each thread, in a round
_ROUNDS = 5
_BUDGET_SECONDS = 30.0
_WORTH = 1.05  # times as fast; less is not worth the memory and the seconds of compiling
_SAME = 0.998  # least mean cosine to the vectors of ONNX Runtime
_GRAPH_FIELDS = ("engine", "times_as_fast", "machine", "fingerprint")


class Engine(StrEnum):
    """An engine, and for OpenVINO what the inputs of products are rounded to."""

    ONNX_RUNTIME = "onnxruntime"
    OPENVINO_INT8 = "openvino-int8"
    OPENVINO_BF16 = "openvino-bf16"

    @property
    def in_bytes(self) -> bool:
        """True if the inputs of products are rounded to 8 bits."""
        return self is not Engine.OPENVINO_BF16


@dataclass(frozen=True, slots=True)
class Measured:
    """An engine that was compared with ONNX Runtime on this machine: its speed as a multiple, and its vectors' mean cosine."""

    engine: Engine
    times_as_fast: float
    mean_cosine: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """All engines that run the model here, ONNX Runtime first, and the one that is used from now on."""

    engines: tuple[Measured, ...]
    chosen: Engine


def is_installed() -> bool:
    """Return whether the package of OpenVINO is there."""
    return importlib.util.find_spec("openvino") is not None


def chosen_engine(folder: Path, fingerprint: str) -> tuple[Engine, float | None]:
    """Return the engine for a model's passages, and how many times as fast as ONNX Runtime it was; None if not measured here.

    A choice that is damaged is none.
    """
    try:
        kept = _sealed(folder)
        engine, ratio = Engine(kept["engine"]), kept["times_as_fast"]
        is_of_here = kept["machine"] == _machine() and kept["fingerprint"] == fingerprint
    except (OSError, ValueError, LookupError, TypeError):
        return Engine.ONNX_RUNTIME, None
    if not is_of_here or (engine is not Engine.ONNX_RUNTIME and not is_installed()):
        return Engine.ONNX_RUNTIME, None
    return engine, None if ratio is None else float(ratio)


def keep_engine(folder: Path, fingerprint: str, engine: Engine, times_as_fast: float | None = None) -> None:
    """Use an engine for a model's passages on this machine from now on."""
    values = (engine.value, times_as_fast, _machine(), fingerprint)
    kept = dict(zip(_GRAPH_FIELDS, values, strict=True))
    write_atomically(folder / ENGINE_FILE, json.dumps(kept | {"seal": _seal(kept)}).encode())


def is_damaged(folder: Path) -> bool:
    """True if a choice was kept that is not what was written."""
    try:
        _sealed(folder)
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    return False


def _sealed(folder: Path) -> dict[str, Any]:
    """What was written. Raises OSError if it cannot be read, ValueError if it is something else."""
    kept = json.loads((folder / ENGINE_FILE).read_text("utf-8"))
    if not isinstance(kept, dict) or kept.pop("seal", None) != _seal(kept):
        raise ValueError(f"{ENGINE_FILE} is not what was written")
    return kept


def _seal(kept: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def require_openvino() -> None:
    """Raise ModelError unless the package of OpenVINO is installed."""
    if not is_installed():
        raise ModelError(
            "The package openvino is not installed: there is no engine but ONNX Runtime.",
            remedy=Remedy(Action.INSTALL_EXTRA, extra="openvino"),
        )


def choose_engine(embedder: "OnnxEmbedder") -> Comparison:
    """Measure every engine on texts of 256 tokens for half a minute at most, and keep the fastest.

    Raises ModelError if OpenVINO is not installed.
    """
    require_openvino()
    found = (Measured(Engine.ONNX_RUNTIME, 1.0, 1.0), *_measure(embedder))
    able = [each for each in found if each.mean_cosine >= _SAME and each.times_as_fast >= _WORTH]
    best = max(able, key=lambda each: each.times_as_fast, default=found[0])
    keep_engine(embedder.folder, embedder.info.fingerprint, best.engine, best.times_as_fast)
    return Comparison(found, best.engine)


def _measure(embedder: "OnnxEmbedder") -> list[Measured]:
    """Run the engines in turn, so that whatever else the machine does slows all of them."""
    threads, inputs = embedder.threads, embedder.long_inputs(_TOKENS, _TEXTS_EACH * embedder.threads)
    runs: dict[Engine, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]] = {}
    for engine in Engine:
        try:
            runs[engine] = run = embedder.runner(engine)
            run(inputs[0])  # compiles it
        except Exception:  # noqa: BLE001 - an operator or type that OpenVINO lacks: errors of many classes
            runs.pop(engine, None)
    seconds: dict[Engine, list[float]] = {engine: [] for engine in runs}
    vectors: dict[Engine, Vectors] = {}
    begun = time.perf_counter()
    for _ in range(_ROUNDS):
        for engine, run in runs.items():
            start = time.perf_counter()
            vectors[engine] = _embedded(run, inputs, threads)
            seconds[engine].append(time.perf_counter() - start)
        if time.perf_counter() - begun > _BUDGET_SECONDS:
            break
    ours = Engine.ONNX_RUNTIME
    return [
        Measured(
            engine,
            round(median(a / b for a, b in zip(seconds[ours], seconds[engine], strict=True)), 2),
            round(float((vectors[ours] * vectors[engine]).sum(axis=1).mean()), 5),
        )
        for engine in runs
        if engine is not ours
    ]


def _embedded(run: Callable[..., Any], inputs: "Inputs", threads: int) -> "Vectors":
    import numpy as np

    with ThreadPoolExecutor(threads) as pool:
        return np.stack(list(pool.map(run, inputs)))


def _machine() -> str:
    """A digest of what the speed depends on: the processor and the versions of both engines."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        processor = sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))})
    except OSError:
        processor = [platform.processor(), platform.machine()]
    return hashlib.sha256(json.dumps([processor, _version("openvino"), _version("onnxruntime")]).encode()).hexdigest()[
        :16
    ]


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""
