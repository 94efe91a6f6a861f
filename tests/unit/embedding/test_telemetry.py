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


def test_nothing_else_loads_it_but_a_process_that_disables_it_too() -> None:
    packages = [ROOT / "searchkit", ROOT / "indexes", ROOT / "tui", ROOT / "benchmarks"]
    others = "searchkit/evaluate/speed/engines/exported_engine.py"
    loading = {
        path.relative_to(ROOT).as_posix()
        for package in packages
        for path in package.rglob("*.py")
        if "import onnxruntime" in path.read_text("utf-8")
    }
    assert loading == {"searchkit/embedding/onnx_embedder.py", others}
    opening = (ROOT / others).read_text("utf-8").split("def open_engine")[1]
    assert opening.index('os.environ["ORT_DISABLE_TELEMETRY"] = "1"') < opening.index("OnnxRuntimeExport(")
    assert opening.index('sys.modules["openvino_telemetry"] = None') < opening.index("OpenVinoExport(model")
