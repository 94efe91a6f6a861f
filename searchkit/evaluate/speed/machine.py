"""Describes the machine that figures were measured on: processor, memory, versions."""

import os
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from searchkit.embedding.onnx_embedder import usable_cores

# Instructions for int8 products, by their names in Linux (x86, then ARM) or in macOS' sysctl.
_LINUX_FEATURES = {
    "avx2": "avx2",
    "avx512_vnni": "avx512_vnni",
    "avx_vnni": "avx_vnni",
    "amx_int8": "amx",
    "asimd": "neon",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
}
_MACOS_FEATURES = {
    "hw.optional.neon": "neon",
    "hw.optional.arm.FEAT_DotProd": "dotprod",
    "hw.optional.arm.FEAT_I8MM": "i8mm",
    "hw.optional.avx2_0": "avx2",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine. `usable_cores`: cores that this process may use; `memory_gb`: in 10⁹ bytes; `load`: mean number of busy
    processes in the last minute. Memory and load are None where the system does not report them.
    """

    processor: str
    architecture: str
    features: tuple[str, ...]
    cores: int
    usable_cores: int
    memory_gb: float | None
    load: float | None
    system: str
    python: str
    onnxruntime: str


def describe_machine() -> Machine:
    """Describe this machine."""
    processor, features = _linux_processor() if platform.system() == "Linux" else _macos_processor()
    return Machine(
        processor=processor or platform.processor() or "unknown",
        architecture=platform.machine(),
        features=features,
        cores=os.cpu_count() or 1,
        usable_cores=usable_cores(),
        memory_gb=_memory_gb(),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        onnxruntime=version("onnxruntime"),
    )


def _linux_processor() -> tuple[str, tuple[str, ...]]:
    fields: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    return fields.get("model name", ""), tuple(name for flag, name in _LINUX_FEATURES.items() if flag in flags)


def _macos_processor() -> tuple[str, tuple[str, ...]]:
    """Read name and features from sysctl; empty where there is no such command (Windows)."""

    def asked(key: str) -> str:
        try:
            return subprocess.run(["sysctl", "-n", key], capture_output=True, text=True, check=False).stdout.strip()
        except OSError:
            return ""

    return asked("machdep.cpu.brand_string"), tuple(name for key, name in _MACOS_FEATURES.items() if asked(key) == "1")


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, ValueError, OSError):
        return None
