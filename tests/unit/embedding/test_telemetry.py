"""ONNX Runtime reports to its makers unless telemetry is disabled before it is loaded."""

import subprocess
import sys

from tests.support.files import ROOT

ASK = """
import ctypes
from searchkit.embedding.onnx_embedder import onnx_runtime
onnx_runtime()
getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p
print(getenv(b"ORT_DISABLE_TELEMETRY"))
"""


def test_telemetry_is_disabled_in_the_environment_that_it_reads() -> None:
    told = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "b'1'"


def test_nothing_else_loads_it() -> None:
    packages = [ROOT / "searchkit", ROOT / "indexes", ROOT / "tui", ROOT / "benchmarks"]
    loading = [
        path.relative_to(ROOT).as_posix()
        for package in packages
        for path in package.rglob("*.py")
        if "import onnxruntime" in path.read_text("utf-8")
    ]
    assert loading == ["searchkit/embedding/onnx_embedder.py"]
